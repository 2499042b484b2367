"""Learning from comparisons themselves: the loss, the metric, which comparison counts where, and the script."""

import json
from dataclasses import replace

import choix
import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from src.common.correlation import spearman
from src.common.errors import UserError
from src.common.metrics import Screens, choices
from src.features.images import content_hash
from src.model.config import PredictorConfig
from src.model.file import load_predictor
from src.model.losses import LOSS_FUNCTIONS
from src.ratings.choices import make_choices
from src.ratings.database import Comparisons
from src.ratings.log import SKIP, TIE, make_log
from src.scores.settings import BalanceSettings
from src.search.dataset import Dataset, train_data
from src.search.settings import TrainingSettings
from tests.search.test_search import content, run, toy_data
from tests.training import make_photos, train, use_toys

# Images 1 to 6; the third comparison is a skip, the fourth a tie, the last shows three.
LOG = make_log(
    [1, 2, 3, 4, 5, 6],
    [[1, 2], [3, 2], [1, 3], [3, 4], [5, 6], [4, 5, 6]],
    [1, 2, 0, 0, 6, 5],
    kinds=[0, 0, SKIP, TIE, 0, 0],
)
OUTPUTS = np.array([0.5, -1.0, 2.0, 0.3, 1.1, -0.4])


def loss(screens, outputs, weights=None):
    shown = torch.from_numpy(screens.shown.clip(0))
    weights = torch.ones(len(screens.shown)) if weights is None else torch.tensor(weights)
    wanted = torch.tensor(screens.wanted, dtype=torch.float64)
    return float(LOSS_FUNCTIONS["choices"](torch.tensor(outputs)[shown].unsqueeze(-1), wanted, weights).mean())


def test_the_loss_is_the_likelihood_that_choix_computes_and_a_tie_is_half_a_win_each():
    screens = make_choices(LOG, np.arange(1, 7)).screens
    won = [(0, [1]), (1, [2]), (5, [4]), (4, [3, 5])]
    expected = -choix.log_likelihood_top1(won, OUTPUTS)
    expected -= 0.5 * sum(choix.log_likelihood_pairwise([pair], OUTPUTS) for pair in ((2, 3), (3, 2)))
    assert len(screens.shown) == 5  # without the skip
    assert loss(screens, OUTPUTS) == pytest.approx(expected / 5)


def test_weights_of_the_loss_count_a_screen_several_times():
    screens = make_choices(LOG, np.arange(1, 7)).screens
    rows = np.array([0, 0, 0, 1, 2, 3, 4])
    repeated = Screens(screens.shown[rows], screens.wanted[rows])
    assert loss(screens, OUTPUTS, [3.0, 1, 1, 1, 1]) * 5 == pytest.approx(loss(repeated, OUTPUTS) * 7)


def test_the_metric_is_the_likelihood_at_its_best_scale():
    generator = np.random.default_rng(0)
    shown = np.array([generator.permutation(30)[:2] for _ in range(200)])
    scores = generator.normal(size=30) * 7 + 100
    won = generator.random(200) < 1 / (1 + np.exp(-np.diff(scores[shown], axis=1)[:, 0] / -7))
    wanted = np.stack([won, ~won], axis=1).astype(float)
    pairs = [(a, b) if w else (b, a) for (a, b), w in zip(shown, won, strict=True)]
    best = minimize_scalar(lambda t: -choix.log_likelihood_pairwise(pairs, t * scores) / 200, bounds=(0, 1))
    found = choices(np.zeros(30), scores, Screens(shown, wanted))
    assert found == pytest.approx(best.fun, rel=1e-6)
    assert found == pytest.approx(choices(np.zeros(30), scores / 50 - 3, Screens(shown, wanted)), rel=1e-9)


def test_the_metric_at_its_ends():
    screens = make_choices(LOG, np.arange(1, 7)).screens
    two = Screens(screens.shown[:2, :2], screens.wanted[:2, :2])  # 1 beats 2, 2 beats 3
    assert choices(np.zeros(6), np.array([3.0, 2, 1, 0, 0, 0]), two) < 1e-6
    assert choices(np.zeros(6), np.array([1.0, 2, 3, 0, 0, 0]), two) == pytest.approx(np.log(2))
    assert choices(np.zeros(6), np.ones(6), two) == pytest.approx(np.log(2))
    assert np.isnan(choices(np.zeros(6), np.ones(6), Screens(two.shown[:0], two.wanted[:0])))


