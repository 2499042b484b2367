"""The pictures of a report: what each shows, its caption, and the same as PNG files."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ..common import Steps, UserError, replacing, spearman, working
from . import plots
from .analysis import calibration, places_on_map, reliability, slope
from .learning_curve import beside_headline, left_out, verdict, whose_curve
from .material import Material
from .study_export import StudySummary
from .text import SUBSETS, coverage_sentence

MOST_ON_THE_MAP = 3000


class Drawing(NamedTuple):
    """A picture that can be drawn in the colours of the page, or on white.

    rows: (n,) of a map, the images that its points are, in their order.
    """

    title: str
    figure: Callable[[plots.Colours], Figure]
    caption: str
    rows: np.ndarray | None = None


def drawings(material: Material) -> dict[str, Drawing]:
    """Each by its name; none of fewer than three images."""
    if len(material.rows) < 3:
        return {}
    found = {
        "scatter": _scatter(material),
        "error": _error(material),
        "calibration": _calibration(material),
        "distribution": _distribution(material),
    }
    if not np.isnan(material.model.errors[material.rows]).any():
        found["reliability"] = _reliability(material)
    if material.model.inputs is not None:
        found["map"] = _map(material)
    if material.curve:
        found["learning_curve"] = _learning_curve(material)
    if isinstance(material.study, StudySummary) and material.study.importances:
        found["importances"] = _importances(material.study)
    return found


def write_plots(material: Material, folder: Path) -> list[Path]:
    """Write each plot as PNG into the folder, made if there is none."""
    folder = folder.expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--plots={folder}: can't be made ({error.strerror}); name a folder")
    paths, steps = [], Steps()
    material.curve  # noqa: B018 (has a bar of its own)
    with working("Drawing the plots", steps):
        for name, drawing in steps.through([*drawings(material).items()]):
            paths.append(folder / f"{name}.png")
            with replacing(paths[-1]) as temporary:
                temporary.write_bytes(plots.to_png(drawing.figure(plots.ON_WHITE)))
    return paths


def _scatter(material: Material) -> Drawing:
    scores, model_scores, seed = material.scores, material.model_scores, material.seed
    return Drawing(
        "Score against model score",
        lambda colours: plots.score_scatter(colours, scores, model_scores, seed),
        "Each dot is an image that was looked at; on the dashed line the model is exactly right.",
    )


def _error(material: Material) -> Drawing:
    scores, model_scores, seed = material.scores, material.model_scores, material.seed
    return Drawing(
        "Error by score",
        lambda colours: plots.error_by_score(colours, scores, model_scores, seed),
        "Above zero the model rates too high. A line that falls is the usual caution: extremes are pulled to the "
        "middle.",
    )


def _calibration(material: Material) -> Drawing:
    bins = calibration(material.scores, material.model_scores)
    caption = _calibration_caption(material)
    return Drawing("Calibration", lambda colours: plots.calibration_plot(colours, bins), caption)


def _calibration_caption(material: Material) -> str:
    rise = slope(material.scores, material.model_scores)
    parts = ["Images in groups of equal size by model score, with 95 % intervals of their mean score."]
    if not np.isnan(rise):
        parts.append(f"Where model scores differ by 1, scores differ by {rise:.2f}.")
    errors = material.model.errors[material.rows]
    if not np.isnan(errors).any():
        parts.append(coverage_sentence(material.scores, material.model_scores, errors))
    return " ".join(parts)


def _distribution(material: Material) -> Drawing:
    names = {**SUBSETS, "": "No split"}
    known = {name: material.table.scores[material.split == split] for split, name in names.items()}
    by_split = {name: values for name, values in known.items() if len(values)}
    return Drawing(
        "Scores by split",
        lambda colours: plots.distributions(colours, by_split),
        "The splits should look alike: where they don't, the numbers above are about other images than it seems.",
    )


def _reliability(material: Material) -> Drawing:
    bins = reliability(material.scores, material.model_scores, material.model.errors[material.rows])
    return Drawing(
        "Expected and real errors",
        lambda colours: plots.reliability_plot(colours, bins),
        "Images in groups of equal size by the error that the model expects, with 95 % intervals of the error it "
        "makes; both are root mean squares. Below the dashed line it is too modest, above too sure.",
    )


def _map(material: Material) -> Drawing:
    assert material.model.inputs is not None
    generator = np.random.default_rng(material.seed)
    count = len(material.table.paths)
    rows = np.arange(count) if count <= MOST_ON_THE_MAP else generator.choice(count, MOST_ON_THE_MAP, replace=False)
    inputs, scores = material.model.inputs[rows], material.table.scores[rows]
    places, names, how = places_on_map(inputs, material.seed)
    caption = f"All {len(rows)} images by what the image model sees, coloured by score. {how}"
    return Drawing(
        "Map of the features", lambda colours: plots.feature_map(colours, places, scores, names), caption, rows
    )


def _learning_curve(material: Material) -> Drawing:
    curve = material.curve
    metadata = material.model.metadata
    rows = material.split == "eval"
    headline = spearman(material.table.scores[rows], material.model.scores[rows])
    trials = material.study.finished if isinstance(material.study, StudySummary) else 0
    said = verdict(curve, material.consistency, metadata) + left_out(metadata)
    caption = whose_curve(metadata) + said + beside_headline(curve, headline, trials, metadata)
    return Drawing("Learning curve", lambda colours: plots.learning_curve_plot(colours, curve), caption)


def _importances(study: StudySummary) -> Drawing:
    return Drawing(
        "What mattered in the search",
        lambda colours: plots.importance_bars(colours, study.importances),
        "How much of the differences between trials each metaparameter explains (fANOVA).",
    )
