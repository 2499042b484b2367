"""Numbers to text: how well model scores agree with the scores of the score file."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..common import ab, all_of, correlations
from ..ratings import ENOUGH_REPEATS, ChoiceAgreement, Share, ceiling
from ..scores import Counted
from .analysis import FEWEST_IMAGES, Combination, Gain, Intervals, bootstrap, coverage, gain_interval, reliability

BASELINES = {
    "model": "this model",
    "gp": "Gaussian process on the same features",
    "ridge": "ridge regression on the same features",
    "mean": "mean of the train scores",
}
# What a sentence calls each type of model.
TYPES = {"mlp": "network", "blend": "blend", "gp": "Gaussian process", "ridge": "ridge regression"}
SUBSETS = {"train": "Train", "eval": "Eval", "folds": "Folds", "test": "Test", "all": "All"}


def score_line(name: str, scores: np.ndarray, model_scores: np.ndarray) -> str:
    """One line of statistics, or why there are none. scores, model_scores: (N,) in score units.

    `+/-` is the standard deviation, p the probability of such a correlation by chance, AB the share of image pairs in
    the same order.
    """
    start = f"{name:<4}: {len(scores):>5} images"
    if len(scores) < 3:
        return f"{start}, too few for statistics (3 are needed)"
    start += f", db score {scores.mean():>6.3f} +/- {scores.std():.2f}"
    start += f", model score {model_scores.mean():>6.3f} +/- {model_scores.std():.2f}"
    found = correlations(scores, model_scores)
    if np.isnan(found.spearman):
        which = "db scores" if scores.min() == scores.max() else "model scores"
        return f"{start}, all {which} are the same: there is no correlation"
    return (
        f"{start}, spearman {found.spearman:.4f} (p={found.spearman_p:>8.1e}), pearson {found.pearson:.4f} "
        f"(p={found.pearson_p:>8.1e}), AB {100 * ab(scores, model_scores):>6.2f}%"
    )


def split_lines(scores: np.ndarray, model_scores: np.ndarray, split: np.ndarray) -> list[str]:
    """`score_line` for train, eval, test where there is one, and all; split: (N,), "folds" for out-of-fold scores."""
    masks = {name: split == name for name in SUBSETS} | {"all": np.full(len(split), not (split == "folds").all())}
    return [score_line(SUBSETS[name], scores[mask], model_scores[mask]) for name, mask in masks.items() if mask.any()]


def baselines_table(
    measured: Mapping[str, Mapping[str, float]], images: str = "eval images", counted: Counted | None = None
) -> list[list[str]]:
    """Rows of cells, a header first: what the model, the baselines and the mean reach on these images.

    measured: {name: {"eval_mse": …, "eval_spearman": …, "eval_ab": …}}, as in a model's metadata. counted: the
    model's with the scores' errors counted, where features assisted them.
    """
    rows = [[images, "AB", "Spearman", "mse"]]
    for name in [name for name in BASELINES if name in measured]:
        found = {key: measured[name].get(f"eval_{key}", np.nan) for key in ("mse", "spearman", "ab")}
        order = _or_dash(100 * found["ab"], ".2f", " %")
        rows.append([BASELINES[name], order, _or_dash(found["spearman"], ".4f"), _or_dash(found["mse"], ".4g")])
        if name == "model" and counted:
            *_, spearman, _, order = counted_cells(counted)
            rows.append([f"  {_with_errors(counted)}", order, spearman, "-"])
    return rows


def comparison(
    scores: np.ndarray,
    model: tuple[str, np.ndarray],
    other: tuple[str, np.ndarray],
    seed: int,
    images: str = "eval images",
) -> str:
    """One sentence on what the model buys over another, on the images given; each a type and scores (N,)."""
    (own_type, own), (other_type, others) = model, other
    name, than = TYPES[own_type], TYPES[other_type]
    gain = correlations(scores, own).spearman - correlations(scores, others).spearman
    low, high = gain_interval(scores, own, others, seed)
    if len(scores) < FEWEST_IMAGES:
        return f"There are too few {images} to compare {_article(name)} with {_article(than)}."
    if np.isnan(gain) or np.isnan(low):
        what = f"{_article(name, 'The')} can't be compared with {_article(than)}"
        return f"{what}: the scores of the {images}, or a model's, are all, or nearly all, the same."
    which = "better" if gain >= 0 else "worse"
    text = f"{_article(name, 'The')} is {which} than {_article(than)} by {abs(gain):.3f} Spearman"
    text += f" (95 %: {low:+.3f} to {high:+.3f})"
    if low <= 0 <= high:
        text += ", which may be chance"
    if gain >= 0:
        return f"{text}."
    more = "more --trials, or " if own_type in ("mlp", "blend") else ""
    return f"{text}: try {more}--model_type={other_type}."


def _article(name: str, article: str = "the") -> str:
    """The network, but ridge regression."""
    if name != TYPES["ridge"]:
        return f"{article} {name}"
    return name.capitalize() if article == "The" else name


def errors_counted_line(counted: Counted, images: str = "") -> str:
    """The line below a `score_line` of scores that features assisted. images: which, where that isn't clear."""
    start, found = f"      {images}, " if images else "      ", counted.expected
    line = f"{start}with the scores' errors counted: spearman {found.spearman:.4f}, AB {100 * found.ab:.2f}%"
    return line + _how_many(counted)


