"""The tables of choices_needed.py about predictors that were trained on ratings."""

import numpy as np
from scipy.special import expit

from benchmarks.oasis_courses import AGREEMENTS, Bench, assist
from benchmarks.simulated_person import Course, Taste, make_taste
from src.common import expected_order, spearman
from src.ratings.fit import fit_ratings
from src.ratings.fitted import Ratings

# Fixed beforehand, in the middle of the training script's default ranges; nothing is selected on unseen images.
NETWORK = {"train_epochs": 30, "batch_size": 50, "log_lr": -3.5, "log_weight_lr": -3.0, "warmup_ratio": 0.1}
LAYERS, DROPOUTS = (300, 100), (0.4, 0.4, 0.0)
WIDTHS = (9, 9, 9, 14, 14)  # of the columns of `held_out`


TYPES = ("network", "ridge", "gp", "gp, errors", "blend")


def predictor(bench: Bench) -> None:
    """gp: a Gaussian process; errors: with those of the ratings as noise; blend: half of it, half the network."""
    print(f"\nOn images never shown, Spearman of\n{'':<36}" + "".join(f"{name:>11}" for name in TYPES))
    for agreement in AGREEMENTS:
        found: dict[str, list[list[float]]] = {}
        for seed in bench.seeds:
            for name, shown, scores, errors in targets(bench, agreement, seed):
                found.setdefault(name, []).append(trained(bench, shown, scores, errors, seed))
        for name, values in found.items():
            cells = "".join(f"{value:>11.3f}" for value in np.mean(values, axis=0))
            print(f"{agreement:.0%}  {name:<31}{cells}", flush=True)


def targets(bench: Bench, agreement: float, seed: int) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """(what the scores are, rows of the images shown, their scores, the errors of these)."""
    n = len(bench.truth)
    shown = np.sort(np.random.default_rng(seed).permutation(n)[n // 4 :])
    truth, similarity = bench.truth[shown], bench.similar(shown)
    fits = {"Bradley-Terry": fit_ratings, "assisted": assist(similarity)}
    rows = []
    for name, fit in fits.items():
        course = bench.run(
            make_taste(truth, agreement), fit, "near", 2.0, seed, f"predictor, {name}", keep=(1.0, 2.0)
        )
        kept = course.ratings.items()
        rows += [(f"{name}, {point:.0f} per image", shown, found.rating, found.error) for point, found in kept]
    none = np.full(len(shown), np.nan)
    return [*sorted(rows, key=lambda row: row[0].split()[1:]), ("true scores", shown, truth, none)]


def trained(bench: Bench, shown: np.ndarray, scores: np.ndarray, errors: np.ndarray, seed: int) -> list[float]:
    """Spearman with the truth on all other images, of each type."""
    unseen = np.setdiff1d(np.arange(len(bench.truth)), shown)
    network, ridge = predictions(bench, shown, scores, seed)
    plain, with_errors = (process(bench, shown, scores, known) for known in (None, errors))
    found = (network, ridge, plain, with_errors, (network + plain) / 2)
    return [spearman(bench.truth[unseen], each[unseen]) for each in found]


def process(bench: Bench, shown: np.ndarray, scores: np.ndarray, errors: np.ndarray | None) -> np.ndarray:
    """(N,) model scores of a Gaussian process that learnt these scores of the rows `shown`."""
    import torch

    from src.model import PredictorConfig, fit_gaussian_process

    x = torch.from_numpy(bench.features.astype(np.float32))
    config = PredictorConfig("benchmark", tuple(range(len(bench.widths))), "join", tuple(bench.widths), (), (0.0,))
    return fit_gaussian_process(config, x[shown], scores, errors=errors).predict(x)[0]


def predictions(bench: Bench, shown: np.ndarray, scores: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(N,) model scores of a network, and of ridge regression, that learnt these scores of the rows `shown`."""
    import torch

    from src.model.config import PredictorConfig
    from src.model.training import TrainingConfig, TrainingData, train
    from src.search.baseline import ridge_scores

    x = bench.features.astype(np.float32)
    states = tuple(range(len(bench.widths)))
    config = PredictorConfig("benchmark", states, "join", tuple(bench.widths), LAYERS, DROPOUTS)
    data = TrainingData(torch.from_numpy(x[shown]), torch.from_numpy(scores).float(), torch.ones(len(shown)))
    network = train(config, TrainingConfig(**NETWORK, seed=seed), data).predict(torch.from_numpy(x))[0]
    everything, split = np.zeros(len(x)), np.full(len(x), "eval", dtype=object)
    everything[shown], split[shown] = scores, "train"
    return network, ridge_scores(x, everything, split, seed)


def held_out(bench: Bench) -> None:
    """The eval images take part in choosing, and their ratings too come from all choices, as in the product."""
    print(f"\nNetwork on its eval images{'':<11}{'Spearman with':^27}  {'AB with choices between them':^26}")
    heads = ("ratings", "expected", "truth", "those made", "made anew")
    print(f"{'':<36}" + "".join(f"{head:>{width}}" for head, width in zip(heads, WIDTHS, strict=True)))
    for agreement in AGREEMENTS:
        taste = make_taste(bench.truth, agreement)
        for name, fit in (("Bradley-Terry", lambda: fit_ratings), ("assisted", lambda: assist(bench.similarity))):
            found: dict[float, list[tuple[float, ...]]] = {}
            for seed in bench.seeds:
                course = bench.run(taste, fit(), "near", 2.0, seed, f"held out, {name}", keep=(1.0, 2.0))
                for point, kept in course.ratings.items():
                    found.setdefault(point, []).append(judged(bench, course, point, kept, taste, seed))
            for point, values in found.items():
                numbers = zip(np.mean(values, axis=0), WIDTHS, strict=True)
                cells = "".join(f"{number:>{width}.3f}" for number, width in numbers)
                print(f"{f'{agreement:.0%}  {name}, {point:.0f} per image':<36}{cells}")
                between = sum(expected <= truth <= printed for printed, expected, truth, *_ in values)
                off = " ".join(f"{truth - expected:+.3f}" for _, expected, truth, *_ in values)
                print(f"      the truth is between in {between} of {len(values)}; above what is expected by {off}")


def judged(bench: Bench, course: Course, point: float, kept: Ratings, taste: Taste, seed: int) -> tuple[float, ...]:
    """Spearman with the ratings, as expected, with the truth; AB with the choices between eval images, and with the
    same ones made anew."""
    n, rating = len(bench.truth), kept.rating
    evaluated = np.sort(np.random.default_rng(seed).permutation(n)[: n // 5])
    train = np.setdiff1d(np.arange(n), evaluated)
    network, _ = predictions(bench, train, rating[train], seed)
    pairs = course.log.before(round(point * n)).pairs
    inside = np.isin(pairs.winners, evaluated) & np.isin(pairs.losers, evaluated)
    gaps = network[pairs.winners[inside]] - network[pairs.losers[inside]]
    truly = taste.utilities[pairs.winners[inside]] - taste.utilities[pairs.losers[inside]]
    anew = expit(np.sign(gaps) * truly)  # the probability that a new choice is the network's
    return (
        spearman(rating[evaluated], network[evaluated]),
        expected_order(rating[evaluated], kept.error[evaluated], network[evaluated]).spearman,
        spearman(bench.truth[evaluated], network[evaluated]),
        float(np.mean(gaps > 0)),
        float(np.mean(anew)),
    )
