"""The report: everything known of a model, computed and put on one page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..common import UserError, ab, correlations, replacing, write_text
from ..scores import ScoreTable, caution, errors_counted
from ..scoring import ModelScores
from . import plots
from .analysis import (
    FEWEST_IMAGES,
    Intervals,
    Subset,
    bootstrap,
    calibration,
    extremes,
    places_on_map,
    reliability,
    slope,
)
from .learning_curve import Point, learning_curve, left_out, verdict
from .page import Plot, Thumbnail, Tile, gallery, page, paragraphs, section, table
from .page import plots as plot_grid
from .study_export import StudySummary, summarise
from .text import SUBSETS, baselines_table, coverage_sentence, score_cells
from .thumbnails import data_url

MOST_ON_THE_MAP = 3000


@dataclass(frozen=True)
class Material:
    """What a report is made of. models: the first is the one that is shown in pictures.

    chosen: the images looked at, by subset, all of them first. split: (N,). tables: headings and cells of tables that
    compare models. choices: sentences on the person's choices. consistency: share of hidden repeats chosen the same.
    """

    directory: Path
    table: ScoreTable
    models: Sequence[ModelScores]
    split: np.ndarray
    chosen: Sequence[Subset]
    database: str
    seed: int
    tables: Sequence[tuple[str, Sequence[Sequence[str]]]] = ()
    choices: Sequence[str] = ()
    consistency: float = float("nan")
    problems: list[str] = field(default_factory=list)

    @property
    def model(self) -> ModelScores:
        return self.models[0]

    @property
    def rows(self) -> np.ndarray:
        return self.chosen[0].rows

    @property
    def scores(self) -> np.ndarray:
        """(n,) of the images looked at."""
        return self.table.scores[self.rows]

    @property
    def model_scores(self) -> np.ndarray:
        return self.model.scores[self.rows]

    @cached_property
    def intervals(self) -> Intervals:
        return bootstrap(self.scores, self.model_scores, self.seed)

    @cached_property
    def curve(self) -> list[Point]:
        model = self.model
        if model.predictor is None or model.inputs is None:
            return []
        config, weights = model.predictor.config, self.table.weights
        inputs, scores = model.inputs, self.table.scores
        return learning_curve(config, model.metadata, inputs, scores, weights, self.split, self.seed)

    @cached_property
    def study(self) -> StudySummary | str:
        """The study that made the model, or why it can't be shown."""
        if "study" not in self.model.metadata:
            return "The model names no study that made it."
        try:
            return summarise(self.database, self.model.metadata["study"], self.seed)
        except UserError as error:
            return f"The study of this model can't be shown: {error}"


Drawing = Callable[[plots.Colours], Figure]


def draw(material: Material) -> dict[str, tuple[str, Drawing, str]]:
    """Name of each plot -> its title, a function that draws it, and its caption."""
    if len(material.rows) < 3:
        return {}
    scores, model_scores, seed = material.scores, material.model_scores, material.seed
    found: dict[str, tuple[str, Drawing, str]] = {
        "scatter": (
            "Score against model score",
            lambda colours: plots.score_scatter(colours, scores, model_scores, seed),
            "Each dot is an image that was looked at; on the dashed line the model is exactly right.",
        ),
        "error": (
            "Error by score",
            lambda colours: plots.error_by_score(colours, scores, model_scores, seed),
            "Above zero the model rates too high. A line that falls is the usual caution: extremes are pulled to the "
            "middle.",
        ),
        "calibration": (
            "Calibration",
            lambda colours: plots.calibration_plot(colours, calibration(scores, model_scores)),
            _calibration_caption(material),
        ),
        "distribution": (
            "Scores by split",
            lambda colours: plots.distributions(colours, _by_split(material)),
            "The splits should look alike: where they don't, the numbers above are about other images than it seems.",
        ),
    }
    errors = material.model.errors[material.rows]
    if not np.isnan(errors).any():
        found["reliability"] = (
            "Expected and real errors",
            lambda colours: plots.reliability_plot(colours, reliability(scores, model_scores, errors)),
            "Images in groups of equal size by the error that the model expects, with 95 % intervals of the error it "
            "makes; both are root mean squares. Below the dashed line it is too modest, above too sure.",
        )
    if material.model.inputs is not None:
        found["map"] = _map(material)
    if material.curve:
        curve = material.curve
        found["learning_curve"] = (
            "Learning curve",
            lambda colours: plots.learning_curve_plot(colours, curve),
            verdict(curve, material.consistency) + left_out(material.model.metadata),
        )
    if isinstance(material.study, StudySummary) and material.study.importances:
        importances = material.study.importances
        found["importances"] = (
            "What mattered in the search",
            lambda colours: plots.importance_bars(colours, importances),
            "How much of the differences between trials each metaparameter explains (fANOVA).",
        )
    return found