def _how_many(counted: Counted) -> str:
    return f" ({counted.images} of {counted.of} images have one)" if counted.images < counted.of else ""


def _with_errors(counted: Counted) -> str:
    return f"with the scores' errors counted{_how_many(counted)}"


def counted_cells(counted: Counted) -> list[str]:
    """The cells below those of `score_cells`."""
    found = counted.expected
    order = f"{100 * found.ab:.2f} %"
    return [_with_errors(counted), str(counted.images), "-", "-", f"{found.spearman:.4f}", "-", order]


def error_lines(scores: np.ndarray, model_scores: np.ndarray, errors: np.ndarray) -> list[str]:
    """Below a `score_line`: whether a model makes the errors that it expects; [] for models without. (N,) each."""
    if len(scores) < 3 or np.isnan(errors).any():
        return []
    found = reliability(scores, model_scores, errors)
    expected, actual = (", ".join(f"{getattr(b, name):.3g}" for b in found) for name in ("expected", "actual"))
    return [
        f"      {coverage_sentence(scores, model_scores, errors)}",
        f"      Expected errors in {len(found)} groups: {expected}",
        f"      what they really are:        {actual}",
    ]


def coverage_sentence(scores: np.ndarray, model_scores: np.ndarray, errors: np.ndarray) -> str:
    """How many scores lie within the errors; all shapes (N,). 68.3 and 95.4 % would be a normal distribution's."""
    one, two = coverage(scores, model_scores, errors)
    return f"Within one error of the model score: {one:.0%} (68 % is right); within two: {two:.0%} (95 %)."


def interval_line(intervals: Intervals) -> str:
    """The line below a `score_line`: 95 % bootstrap intervals."""
    (s_low, s_high), (p_low, p_high), (a_low, a_high) = intervals.spearman, intervals.pearson, intervals.ab
    if np.isnan(s_low):
        return "      95 % intervals: none, for the same reason"
    return (
        f"      95 % intervals: spearman {s_low:.4f} to {s_high:.4f}, pearson {p_low:.4f} to {p_high:.4f}, "
        f"AB {100 * a_low:.2f}% to {100 * a_high:.2f}%"
    )


def selected_and_untouched(
    scores: np.ndarray, model_scores: np.ndarray, selected: np.ndarray, test: np.ndarray, seed: int
) -> list[list[str]]:
    """Rows of cells: the images that the best trial was chosen on beside the test split, with 95 % intervals.

    scores, model_scores: (N,). selected, test: rows.
    """
    table = [
        ["", "eval (selected on, optimistic)", "test (looked at once)"],
        ["images", str(len(selected)), str(len(test))],
        *([name] for name in ("Spearman", "Pearson", "AB")),
    ]
    for rows in (selected, test):
        truth, found = scores[rows], model_scores[rows]
        if len(rows) < 3:
            for cells in table[2:]:
                cells.append("-")
            continue
        of = correlations(truth, found)
        numbers = {"spearman": of.spearman, "pearson": of.pearson, "ab": ab(truth, found)}
        intervals = bootstrap(truth, found, seed) if len(rows) >= FEWEST_IMAGES else None
        for cells, (name, value) in zip(table[2:], numbers.items(), strict=True):
            cells.append(_with_interval(value, getattr(intervals, name, None)))
    return table


def _with_interval(value: float, interval: tuple[float, float] | None) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.4f}" + (f" (95 %: {interval[0]:.4f} to {interval[1]:.4f})" if interval else "")


