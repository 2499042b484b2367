"""How long the next screen takes while ratings are fitted behind it: `python benchmarks/screen_delay.py`.

10,000 images with 20,000 choices, features of 200 numbers. A choice every 0.1 s; each begins a fit in its background
unless one waits already. Milliseconds from the choice to all that the page is told of the next screen, in rounds that
alternate between Bradley-Terry and assisted ratings. Other programs running at the time make it slower.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from src.ab_page.answers import state
from src.ab_page.live import LiveRatings
from src.ab_page.screens import Answer
from src.ab_page.session import Session
from src.ratings.database import Comparisons
from src.ratings.settings import PairingSettings, RatingSettings
from src.ratings.similarity import make_similarity

IMAGES, CHOICES, WIDTH = 10_000, 20_000, 200
PAUSE = 0.1  # seconds between choices, several times what a person needs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--choices", type=int, default=40, help="in each round")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(IMAGES, 40))
    features = (hidden @ rng.normal(size=(40, WIDTH))).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder, Comparisons(Path(folder) / "c.sqlite", "me") as comparisons:
        comparisons.register({f"{number}.png": f"{number:032x}" for number in range(IMAGES)})
        for _ in range(CHOICES):
            a, b = (rng.choice(IMAGES, 2, replace=False) + 1).tolist()
            odds = 10 ** (hidden[b - 1, 0] - hidden[a - 1, 0])
            comparisons.add_choice([a, b], a if rng.random() < 1 / (1 + odds) else b)
        plain, assisted = (
            LiveRatings(comparisons, RatingSettings(method)) for method in ("bradley_terry", "assisted")
        )
        assisted.assist("random numbers", make_similarity(assisted.log.images, features))
        begun = time.perf_counter()
        assisted.latest()
        print(f"first assisted fit {time.perf_counter() - begun:.1f} s")
        measure({"Bradley-Terry": plain, "assisted": assisted}, comparisons, arguments.rounds, arguments.choices)


def measure(lives: dict[str, LiveRatings], comparisons: Comparisons, rounds: int, choices: int) -> None:
    """Print the quantiles of each."""
    sessions = {
        name: Session(comparisons, live, np.ones(IMAGES, dtype=bool), PairingSettings(number=10**6))
        for name, live in lives.items()
    }
    taken: dict[str, list[float]] = {name: [] for name in lives}
    ids = set(range(1, IMAGES + 1))
    for number in range(rounds):
        for name, session in sessions.items():
            for turn in range(choices):
                taken[name].append(choose(session, ids, f"{name} {number} {turn}"))
                time.sleep(PAUSE)
    for name, seconds in taken.items():
        low, middle, high = 1000 * np.quantile(seconds, [0.05, 0.5, 0.95])
        most = 1000 * max(seconds)
        print(f"{name:<14} 5 % {low:5.1f}  median {middle:5.1f}  95 % {high:5.1f}  longest {most:5.1f} ms")
        lives[name].close()


def choose(session: Session, ids: set[int], name: str) -> float:
    """Seconds from a choice to the next screen."""
    screen = session.queue[0]
    shown = session.ids(screen)
    begun = time.perf_counter()
    session.answer(Answer(screen.id, tuple(shown), "choice", shown[0], 1.0, name))
    state(session, "", ids)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