def write_report(material: Material, path: Path) -> None:
    """Write the page atomically."""
    path = path.expanduser()
    write_text(path, build_page(material))


def write_plots(material: Material, folder: Path) -> list[Path]:
    """Write each plot as PNG into the folder, made if there is none."""
    folder = folder.expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--plots={folder}: can't be made ({error.strerror}); name a folder")
    paths = []
    for name, (_, drawing, _) in draw(material).items():
        paths.append(folder / f"{name}.png")
        with replacing(paths[-1]) as temporary:
            temporary.write_bytes(plots.to_png(drawing(plots.ON_WHITE)))
    return paths


def build_page(material: Material) -> str:
    """The page as text."""
    facts = [
        ("Model", material.model.name),
        ("Image model", material.model.metadata.get("feature_extractor_model", "unknown")),
        ("Images", str(material.directory)),
        ("Scores", material.table.document.name),
        ("Made", datetime.now().isoformat(sep=" ", timespec="minutes")),
    ]
    sections = [_numbers(material), _pictures(material), _galleries(material), _study(material), _person(material)]
    return page("How well does the model know your taste?", _lead(material), facts, _tiles(material), sections)


def _lead(material: Material) -> str:
    order = ab(material.scores, material.model_scores)
    if len(material.rows) < 3 or np.isnan(order):
        return f"{len(material.rows)} images were looked at, too few or too equal to say how good it is."
    which = "it was not trained on"
    if (material.split[material.rows] == "train").any():
        which = "(those it was trained on included, which flatters)"
    text = f"Of 100 pairs of images {which}, the model puts {100 * order:.0f} in the order of your scores"
    if counted := errors_counted(material.table, material.model.scores, material.rows):
        text += f", or {100 * counted.expected.ab:.0f} with the scores' errors counted"
    return f"{text}. Chance would be 50."


def _tiles(material: Material) -> list[Tile]:
    count = Tile("Images looked at", str(len(material.rows)), f"of {len(material.split)} with a score")
    found = correlations(material.scores, material.model_scores) if len(material.rows) >= 3 else None
    if found is None or np.isnan(found.spearman):
        return [count]
    notes = ["too few for an interval"] * 3
    if len(material.rows) >= FEWEST_IMAGES:
        s, p, a = material.intervals.spearman, material.intervals.pearson, material.intervals.ab
        notes = [f"95 %: {100 * a[0]:.1f} to {100 * a[1]:.1f}", *(f"95 %: {x[0]:.3f} to {x[1]:.3f}" for x in (s, p))]
    order = 100 * ab(material.scores, material.model_scores)
    values = f"{order:.1f} %", f"{found.spearman:.3f}", f"{found.pearson:.3f}"
    names = "AB", "Spearman", "Pearson"
    return [*(Tile(*each) for each in zip(names, values, notes, strict=True)), count]


def _numbers(material: Material) -> str:
    names = {**{k: v for k, v in SUBSETS.items() if k != "all"}, "": "No split"}
    rows = [["images", "number", "mean score", "mean model score", "Spearman", "Pearson", "AB"]]
    for subset in material.chosen:
        rows.append(score_cells(_subset_name(material, subset), *_both(material, subset.rows)))
    for split, name in names.items():
        these = np.flatnonzero(material.split == split)
        if len(these):
            rows.append(score_cells(f"{name} split" if split else name, *_both(material, these)))
    note = "± is the standard deviation. AB is the share of pairs that both put in the same order. "
    note = f"{note}{caution(material.table)}".rstrip()
    tables = [*material.tables, *_baselines(material.model.metadata)]
    extra = "".join(f"<h3>{title}</h3>{table(cells)}" for title, cells in tables)
    return section("Numbers", table(rows), extra, note=note)


