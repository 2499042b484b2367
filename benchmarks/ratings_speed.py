"""How fast ratings are fitted, screens chosen and choices stored: `python benchmarks/ratings_speed.py`, on one core.

10,000 images with 40,000 choices, drawn by the Bradley-Terry model itself. Wall-clock medians, with the fastest and
the slowest run; the last lines compare with choix on 1,000 images. Other programs running at the time make it slower.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))

from src.ratings.database import Comparisons
from src.ratings.fit import fit_ratings
from src.ratings.fitted import Ratings
from src.ratings.log import Log, make_log
from src.ratings.pairing import HiddenRepeats, next_screen
from src.ratings.settings import PAIRINGS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--choices", type=int, default=40_000)
    parser.add_argument("--runs", type=int, default=9)
    args = parser.parse_args()
    use_one_core()
    with threadpool_limits(1):
        print(f"{args.images} images, {args.choices} choices; {platform.processor() or platform.machine()}, one core")
        log = simulate(args.images, args.choices)
        ratings = measure_fits(log, args.runs)
        measure_screens(log, ratings)
        measure_database(log, args.runs)
        compare_with_choix(args.runs)


def use_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):  # Linux only; elsewhere BLAS at least is held to one thread
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def simulate(images: int, choices: int, without: int = 0) -> Log:
    """A log of `choices` choices between random images; of the first ones only, if some are left out."""
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 0.75, images)
    pairs = np.array([rng.choice(images, 2, replace=False) for _ in range(choices)])
    won = rng.random(choices) < 1 / (1 + 10 ** -(truth[pairs[:, 0]] - truth[pairs[:, 1]]))
    winners = np.where(won, pairs[:, 0], pairs[:, 1])
    kept = choices - without
    return make_log(np.arange(images) + 1, pairs[:kept] + 1, winners[:kept] + 1)


def measure_fits(log: Log, runs: int) -> Ratings:
    earlier = fit_ratings(simulate(len(log.images), len(log), without=100))
    # replace() makes a log that has not worked out its pairs yet: that is part of every fit
    report("Bradley-Terry and errors, cold", 1.0, timed(lambda: fit_ratings(replace(log)), runs))
    report("the same, warm, 100 choices later", 0.3, timed(lambda: fit_ratings(replace(log), start=earlier), runs))
    report("Elo", None, timed(lambda: fit_ratings(log, "elo"), runs))
    return earlier


def measure_screens(log: Log, ratings: Ratings) -> None:
    rng, allowed = np.random.default_rng(0), np.ones(len(log.images), dtype=bool)
    for pairing in PAIRINGS:
        chosen = [timed(lambda p=pairing: next_screen(p, rng, ratings.rating, log.comparisons, allowed), 1)[0]
                  for _ in range(500)]  # fmt: skip
        report(f"next screen, {pairing}", 0.02, chosen, percentile=95)
    repeats = HiddenRepeats(log, share=1)
    report(
        "hidden repeat", 0.02, [timed(lambda: repeats.pick(rng, allowed), 1)[0] for _ in range(500)], percentile=95
    )


def measure_database(log: Log, runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Comparisons(Path(folder) / "comparisons.sqlite") as database:
        names = {f"{i}.jpg": f"{i:064x}" for i in log.images}
        report("register all images, first time", None, timed(lambda: database.register(names), 1))
        report("register all images, again", None, timed(lambda: database.register(names), runs))
        stored = [timed(lambda: database.add_choice([1, 2], 1, 1.5), 1)[0] for _ in range(200)]
        report("store one choice, safe on disk", None, stored, percentile=95)
        fill(database, log)
        report("load the log", 0.3, timed(database.log, runs))


def fill(database: Comparisons, log: Log) -> None:
    # One transaction for all, or the disk would take minutes to confirm each of them.
    rows = [(f"[{a}, {b}]", int(w) + 1) for (a, b), w in zip(log.shown.reshape(-1, 2) + 1, log.winners, strict=True)]
    columns = "session_id, kind, shown, winner, seconds, made_at"
    statement = f"INSERT INTO comparisons ({columns}) VALUES (1, 'choice', ?, ?, 1, '')"
    with database._writing():
        database._connection.executemany(statement, rows)


def compare_with_choix(runs: int) -> None:
    import choix

    log = simulate(1000, 4000)
    data = np.stack([log.pairs.winners, log.pairs.losers], axis=1).tolist()
    alpha = 1 / (2 * (np.log(10) * 0.75) ** 2)  # the same prior
    ours = timed(lambda: fit_ratings(log, prior_sd=0.75), runs)
    theirs = timed(lambda: choix.opt_pairwise(1000, data, alpha=alpha, tol=1e-8), 3)
    off = np.abs(choix.opt_pairwise(1000, data, alpha=alpha, tol=1e-8) / np.log(10) - fit_ratings(log).rating).max()
    report("1,000 images, 4,000 choices", None, ours)
    report("the same by choix.opt_pairwise, no errors", None, theirs)
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"choix takes {ratio:.0f} times as long; the largest difference of two ratings is {off:.0e} Elo units")


def timed(function: Callable[[], object], runs: int) -> list[float]:
    taken = []
    for _ in range(runs):
        begin = time.perf_counter()
        function()
        taken.append(time.perf_counter() - begin)
    return taken


def report(what: str, wanted: float | None, seconds: list[float], percentile: int = 50) -> None:
    value = np.percentile(seconds, percentile)
    name = "median" if percentile == 50 else f"{percentile}th percentile"
    spread = f"{1000 * min(seconds):.1f}–{1000 * max(seconds):.1f} ms, {len(seconds)} runs"
    limit = f"; wanted < {1000 * wanted:.0f} ms" if wanted else ""
    print(f"{what:44} {1000 * value:8.1f} ms {name} ({spread}{limit})")


if __name__ == "__main__":
    main()
