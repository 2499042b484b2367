"""What the report and the end of training say where the model is no network of the search."""

import json

import numpy as np
import pytest

from src.model import PredictorConfig
from src.report.full_report import build_page
from src.report.kinds import beside_trials, kind_and_why
from src.report.learning_curve import beside_headline, network_of, verdict, whose_curve
from src.report.material import Material
from src.report.training_results import report_results
from src.scores.scorefile import new_table
from src.search import First, Found
from tests.report.test_analysis import points
from tests.search.test_first_results import bent_data, run_of
from tests.training import FEW

SIZES = {"first_layer_size": 12, "second_layer_size": 5, "components": 3}
TRAINED = {"train_epochs": 4, "batch_size": 8, "log_lr": -2.5, "warmup_ratio": 0.1, "input_dropout": 0.2}
SEARCHED = {"study": "toy", "metaparameters": json.dumps({**SIZES, **TRAINED})}
RIDGE = {**SEARCHED, "model_type": "ridge", "ridge_alpha": "3"}
MEAN = {**SEARCHED, "model_type": "mlp", "trial": "4", "trials": "[4, 9, 2]"}
BLEND = {**MEAN, "model_type": "blend", "blend_share": "0.4"}
WHY = "no blend of networks and the Gaussian process was better"


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (RIDGE, f"ridge regression, as {WHY}"),
        ({**RIDGE, "model_type": "gp"}, f"a Gaussian process, as {WHY}"),
        ({"model_type": "gp"}, "a Gaussian process"),  # as it was asked for
        (
            {"model_type": "ridge", "study": "toy"},
            "ridge regression, as the search for networks did not come to its end",
        ),
        (BLEND, "a blend, 40% a Gaussian process and 60% the mean of 3 networks"),
        (MEAN, "the mean of 3 networks"),
        ({**SEARCHED, "model_type": "mlp", "trial": "4"}, "a network"),
        ({}, ""),
    ],
)
def test_a_model_is_called_by_its_kind_with_the_reason_where_networks_lost(metadata, said):
    assert kind_and_why(metadata) == said


def test_the_list_of_trials_says_what_the_model_has_to_do_with_them():
    assert beside_trials(RIDGE).startswith(
        f"The model is none of them, but ridge regression, as {WHY}. Their values flatter"
    )
    assert beside_trials(BLEND).endswith("60% the mean of 3 networks (trials 4, 9, 2).")
    assert beside_trials(MEAN) == "The model is the mean of 3 networks (trials 4, 9, 2)."
    assert beside_trials({**SEARCHED, "model_type": "mlp", "trial": "4"}) == beside_trials({}) == ""


def test_a_curve_of_networks_is_not_said_to_be_of_ridge_regression():
    known = points(0.5, 0.605, 0.9)
    assert whose_curve(RIDGE) == (
        f"The model is ridge regression, chosen as {WHY}; the curve is of networks with the metaparameters of the "
        "best trial. "
    )
    assert verdict(known, metadata=RIDGE).startswith("More images would help such networks: from 50 to 100")
    said = beside_headline(known, 0.853, 34, RIDGE)
    assert said == (
        " The model has 0.853 on these images and the curve ends at 0.605: its networks are another kind of model."
    )
    assert "the model's networks are the best 3 of 34 trials" in beside_headline(known, 0.853, 34, BLEND)
    assert "the model is the mean of the best 3 of 34 trials" in beside_headline(known, 0.853, 34, MEAN)
    assert whose_curve(MEAN) == whose_curve({}) == ""


def test_a_model_that_no_search_made_has_no_curve_and_that_is_why():
    assert verdict([], metadata={"model_type": "gp"}) == (
        "There is no learning curve: it is of networks that a search found, and the model is a Gaussian process."
    )
    assert "it needs a model of scores" in verdict([], metadata=RIDGE)


def test_the_curve_is_of_networks_as_large_as_the_best_trials_whatever_the_model_is():
    ridge = PredictorConfig("toy", (0,), "join", (6,), (), dropouts=(0.0,))
    network, components = network_of(ridge, RIDGE)
    assert (network.layers, network.dropouts, components) == ((12, 5), (0.2, 0.0, 0.0), 3)
    assert network_of(ridge, {**RIDGE, "loss_model": "nll"})[0].output_channels == 2


def test_twice_as_many_images_are_called_so():
    assert "and twice as many images may bring about 0.05 to 0.10 more." in verdict(points(0.5, 0.6, 0.9))


@pytest.mark.parametrize("metadata", [RIDGE, {}])
def test_the_page_names_the_kind_of_model(page_material, metadata):
    page = build_page(page_material(metadata), page_material.folder / "report.html")
    assert ("<dt>Kind of model</dt><dd>ridge regression, as no blend" in page) == bool(metadata)


@pytest.fixture
def page_material(tmp_path, monkeypatch):
    """Makes the material of a page without pictures."""
    from src.report.analysis import Subset
    from src.scoring.model_scores import ModelScores

    monkeypatch.setattr("src.report.full_report.drawings", lambda _: {})
    monkeypatch.setattr("src.report.analysis.RESAMPLES", FEW)
    table = new_table([f"{number}.png" for number in range(12)])
    object.__setattr__(table, "scores", np.arange(12.0))

    def make(metadata):
        model = ModelScores("m", np.arange(12.0)[::-1], np.full(12, np.nan), metadata=metadata)
        split = np.array(["eval"] * 12)
        return Material(tmp_path, table, [model], split, [Subset("All", np.arange(12))], "", 0)

    make.folder = tmp_path
    return make


@pytest.mark.parametrize(("about", "reason"), [(SEARCHED, True), ({}, False)])
def test_training_says_without_details_why_it_ends_with_ridge_regression(
    monkeypatch, tmp_path, capsys, about, reason
):
    monkeypatch.setattr("src.report.analysis.RESAMPLES", FEW)
    monkeypatch.setattr("src.report.training_results.growth", lambda *_: None)
    monkeypatch.setattr("src.report.training_results.more_images", lambda _: "")
    run, _ = run_of(bent_data(60))
    ridge: First = run.firsts[0]
    table = new_table([f"{number}.png" for number in range(60)])
    found = Found(ridge.predictor, {**about, "model_type": "ridge", "ridge_alpha": "3"}, ridge.held_out, ridge.errors)
    report_results(run, table, tmp_path / "model.safetensors", found)
    line = (
        "The model is ridge regression, as no blend of networks and the Gaussian process beat its eval_mse of "
        f"{ridge.value:.4f}.\n"
    )
    assert (line in capsys.readouterr().out) == reason
