"""A comparisons file with a bit of everything in it."""

import random

from src.ratings.database import Comparisons

CHOICES = 133


def as_a_scorer_leaves_it(path):
    """The bytes of a file with CHOICES comparisons, every tenth taken back, an exclusion and a starting rating."""
    generator = random.Random(0)
    with Comparisons(path, "me") as database:
        database.register({f"{i}.jpg": f"{i:064}" for i in range(60)})
        for number in range(CHOICES):
            shown = generator.sample(range(1, 61), 2)
            database.add_choice(shown, shown[0], 1.0, client_id=f"{generator.getrandbits(128):032x}")
            if number % 10 == 9:
                database.undo(number + 1)
        database.exclude(7, "by the rater")
        database.add_starting_ratings({5: 0.5})
    return path.read_bytes()