def test_a_comparison_counts_where_all_of_its_images_are():
    found = make_choices(LOG, np.arange(1, 7))
    train_split, eval_split = found.within(np.array([0, 1, 2])), found.within(np.array([3, 4, 5]))
    assert train_split.shown[:, :2].tolist() == [[0, 1], [2, 1]]
    assert eval_split.shown.tolist() == [[1, 2, -1], [0, 1, 2]]
    assert eval_split.wanted.tolist() == [[0, 1, -1], [0, 1, 0]]
    assert len(found.within(np.arange(6)).shown) == 5  # the tie of 3 and 4 is of both halves
    assert len(found.within(np.array([], dtype=int)).shown) == 0


def test_images_without_a_row_take_their_comparisons_away_and_copies_are_one_image():
    ids = np.array([2, -1, 1, 2, 3])  # rows 0 and 3 are copies; one image was never compared
    found = make_choices(LOG, ids)
    assert len(found.screens.shown) == 2
    assert len(found.within(np.array([0, 2, 3])).shown) == 1
    assert len(found.within(np.array([0, 2])).shown) == 0  # a copy is outside
    assert found.within(np.array([0, 2, 3, 4])).shown[:, :2].tolist() == [[1, 2], [3, 2]]


def chosen(data, count, seed=0, inside=None):
    """The data with `count` simulated comparisons of pairs, at the odds of their scores."""
    generator = np.random.default_rng(seed)
    among = np.arange(len(data.scores)) if inside is None else inside
    pairs = np.array([generator.permutation(among)[:2] for _ in range(count)])
    odds = 1 / (1 + 10 ** -(data.scores[pairs[:, 0]] - data.scores[pairs[:, 1]]))
    winners = np.where(generator.random(count) < odds, pairs[:, 0], pairs[:, 1])
    ids = np.arange(len(data.scores)) + 1
    log = make_log(ids, (pairs + 1).tolist(), (winners + 1).tolist())
    return replace(data, choices=make_choices(log, ids))


STEADY = ("--max_dropout=0.2", "--max_input_dropout=0.2")
LONGER = ("--loss_model=choices", "--min_train_epochs=20", "--max_train_epochs=30", "--min_log_lr=-3")


def test_a_network_learns_the_order_from_choices_and_the_scale_from_scores(tmp_path):
    data = chosen(toy_data(), 800)
    study, best, _ = run(tmp_path, *LONGER, *STEADY, "--trials=2", data=data)
    model_scores, _ = load_predictor(best.path)[0].predict(data.inputs)
    rows, held_out = data.rows("train"), data.rows("eval")
    assert spearman(data.scores[held_out], model_scores[held_out]) > 0.7
    slope, offset = np.polyfit(model_scores[rows], data.scores[rows], 1)
    assert slope == pytest.approx(1, abs=1e-3)
    assert offset == pytest.approx(0, abs=1e-3)
    expected = choices(data.scores[held_out], model_scores[held_out], data.choices.within(held_out))
    assert study.best_value == pytest.approx(expected, rel=1e-5)


def test_scores_of_train_images_do_not_matter_but_for_the_scale(tmp_path):
    data = chosen(toy_data(), 200)
    other = replace(data, scores=3 * data.scores + 5)
    found = []
    for name, some in (("a", data), ("b", other)):
        (tmp_path / name).mkdir()
        _, best, _ = run(tmp_path / name, *LONGER, "--trials=1", data=some)
        found.append(load_predictor(best.path)[0].predict(data.inputs)[0])
    assert found[1] == pytest.approx(3 * found[0] + 5, rel=1e-3)


