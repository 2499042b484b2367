"""The tables of choices_needed.py about the model that the A/B scorer makes of the choices."""

import numpy as np
from scipy.special import expit

from benchmarks.oasis_courses import AGREEMENTS, Bench, assist, states_of
from benchmarks.simulated_person import Course, Taste, make_taste
from src.choosing.from_choices import predictor_of
from src.common import spearman
from src.ratings.fitted import choices_alone
from src.ratings.held_out import foreseen, is_drawn
from src.ratings.similarity import make_similarity

LITE0, BOTH = "efficientnet-lite0", "efficientnet-lite0,efficientnet-lite2"
CHOICES = (101, 169, 338, 675, 1350)
KINDS = ("", ", the ratings with errors", ", the ratings without")  # the first is what the scorer does
SHARE = 0.2  # of images and screens held out
States = dict[int, np.ndarray]


def model(bench: Bench) -> None:
    print("\nA model of the choices, Spearman on images never shown" + "".join(f"{n:>8}" for n in CHOICES))
    for name, called in ((BOTH, "lite0 and lite2"), (LITE0, "lite0")):
        extractor, states = states_of(name, *bench.places)
        for agreement in AGREEMENTS:
            found: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
            for seed in bench.seeds:
                for kind, values in learnt(bench, extractor, states, agreement, seed).items():
                    found[kind].append(values)
            for kind, rows in found.items():
                values = "".join(f"{value:>8.3f}" for value in np.mean(rows, axis=0))
                print(f"{agreement:.0%}  {called + kind:<49}{values}", flush=True)


def learnt(bench: Bench, extractor: object, states: States, agreement: float, seed: int) -> dict[str, list[float]]:
    """{what it learns from: Spearman on the quarter never shown, after each of CHOICES}."""
    n = len(bench.truth)
    shown = np.sort(np.random.default_rng(seed).permutation(n)[n // 4 :])
    unseen, blocks = np.setdiff1d(np.arange(n), shown), [block[shown] for block in states.values()]
    widths = [block.shape[1] for block in blocks]
    similarity = make_similarity(np.arange(len(shown)) + 1, np.concatenate(blocks, axis=1), widths=widths)
    keep = tuple(count / len(shown) for count in CHOICES)
    taste, name = make_taste(bench.truth[shown], agreement), f"model, {agreement:.0%}"
    course = bench.run(taste, assist(similarity), "near", 2.0, seed, name, keep=keep)
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for point in keep:
        kept = course.ratings[point]
        rows = np.flatnonzero(kept.comparisons > 0)
        of = {k: block[shown[rows]] for k, block in states.items()}
        alone = choices_alone(kept.rating[rows], kept.error[rows], kept.choice_share[rows])
        of_kind = (alone, (kept.rating[rows], kept.error[rows]), (kept.rating[rows], None))
        for kind, (scores, errors) in zip(KINDS, of_kind, strict=True):
            predictor = predictor_of(extractor, of, scores, errors, seed)
            said, _ = predictor.predict({k: block[unseen] for k, block in states.items()})
            found[kind].append(spearman(bench.truth[unseen], said))
    return found


def honest(bench: Bench) -> None:
    """All images take part; a share of them is held out, as with --held_out_screens."""
    heads = f"{'as printed':>12}{'really':>9}{'of':>6}{'off, by seed':>30}"
    print(f"\nHeld-out choices foreseen, {SHARE:.0%} held out\n{'':<32}{heads}")
    extractor, states = states_of(BOTH, *bench.places)
    for agreement in AGREEMENTS:
        taste = make_taste(bench.truth, agreement)
        found: dict[float, list[tuple[float, float, int]]] = {1.0: [], 2.0: []}
        for seed in bench.seeds:
            held = np.array([is_drawn(str(row), SHARE, seed) for row in range(len(bench.truth))])
            more = {"held_out": held, "held_out_share": SHARE}
            name = f"honest, {agreement:.0%}"
            course = bench.run(taste, assist(bench.similarity), "near", 2.0, seed, name, keep=(1.0, 2.0), **more)
            for point, values in found.items():
                values.append(checked(course, point, taste, held, extractor, states, seed))
        for point, values in found.items():
            printed, really, count = np.mean(values, axis=0)
            off = " ".join(f"{a - b:+.3f}" for a, b, _ in values)
            print(
                f"{agreement:.0%}, {point:.0f} per image{'':<17}{printed:>12.3f}{really:>9.3f}{count:>6.0f}{off:>30}",
                flush=True,
            )


def checked(
    course: Course, point: float, taste: Taste, held: np.ndarray, extractor: object, states: States, seed: int
) -> tuple[float, float, int]:
    """As printed; the probability that a new choice between any two held-out images is foreseen; choices counted."""
    kept = course.ratings[point]
    rows = np.flatnonzero(kept.comparisons > 0)
    alone = choices_alone(kept.rating[rows], kept.error[rows], kept.choice_share[rows])
    predictor = predictor_of(extractor, {k: block[rows] for k, block in states.items()}, *alone, seed)
    scores, _ = predictor.predict(states)
    share = foreseen(course.log.before(round(point * len(held))), scores)
    gaps, truly = ((v[held][:, None] - v[held])[np.triu_indices(held.sum(), 1)] for v in (scores, taste.utilities))
    return share.share, float(expit(np.sign(gaps) * truly).mean()), share.total