def models_table(
    subsets: Mapping[str, np.ndarray],
    scores: np.ndarray,
    models: Mapping[str, np.ndarray],
    gains: Sequence[Sequence[Gain]],
) -> list[list[str]]:
    """Rows of cells, a header first: a row for each model and subset (rows of images).

    gains: of each subset, those of all models but the first.
    """
    first = next(iter(models))
    table = [["model", "images", "number", "Spearman", "AB", "mean model score", f"Spearman more than {first}"]]
    for (subset, rows), each in zip(subsets.items(), gains, strict=True):
        for (name, values), gain in zip(models.items(), [None, *each], strict=True):
            truth, found, enough = scores[rows], values[rows], len(rows) >= 3
            order = _or_dash(correlations(truth, found).spearman, ".4f") if enough else "-"
            pairs = _or_dash(100 * ab(truth, found), ".2f", " %") if enough else "-"
            mean = f"{found.mean():.3f}" if len(rows) else "-"
            table.append([name, subset, str(len(rows)), order, pairs, mean, _gain_cell(gain)])
    return table


def _gain_cell(gain: Gain | None) -> str:
    if gain is None or np.isnan(gain.low):
        return "-"
    return f"{gain.value:+.4f} (95 %: {gain.low:+.4f} to {gain.high:+.4f})"


def models_verdict(names: Sequence[str], gains: Sequence[Gain]) -> str:
    """Which of the models orders the images better than the first, or worse, beyond chance."""
    kinds: dict[str, list[str]] = {"better": [], "worse": [], "neither": []}
    for name, gain in zip(names[1:], gains, strict=True):
        kinds["better" if gain.low > 0 else "worse" if gain.high < 0 else "neither"].append(name)
    says = {
        "better": "{} orders these images better than {first}.",
        "worse": "{} orders these images worse than {first}.",
        "neither": "That {} and {first} differ may be chance.",
    }
    return " ".join(says[k].format(all_of(v), first=names[0]) for k, v in kinds.items() if v)


def combinations_table(names: Sequence[str], found: Sequence[Combination]) -> list[list[str]]:
    """Rows of cells, a header first: who passes which model, how many, and their mean score."""
    rows = [[*names, "number", "mean db score"]]
    for one in found:
        if one.count or len(names) <= 3:
            words = ["passed" if passed else "failed" for passed in one.passed]
            rows.append([*words, str(one.count), _or_dash(one.mean_score, ".3f")])
    return rows


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table of cells as text: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip())
    return "\n".join(lines)


def choices_lines(agreement: ChoiceAgreement) -> list[str]:
    """What the person's own choices say of the model, and of the person."""
    model, ratings, repeats = agreement.model, agreement.scores, agreement.repeats
    if not model.total:
        lines = ["Choices: none between images that are all outside the train split and in this analysis."]
    else:
        lines = [
            f"Choices outside the train split: {model.total} pairs of {agreement.comparisons} comparisons; "
            f"AB of the model {_share(model)}, AB of the db scores {_share(ratings)}"
        ]
    if repeats.total:
        text = f"Hidden repeats: the same image won again in {repeats.hits} of {repeats.total}, {_share(repeats)}"
        if repeats.total >= ENOUGH_REPEATS:
            low, high = ceiling(repeats.share)
            text += "; a model that knew this person perfectly would foresee "
            text += f"{100 * low:.0f} to {100 * high:.0f} % of them"
        lines.append(f"{text}.")
    return lines


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{100 * share.share:.2f} % (95 %: {100 * low:.1f} to {100 * high:.1f})"


def _or_dash(value: float, form: str, unit: str = "") -> str:
    return "-" if np.isnan(value) else f"{value:{form}}{unit}"


def score_cells(name: str, scores: np.ndarray, model_scores: np.ndarray) -> list[str]:
    """What `score_line` says, as cells: name, number, means, Spearman, Pearson, AB; "-" where there is none."""
    if len(scores) == 0:
        return [name, "0", "-", "-", "-", "-", "-"]
    means = [f"{values.mean():.3f} ± {values.std():.2f}" for values in (scores, model_scores)]
    if len(scores) < 3:
        return [name, str(len(scores)), *means, "-", "-", "-"]
    found = correlations(scores, model_scores)
    numbers = [_or_dash(found.spearman, ".4f"), _or_dash(found.pearson, ".4f")]
    return [name, str(len(scores)), *means, *numbers, _or_dash(100 * ab(scores, model_scores), ".2f", " %")]
