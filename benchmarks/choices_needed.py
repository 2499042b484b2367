"""How many choices ratings need, with and without the features' help.

    python benchmarks/choices_needed.py ../shared/data/oasis [--seeds 5] [--only needed,refit] [--work FOLDER]

The folder holds the OASIS photographs (images/, Kurdi, Lozano & Banaji 2017) and ratings.csv with their mean beauty
(Brielmann & Pelli 2019). It is only read. A simulated person (simulated_person.py) chooses; pairing, hidden repeats,
fits and features are the product's own, the latter of the embedded extractor. All figures are means over seeds. The
tables:

needed     choices per image until Spearman with the truth is 0.80 and 0.90, for three methods
points     Spearman after 1, 2, 2.7 and 4 choices per image
shuffled   the same after 4, the features being other images'
four       four images at once, in screens per image
estimate   the estimated beside the real Spearman, and the estimated beside the real cost of the next 0.01
limit      how far off the estimate is of tastes drawn from the model itself, with s² and ρ known and worked out
predictor  a network, and ridge regression, trained on ratings, on a quarter of the images that was never shown
advised    the first estimates, and the choices that are said to be left to a good order beside those it took
held_out   what training prints and expects of its eval images, beside the truth about the same images
model      the model that the scorer makes of the choices, on a quarter of the images that was never shown
honest     what it foresees of the choices between held-out images, as printed, beside the truth
refit      seconds of a refit of 10,000 images and 20,000 comparisons, on one core
"""

import argparse
import os
import statistics
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from benchmarks.model_of_choices import honest, model
from benchmarks.oasis_courses import AGREEMENTS, Bench, load, value_at
from benchmarks.simulated_person import Course, Taste, make_taste
from benchmarks.trained_on_choices import held_out, predictor
from src.ratings.assisted import AssistedFit
from src.ratings.fit import fit_ratings
from src.ratings.hyperparameters import DEFAULT, REFRESHED_AT, Hyperparameters, prior_of
from src.ratings.log import make_log
from src.ratings.settings import PairingSettings
from src.ratings.similarity import make_similarity
from src.ratings.statistics import EARLY, GOOD_ORDER, likely_range

POINTS = (1.0, 2.0, 2.7, 4.0)
CLOSE = 1.5  # the factor within which an estimate of what is left is wanted
NAMES = {
    "elo": "sequential Elo, K 0.7, classic pairing",
    "classic": "Bradley-Terry over the same choices",
    "near": "Bradley-Terry, near pairing",
    "assisted": "assisted, near pairing",
}


def needed(bench: Bench) -> None:
    for agreement in AGREEMENTS:
        print(f"\nChoices per image needed, {agreement:.0%} agreement\n{'':<42}{'0.80':>8}{'0.90':>8}")
        for method in ("elo", "classic", "near", "assisted"):
            courses = bench.courses(method, agreement)
            curve = np.mean([course.spearman for course in courses], axis=0)
            print(f"{NAMES[method]:<42}" + "".join(first_at(courses[0].at, curve, target) for target in (0.8, 0.9)))


def first_at(at: list[float], curve: np.ndarray, target: float) -> str:
    over = np.flatnonzero(curve >= target)
    if not len(over):
        return f"{'>' + format(at[-1], '.1f'):>8}"
    i = over[0]
    exact = at[i] if i == 0 else float(np.interp(target, curve[i - 1 : i + 1], at[i - 1 : i + 1]))
    return f"{exact:>8.2f}"


def points(bench: Bench) -> None:
    for agreement in AGREEMENTS:
        print(f"\nSpearman, {agreement:.0%} agreement, after" + "".join(f"{point:>8.1f}" for point in POINTS))
        for method in ("classic", "near", "assisted"):
            print(f"{NAMES[method]:<42}" + "".join(f"{bench.at(method, agreement, point):>8.3f}" for point in POINTS))
        gains = [value_at(a, a.spearman, p) - value_at(b, b.spearman, p)
                 for a, b in zip(bench.courses("assisted", agreement), bench.courses("near", agreement), strict=True)
                 for p in POINTS]  # fmt: skip
        print(f"assisted − Bradley-Terry, near; the least of any seed and point: {min(gains):+.3f}")


def shuffled(bench: Bench) -> None:
    print("\nFeatures of other images, Spearman after" + "".join(f"{point:>8.1f}" for point in POINTS))
    print_rows(bench, {"near": "Bradley-Terry", "shuffled": "assisted, shuffled"}, POINTS, 35)


def four(bench: Bench) -> None:
    screens = (0.5, 0.7, 1.0, 2.0)
    print("\nFour at once, Spearman after screens per image" + "".join(f"{point:>8.1f}" for point in screens))
    print_rows(bench, {"four, Bradley-Terry": "Bradley-Terry", "four": "assisted"}, screens, 41)


def print_rows(bench: Bench, methods: dict[str, str], points: tuple[float, ...], width: int) -> None:
    """A line for each agreement and method, {its key: its name}: Spearman at these points."""
    for agreement in AGREEMENTS:
        for method, name in methods.items():
            values = "".join(f"{bench.at(method, agreement, point):>8.3f}" for point in points)
            print(f"{agreement:.0%}  {name:<{width}}{values}")


