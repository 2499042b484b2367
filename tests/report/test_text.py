"""The lines of statistics."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import bootstrap, rankdata, zscore

from src.common import UserError
from src.report.analysis import gain_interval, gains_of
from src.report.settings import AnalysisSettings
from src.report.terminal import subsets_of
from src.report.text import (
    baselines_table,
    comparison,
    counted_cells,
    models_table,
    models_verdict,
    score_line,
    selected_and_untouched,
    split_lines,
)
from src.scores import Counted, read_scorefile
from src.scores.assisted import Expected
from src.scoring.model_scores import ModelScores
from src.scoring.scored_images import ScoredImages
from tests.training import FEW


@pytest.fixture
def few_resamples(monkeypatch):
    monkeypatch.setattr("src.report.analysis.RESAMPLES", FEW)


def test_a_line_has_the_form_people_know():
    generator = np.random.default_rng(0)
    scores = generator.normal(0.06, 0.67, 61)
    model_scores = 0.6 * scores + generator.normal(0.1, 0.4, 61)
    rho, r = stats.spearmanr(scores, model_scores), stats.pearsonr(scores, model_scores)
    order = (stats.somersd(scores, model_scores).statistic + 1) / 2
    assert score_line("All", scores, model_scores) == (
        f"All :    61 images, db score {scores.mean():>6.3f} +/- {scores.std():.2f}, "
        f"model score {model_scores.mean():>6.3f} +/- {model_scores.std():.2f}, "
        f"spearman {rho.statistic:.4f} (p={rho.pvalue:>8.1e}), pearson {r.statistic:.4f} (p={r.pvalue:>8.1e}), "
        f"AB {100 * order:>6.2f}%"
    )


def test_fewer_than_three_images_are_said():
    assert score_line("Eval", np.zeros(2), np.ones(2)) == "Eval:     2 images, too few for statistics (3 are needed)"


@pytest.mark.parametrize(
    ("scores", "model_scores", "which"), [([1, 1, 1], [1, 2, 3], "db"), ([1, 2, 3], [2, 2, 2], "model")]
)
def test_constant_scores_are_said_not_nan(scores, model_scores, which):
    line = score_line("All", np.array(scores, float), np.array(model_scores, float))
    assert f"all {which} scores are the same: there is no correlation" in line
    assert "nan" not in line


def test_there_is_a_line_for_each_split_that_has_images():
    split = np.array(["train"] * 4 + ["eval"] * 3)
    scores = np.arange(7.0)
    names = [line.split(":")[0].strip() for line in split_lines(scores, scores, split)]
    assert names == ["Train", "Eval", "All"]


@pytest.mark.usefixtures("few_resamples")
def test_the_comparison_says_better_or_worse():
    scores = np.arange(40.0)
    noisy = scores + np.random.default_rng(0).normal(0, 30, 40)
    gain = 1 - stats.spearmanr(scores, noisy).statistic
    better = comparison(scores, ("mlp", scores), ("ridge", noisy), 0)
    assert better.startswith(f"The network is better than ridge regression by {gain:.3f} Spearman (95 %: +")
    assert "chance" not in better
    worse = comparison(scores, ("mlp", noisy), ("ridge", scores), 0)
    assert f"worse than ridge regression by {gain:.3f} Spearman" in worse
    assert worse.endswith(": try more --trials, or --model_type=ridge.")


@pytest.mark.usefixtures("few_resamples")
def test_each_type_is_called_by_its_name_and_only_a_search_can_be_longer():
    scores = np.arange(40.0)
    worse = comparison(scores, ("gp", -scores), ("ridge", scores), 0)
    assert worse.startswith("The Gaussian process is worse than ridge regression by 2.000 Spearman")
    assert worse.endswith("): try --model_type=ridge.")
    worse = comparison(scores, ("ridge", -scores), ("gp", scores), 0, "test images")
    assert worse.startswith("Ridge regression is worse than the Gaussian process by 2.000 Spearman")
    assert worse.endswith("): try --model_type=gp.")
    assert "more --trials, or --model_type=gp" in comparison(scores, ("blend", -scores), ("gp", scores), 0)


@pytest.mark.usefixtures("few_resamples")
def test_a_difference_that_the_images_drawn_could_make_is_said_to_be_chance():
    random = np.random.default_rng(0)
    scores, network, ridge = random.normal(size=(3, 20))
    assert "), which may be chance" in comparison(scores, ("mlp", network), ("ridge", ridge), 0)
    assert "too few" in comparison(scores[:3], ("mlp", np.ones(3)), ("ridge", ridge[:3]), 0)


@pytest.mark.usefixtures("few_resamples")
def test_scores_without_an_order_are_not_said_to_be_too_few():
    said = comparison(np.full(20, 3.0), ("ridge", np.arange(20.0)), ("gp", np.arange(20.0)), 0)
    assert said == (
        "Ridge regression can't be compared with the Gaussian process: the scores of the eval images, or a model's, "
        "are all, or nearly all, the same."
    )


@pytest.mark.usefixtures("few_resamples")
def test_the_table_of_eval_and_test_has_intervals_where_there_are_ten_images():
    random = np.random.default_rng(0)
    scores, found = random.normal(size=(2, 20))
    _, images, *rows = selected_and_untouched(scores, found, np.arange(11), np.arange(11, 20), 0)
    assert images == ["images", "11", "9"]
    assert all("(95 %: " in selected and "(" not in untouched for _, selected, untouched in rows)


def test_the_interval_of_a_gain_is_that_of_scipys_paired_bootstrap():
    random = np.random.default_rng(0)
    truth, first, second = random.normal(size=(3, 200))
    first, second = first + truth, second + truth

    def gain(truth, first, second, axis):
        truth, first, second = (zscore(rankdata(one, axis=axis), axis=axis) for one in (truth, first, second))
        return (truth * first).mean(axis=axis) - (truth * second).mean(axis=axis)

    theirs = bootstrap((truth, first, second), gain, paired=True, n_resamples=2000, method="percentile", rng=random)
    assert gain_interval(truth, first, second, 0) == pytest.approx(tuple(theirs.confidence_interval), abs=0.01)


def test_the_baselines_stand_below_the_model():
    measured = {
        "mean": {"eval_mse": 2.0, "eval_ab": 0.5},
        "model": {"eval_mse": 0.5, "eval_spearman": 0.75, "eval_ab": 0.8, "eval_nll": 3.0},
    }
    assert baselines_table(measured) == [
        ["eval images", "AB", "Spearman", "mse"],
        ["this model", "80.00 %", "0.7500", "0.5"],
        ["mean of the train scores", "50.00 %", "-", "2"],
    ]


def test_below_the_model_stand_its_figures_with_the_errors_of_the_scores_counted():
    measured = {"model": {"eval_mse": 0.5, "eval_spearman": 0.75, "eval_ab": 0.8}, "mean": {"eval_ab": 0.5}}
    table = baselines_table(measured, "eval images", Counted(Expected(0.6, 0.7), 20, 20))
    assert table[2] == ["  with the scores' errors counted", "70.00 %", "0.6000", "-"]
    assert [row[0] for row in table[1:]] == ["this model", table[2][0], "mean of the train scores"]
    assert counted_cells(Counted(Expected(0.6, 0.7), 20, 25)) == [
        "with the scores' errors counted (20 of 25 images have one)", "20", "-", "-", "0.6000", "-", "70.00 %"
    ]  # fmt: skip


def test_a_model_of_the_choices_has_no_image_to_look_at_and_that_is_said(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("relative_path,score\na.png,1\nb.png,2\n")
    model = ModelScores("mine", np.ones(2), np.ones(2), metadata={"made_from": "choices"})
    images = ScoredImages(read_scorefile(path), [model], np.array(["train", "train"]))
    with pytest.raises(UserError, match=r"the A/B scorer made mine from the choices, .* --include_train_split"):
        subsets_of(images, AnalysisSettings())


def test_estimates_among_the_images_that_are_looked_at_are_named(tmp_path, capsys):
    path = tmp_path / "scores.csv"
    path.write_text("relative_path,score,estimated\na.png,1,\nb.png,2,1\nc.png,3,1\nd.png,4,\n")
    images = ScoredImages(read_scorefile(path), [], np.array(["train", "train", "train", "eval"]))
    subsets_of(images, AnalysisSettings(include_train_split=True))
    assert "included. So are 2 scores that a model estimated, with which it agrees." in capsys.readouterr().out
    subsets_of(images, AnalysisSettings())
    assert "model estimated" not in capsys.readouterr().out


@pytest.mark.usefixtures("few_resamples")
def test_several_models_have_a_row_each_with_what_they_gain_and_whether_that_may_be_chance():
    generator = np.random.default_rng(0)
    scores = generator.normal(size=200)
    models = {name: scores + generator.normal(0, sd, 200) for name, sd in (("a", 1), ("good", 0.3), ("bad", 9))}
    models["twin"] = models["a"] + generator.normal(0, 0.01, 200)
    rows = [np.arange(200), np.arange(5)]
    gains = gains_of(rows, scores, list(models.values()), seed=0)
    table = models_table({"All": rows[0], "few": rows[1]}, scores, models, gains)
    assert [row[:3] for row in table[1:]] == [
        *([name, "All", "200"] for name in models),
        *([name, "few", "5"] for name in models),
    ]
    assert table[1][3] == f"{stats.spearmanr(scores, models['a']).statistic:.4f}"
    assert table[1][-1] == table[6][-1] == "-"
    gain, low, high = gains[0][0]
    assert low < gain < high
    assert gain == pytest.approx(float(table[2][3]) - float(table[1][3]), abs=2e-4)
    assert models_verdict(list(models), gains[0]) == (
        "good orders these images better than a. bad orders these images worse than a. "
        "That twin and a differ may be chance."
    )
    assert models_verdict(list(models), gains[1]) == "That good, bad and twin and a differ may be chance."