def _baselines(metadata: Mapping[str, str]) -> list[tuple[str, list[list[str]]]]:
    if "baselines" not in metadata:
        return []
    measured = {"model": json.loads(metadata.get("metrics", "{}")), **json.loads(metadata["baselines"])}
    return [("Beside what is simpler, when it was trained", baselines_table(measured))]


def _both(material: Material, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return material.table.scores[rows], material.model.scores[rows]


def _subset_name(material: Material, subset: Subset) -> str:
    return "All that was looked at" if subset is material.chosen[0] else subset.name


def _pictures(material: Material) -> str:
    drawn = [
        Plot(title, plots.to_svg(drawing(plots.VARIABLES), name), caption)
        for name, (title, drawing, caption) in draw(material).items()
    ]
    note = "" if len(material.models) == 1 else f"Of the first model, {material.model.name}."
    if not material.curve:
        note = f"{note} {verdict([])}".strip()
    return section("Pictures", plot_grid(drawn), note=note) if drawn else ""


def _galleries(material: Material) -> str:
    if len(material.rows) < 2:
        return ""
    found = extremes(material.scores, material.model_scores)
    parts = [
        ("Rated too high", "Where the model likes what you don’t.", found.over),
        ("Rated too low", "Where you like what the model doesn’t.", found.under),
        ("The model’s top", "Its highest model scores among the images looked at.", found.top),
        ("The model’s bottom", "Its lowest.", found.bottom),
    ]
    note = "Below each image: your score → the model’s score."
    return section("Images", *(gallery(t, n, _thumbnails(material, rows)) for t, n, rows in parts), note=note)


def _thumbnails(material: Material, places: np.ndarray) -> list[Thumbnail]:
    rows = material.rows[places]
    paths = [material.table.paths[row] for row in rows]
    scores, model_scores = _both(material, rows)
    urls = [data_url(material.directory / path) for path in paths]
    return [Thumbnail(*values) for values in zip(paths, urls, scores, model_scores, strict=True)]


def _study(material: Material) -> str:
    study = material.study
    if isinstance(study, str):
        return section("The search", note=study)
    parameters = sorted({name for trial in study.best for name in trial.params})
    rows = [["trial", "value", *(name.replace("_", " ") for name in parameters)]]
    for trial in study.best:
        values = [trial.params.get(name, "") for name in parameters]
        cells = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in values]
        rows.append([str(trial.number), f"{trial.value:.4f}", *cells])
    better = "largest" if study.maximise else "smallest"
    note = f"Study “{study.name}”: the best of {study.finished} finished trials, the {better} value first."
    return section("The search", table(rows), note=note)


def _person(material: Material) -> str:
    return section("Your own choices", paragraphs(material.choices)) if material.choices else ""


def _by_split(material: Material) -> dict[str, np.ndarray]:
    names = {**SUBSETS, "": "No split"}
    known = {name: material.table.scores[material.split == split] for split, name in names.items()}
    return {name: values for name, values in known.items() if len(values)}


def _calibration_caption(material: Material) -> str:
    rise = slope(material.scores, material.model_scores)
    parts = ["Images in groups of equal size by model score, with 95 % intervals of their mean score."]
    if not np.isnan(rise):
        parts.append(f"Where model scores differ by 1, scores differ by {rise:.2f}.")
    errors = material.model.errors[material.rows]
    if not np.isnan(errors).any():
        parts.append(coverage_sentence(material.scores, material.model_scores, errors))
    return " ".join(parts)


def _map(material: Material) -> tuple[str, Drawing, str]:
    assert material.model.inputs is not None
    generator = np.random.default_rng(material.seed)
    count = len(material.table.paths)
    rows = np.arange(count) if count <= MOST_ON_THE_MAP else generator.choice(count, MOST_ON_THE_MAP, replace=False)
    inputs, scores = material.model.inputs[rows], material.table.scores[rows]
    places, names, how = places_on_map(inputs, material.seed)
    caption = f"All {len(rows)} images by what the image model sees, coloured by score. {how}"
    return "Map of the features", lambda colours: plots.feature_map(colours, places, scores, names, 0), caption