def estimate(bench: Bench) -> None:
    print(f"\nEstimated Spearman\n{'':<20}{'real':>8}{'estimate':>10}{'next 0.01':>11}{'really':>8}")
    for agreement in AGREEMENTS:
        courses = bench.courses("assisted", agreement)
        for point in POINTS:
            real, expected, cost = (
                np.mean([value_at(c, values(c), point) for c in courses])
                for values in (lambda c: c.spearman, lambda c: c.expected, lambda c: c.next)
            )
            took = len(bench.truth) * real_cost(courses, point)
            print(f"{agreement:.0%}, {point:<13}{real:>9.3f}{expected:>10.3f}{cost:>11.0f}{took:>8.0f}")
        for low, high in (*pairwise(POINTS), (POINTS[-1], np.inf), (POINTS[0], np.inf)):
            print(f"{agreement:.0%}, {span(low, high)}" + how_far_off(courses, low, high))


def span(low: float, high: float) -> str:
    return f"each refit from {f'{low:g} on' if np.isinf(high) else f'{low:g} to {high:g}':<11}"


def limit(bench: Bench) -> None:
    print("\nTastes drawn from the model itself: the estimated Spearman less the real one")
    for agreement in AGREEMENTS:
        true = Hyperparameters(float(make_taste(bench.truth, agreement).utilities.var()), DEFAULT.share)
        for known in (True, False):
            courses = [drawn_from_the_model(bench, true, known, seed) for seed in bench.seeds]
            for low, high in (*pairwise(POINTS[:3]), (POINTS[0], np.inf)):
                start = f"s² {true.variance:.1f}{', known' if known else ''}"
                print(f"{start:<14} {span(low, high)}" + how_far_off(courses, low, high))


def drawn_from_the_model(bench: Bench, true: Hyperparameters, known: bool, seed: int) -> Course:
    """known: s² and ρ are told to the fit, else it works them out as ever."""
    prior = prior_of(true, np.zeros(len(bench.truth)), bench.similarity.vectors)
    rng = np.random.default_rng(seed + 1000)  # other draws than those of the choices
    utilities = prior.vectors @ rng.normal(size=prior.vectors.shape[1])
    utilities += np.sqrt(prior.own) * rng.normal(size=len(utilities))
    fit = AssistedFit(bench.similarity)
    if known:
        fit = AssistedFit(bench.similarity, true, _level=len(REFRESHED_AT))  # so that they stay
    return bench.run(
        Taste(utilities, utilities),
        lambda log: fit_ratings(log, "assisted", assisted=fit),
        "near",
        POINTS[2],
        seed,
        f"limit, s² {true.variance:.1f}",
    )


def how_far_off(courses: list[Course], low: float, high: float) -> str:
    """The estimates less the real values, of all refits from `low` to below `high` choices per image."""
    at = np.array(courses[0].at) + 1e-9
    off = np.array([np.subtract(c.expected, c.spearman)[(at >= low) & (at < high)] for c in courses])
    worst, within = off.flat[abs(off).argmax()], np.mean(abs(off) <= 0.05)
    return f"mean {off.mean():+.3f}, rms {np.sqrt(np.mean(off**2)):.3f}, worst {worst:+.3f}, {within:.0%} within 0.05"


def real_cost(courses: list[Course], point: float) -> float:
    """Choices per image for 0.01 more, from the slope of the mean curve half a choice per image around `point`."""
    low, high = (np.mean([value_at(c, c.spearman, point + side) for c in courses]) for side in (-0.25, 0.25))
    return 0.01 * 0.5 / (high - low)


def advised(bench: Bench) -> None:
    heads = ("real", "estimate", "worst off", "left", "by itself", "in truth")
    print(f"\nThe first estimates, and choices to {GOOD_ORDER}\n{'':<10}" + "".join(f"{head:>10}" for head in heads))
    for agreement in AGREEMENTS:
        courses = bench.courses("assisted", agreement)
        for point in (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0):
            real, expected, left = (
                np.array([value_at(c, getattr(c, name), point) for c in courses])
                for name in ("spearman", "expected", "left")
            )
            worst = (expected - real)[abs(expected - real).argmax()]
            line = f"{agreement:.0%}, {point:<5}{real.mean():>10.3f}{expected.mean():>10.3f}{worst:>+10.3f}"
            said = (mean_left(bench, courses, point, name) for name in ("expected", "spearman"))
            print(line + f"{left.mean():>10.0f}" + "".join(said))
    for name, goal in (("expected", "the estimate is that"), ("spearman", "the order truly is that")):
        factors = [one for agreement in AGREEMENTS for one in said_by_took(bench, agreement, name)]
        low, middle, high = np.percentile(factors, (0, 50, 100))
        within = np.mean([1 / CLOSE <= one <= CLOSE for one in factors])
        print(f"left / choices until {goal}: {low:.2f}, median {middle:.2f}, {high:.2f}; {within:.0%} within {CLOSE}")
        held = [one for agreement in AGREEMENTS for one in held_by_range(bench, agreement, name)]
        print(f"the range held what was left in {np.mean(held):.0%}, the mean over courses; least {min(held):.0%}")