def test_the_same_seed_gives_the_same_model(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = (
        run(tmp_path / name, "--loss_model=choices", "--trials=2", data=chosen(toy_data(), 200))[1]
        for name in ("a", "b")
    )
    assert content(first.path) == content(second.path)


def test_screens_of_several_sizes_can_be_mixed_and_states_weighted(tmp_path):
    data = toy_data()
    generator = np.random.default_rng(0)
    sizes = generator.integers(2, 6, 150)
    screens = [generator.permutation(40)[:size] + 1 for size in sizes]  # all in train
    winners = [int(screen[np.argmax(data.scores[screen - 1])]) for screen in screens]
    log = make_log(np.arange(80) + 1, [screen.tolist() for screen in screens], winners)
    inputs = torch.stack([data.inputs + 4, data.inputs + 4], dim=1)  # (N, L, W), above 0 as they end in a ReLU
    config = PredictorConfig("toy", (0, 1), "weight", (6, 6), (1, 1), extractor_identity="toy-1")
    known = make_choices(log, np.arange(80) + 1)
    data = Dataset(config, inputs, data.scores, data.weights, data.split, choices=known)
    _, best, _ = run(tmp_path, *LONGER, *STEADY, "--trials=1", "--metric_for_scoring=spearman", data=data)
    model_scores, _ = load_predictor(best.path)[0].predict(data.inputs)
    assert spearman(data.scores[data.rows("train")], model_scores[data.rows("train")]) > 0.6


def test_balance_weighs_a_comparison_by_its_images(tmp_path):
    from src.scores.balance import Groups

    data = chosen(toy_data(), 300)
    codes = (np.arange(80) % 40 >= 30).astype(int)
    grouped = replace(data, groups=Groups(codes, ["a", "b"]))
    found = train_data(TrainingSettings("choices", balance=BalanceSettings("max")), grouped).comparisons
    times = np.where(np.arange(40) >= 30, 3, 1)  # 30 of one group and 10 of the other
    assert found.weights.numpy() == pytest.approx(times[found.shown.numpy()].mean(axis=1))
    assert set(found.weights.tolist()) == {1.0, 2.0, 3.0}


@pytest.mark.parametrize(("inside", "name"), [(np.arange(40), "eval"), (np.arange(40, 60), "train")])
def test_a_split_without_comparisons_is_refused(tmp_path, inside, name):
    with pytest.raises(UserError, match=f"no comparison is among {name} images alone; choose more"):
        run(tmp_path, "--loss_model=choices", data=chosen(toy_data(), 50, inside=inside))


def test_judged_by_scores_no_eval_comparison_is_needed(tmp_path):
    data = chosen(toy_data(), 50, inside=np.arange(40))
    study, _, _ = run(tmp_path, "--loss_model=choices", "--metric_for_scoring=spearman", "--trials=1", data=data)
    assert "eval_spearman" in study.trials[0].user_attrs


def test_any_loss_may_be_judged_by_choices(tmp_path):
    study, _, _ = run(tmp_path, "--metric_for_scoring=choices", "--trials=2", data=chosen(toy_data(), 300))
    assert study.best_value == min(trial.value for trial in study.trials)
    assert study.best_value < np.log(2)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """60 images, and 150 choices of two raters: anna likes red, bob compared one pair."""
    monkeypatch.chdir(tmp_path)
    use_toys(monkeypatch)
    make_photos(tmp_path)
    photos = tmp_path / "photos"
    images = {p.relative_to(photos).as_posix(): content_hash(p) for p in sorted(photos.rglob("*.png"))}
    generator, names = np.random.default_rng(0), sorted(images)
    with Comparisons(photos / "comparisons.sqlite", "anna") as database:
        ids = database.register(images).ids
        for _ in range(150):
            pair = generator.permutation(names)[:2]
            reds = [int(name.rpartition("/")[2][:4]) * 37 % 256 for name in pair]
            database.add_choice([ids[name] for name in pair], ids[pair[int(np.argmax(reds))]])
    with Comparisons(photos / "comparisons.sqlite", "bob") as database:
        database.add_choice([ids[name] for name in names[:2]], ids[names[0]])
    return tmp_path


def test_the_script_trains_on_the_comparisons_of_a_rater(here, monkeypatch, capsys):
    output = train(monkeypatch, capsys, "--loss_model=choices", "--rater=anna", "--fraction_for_eval=0.4")
    (line,) = [line for line in output.splitlines() if line.startswith("Comparisons by anna: 150; among images")]
    _, metadata = load_predictor(here / "photos" / "model.safetensors")
    counts = json.loads(metadata["comparison_counts"])
    assert f"{counts['train']} train, {counts['eval']} eval, 0 test." in line
    assert 20 < counts["train"] < 90 > counts["eval"] > 5
    assert '"eval_choices"' in metadata["metrics"]
    assert (here / "photos" / "comparisons.sqlite").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--comparisons=no.sqlite",), "there is no such file of comparisons; choose first"),
        (("--rater=eve",), "eve has compared none of these images; see --rater and --comparisons"),
        (("--rater=bob",), "no comparison is among"),
    ],
)
def test_missing_comparisons_are_one_sentence(here, monkeypatch, capsys, words, message):
    assert message in train(monkeypatch, capsys, "--loss_model=choices", *words, code=2)
    assert not (here / "photos" / "no.sqlite").exists()


def test_a_study_is_not_resumed_with_more_comparisons(here, monkeypatch, capsys):
    words = ("--loss_model=choices", "--rater=anna", "--database=sqlite:///db.sqlite", "--fraction_for_eval=0.4")
    train(monkeypatch, capsys, *words, "--trials=1")
    with Comparisons(here / "photos" / "comparisons.sqlite", "anna") as database:
        ids = [int(image) for image in database.log().images[:2]]
        database.add_choice(ids, ids[0])
    said = train(monkeypatch, capsys, *words, "--resume", code=2)
    assert "your images, their scores, the split or the choices have changed since" in said