def mean_left(bench: Bench, courses: list[Course], point: float, name: str) -> str:
    """Choices from `point` until this first is a good order, the mean over those courses which reach it later."""
    ends = [goal_of(course, name) for course in courses]
    later = [(end - point) * len(bench.truth) for end in ends if end > point]
    return f"{np.mean(later):>10.0f}" if len(later) == len(ends) else f"{'':>10}"


def said_by_took(bench: Bench, agreement: float, name: str, last: float = 0.85) -> list[float]:
    """What was said to be left by what was, at each refit from EARLY to `last` of the course."""
    factors = []
    for course in bench.courses("assisted", agreement):
        end = goal_of(course, name)
        for at, left in zip(course.at, course.left, strict=True):
            if EARLY <= at <= last * end and left > 0:
                factors.append(left / ((end - at) * len(bench.truth)))
    return factors


def held_by_range(bench: Bench, agreement: float, name: str, first: float = 0.1) -> list[float]:
    """Of each course the share of the refits, from `first` to the goal, whose range held what was left."""
    shares, images = [], len(bench.truth)
    for course in bench.courses("assisted", agreement):
        end = goal_of(course, name)
        left = [(at, said) for at, said in zip(course.at, course.left, strict=True) if first <= at < end and said > 0]
        ranges = [likely_range(said, round(at * images)) for at, said in left]
        took = [(end - at) * images for at, _ in left]
        shares += [np.mean([a <= one <= b for (a, b), one in zip(ranges, took, strict=True)])] if took else []
    return shares


def goal_of(course: Course, name: str) -> float:
    """Choices per image when this first is a good order; nan where it never is."""
    values = np.array(getattr(course, name))
    over = np.flatnonzero(values >= GOOD_ORDER)
    return course.at[over[0]] if len(over) else float("nan")


def refit(_: Bench | None, images: int = 10_000, choices: int = 20_000, runs: int = 9) -> None:
    """Features are drawn: clusters of images, of which the taste knows some."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rng = np.random.default_rng(0)
    features = rng.normal(size=(images, 32)) @ (rng.normal(size=(32, 256)) * np.arange(1, 33)[:, None] ** -0.7)
    taste = make_taste(features[:, :8].sum(axis=1)[: images // 5], 0.85)  # the scale, from fewer pairs
    utilities = features[:, :8].sum(axis=1) * taste.utilities.std() / taste.truth.std()
    pairs = np.array([rng.choice(images, 2, replace=False) for _ in range(choices + 100)])
    winners = pairs[np.arange(len(pairs)), np.argmax(utilities[pairs] + rng.gumbel(size=pairs.shape), axis=1)]
    ids = np.arange(images) + 1
    earlier, later = (make_log(ids, pairs[:m] + 1, winners[:m] + 1) for m in (choices, choices + 100))
    begin = time.perf_counter()
    fit = AssistedFit(make_similarity(ids, features))
    similar = time.perf_counter() - begin
    begin = time.perf_counter()
    fit.fit(earlier)
    first = time.perf_counter() - begin
    seconds = []
    for _ in range(runs):
        again = replace(fit)
        begin = time.perf_counter()
        again.fit(later)
        seconds.append(time.perf_counter() - begin)
    print(
        f"\n{images} images, {choices} comparisons, one core: similarity {similar:.1f} s, first fit with the search "
    )
    print(f"for hyperparameters {first:.1f} s, refit 100 choices later {statistics.median(seconds):.3f} s (median;")
    print(f"{min(seconds):.3f}–{max(seconds):.3f}, {runs} runs; wanted < 0.5 s)")


TABLES = {
    f.__name__: f
    for f in (needed, points, shuffled, four, estimate, limit, advised, predictor, held_out, model, honest, refit)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first_seed", type=int, default=0, help="the others are those that follow")
    parser.add_argument("--only", default=",".join(TABLES), help="tables, with commas between")
    parser.add_argument("--work", type=Path, default=Path("choices_needed"), help="the cache of features goes here")
    parser.add_argument("--processes", type=int, default=1, help="courses at once")
    share = PairingSettings.hidden_repeats
    parser.add_argument("--hidden_repeats", type=float, default=share, help="share of the screens, as of the scorer")
    arguments = parser.parse_args()
    tables = arguments.only.split(",")
    if unknown := set(tables) - set(TABLES):
        parser.error(f"--only={','.join(sorted(unknown))}: unknown; it can be {', '.join(TABLES)}")
    begin = time.perf_counter()
    places = arguments.oasis, arguments.work / "cache"
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    more = seeds, places, arguments.processes, arguments.hidden_repeats
    bench = None if tables == ["refit"] else Bench(*load(*places), *more)
    for table in tables:
        TABLES[table](bench)
        sys.stdout.flush()
    print(f"\n{time.perf_counter() - begin:.0f} s, {arguments.seeds} seeds")


if __name__ == "__main__":
    main()
