"""The page of a report: everything known of a model, in sections."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from ..common import Steps, ab, address, correlations, number_of, working, write_text
from ..features import data_url, extractor_in_words
from ..model import said_by
from ..scores import Counted, caution, errors_counted
from . import plots
from .analysis import FEWEST_IMAGES, Subset, extremes
from .drawings import Drawing, drawings
from .kinds import beside_trials, kind_and_why
from .learning_curve import no_curve
from .material import Material
from .page import Plot, Thumbnail, Tile, gallery, map_points, page, paragraphs, section, table
from .page import plots as plot_grid
from .text import SUBSETS, baselines_table, counted_cells, score_cells


def write_report(material: Material, path: Path) -> None:
    """Write the page atomically."""
    path = path.expanduser()
    material.with_bars()
    steps = Steps()
    with working("Drawing the report", steps):
        write_text(path, build_page(material, path, steps))


def build_page(material: Material, path: Path, steps: Steps | None = None) -> str:
    """The page at this path as text. steps: counts its pictures, once it is known how many there are."""
    facts = [
        ("Model", material.model.name),
        *([("Kind of model", kind)] if (kind := kind_and_why(material.model.metadata)) else []),
        ("Image model", extractor_in_words(material.model.metadata.get("feature_extractor_model", "unknown"))),
        ("Images", str(material.directory)),
        ("Scores", material.table.document.name),
        ("Made", datetime.now().isoformat(sep=" ", timespec="minutes")),
    ]
    drawn, galleries, steps = drawings(material), _galleries(material), steps or Steps()
    steps.begin(len(drawn) + sum(len(rows) for _, _, rows in galleries))
    pictures = [_pictures(material, path, drawn, steps), _images(material, path, galleries, steps)]
    sections = [_numbers(material), *pictures, _study(material), _person(material)]
    return page("How well does the model know your taste?", _lead(material), facts, _tiles(material), sections)


def _lead(material: Material) -> str:
    order = ab(material.scores, material.model_scores)
    if len(material.rows) < 3 or np.isnan(order):
        return (
            f"{number_of(len(material.rows), 'image', 'was')} looked at, too few or too equal to say how good it is."
        )
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
    tiles = [Tile(*each) for each in zip(names, values, notes, strict=True)]
    return [*tiles, *_cautious_tiles(errors_counted(material.table, material.model.scores, material.rows)), count]


def _cautious_tiles(counted: Counted | None) -> list[Tile]:
    """Beside AB and Spearman the same with the scores' errors counted, where features assisted the scores."""
    if counted is None:
        return []
    values = {"AB": f"{100 * counted.expected.ab:.1f} %", "Spearman": f"{counted.expected.spearman:.3f}"}
    note = "closer to the truth: features assisted the scores"
    if counted.images < counted.of:
        note = f"of the {counted.images} of {counted.of} images whose score has an error"
    return [Tile(f"{name}, errors counted", value, note) for name, value in values.items()]


def _numbers(material: Material) -> str:
    names = {**{k: v for k, v in SUBSETS.items() if k != "all"}, "": "No split"}
    rows = [["images", "number", "mean score", "mean model score", "Spearman", "Pearson", "AB"]]
    for subset in material.chosen:
        rows.append(score_cells(_subset_name(material, subset), *_both(material, subset.rows)))
        if counted := errors_counted(material.table, material.model.scores, subset.rows):
            rows.append(counted_cells(counted))
    for split, name in names.items():
        these = np.flatnonzero(material.split == split)
        if len(these) and not (split and split == _whole_split(material)):
            rows.append(score_cells(f"{name} split" if split else name, *_both(material, these)))
    note = "± is the standard deviation. AB is the share of pairs that both put in the same order. "
    note = f"{note}{caution(material.table)}".rstrip()
    tables = [*material.tables, *_baselines(material.model.metadata)]
    extra = "".join(f"<h3>{title}</h3>{table(cells)}{paragraphs(lines)}" for title, cells, *lines in tables)
    return section("Numbers", table(rows), extra, note=note)


def _baselines(metadata: Mapping[str, str]) -> list[tuple[str, list[list[str]]]]:
    if "baselines" not in metadata:
        return []
    known = {
        name: said_by("the model", metadata, name, dict) for name in ("metrics", "baselines") if name in metadata
    }
    measured = {"model": known.get("metrics", {}), **known["baselines"]}
    return [("Beside what is simpler, when it was trained", baselines_table(measured))]


def _both(material: Material, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return material.table.scores[rows], material.model.scores[rows]


def _whole_split(material: Material) -> str:
    """The split that all that was looked at is; empty where it is none."""
    splits = np.unique(material.split[material.chosen[0].rows])
    whole = len(splits) == 1 and (material.split == splits[0]).sum() == len(material.chosen[0].rows)
    return str(splits[0]) if whole else ""


def _subset_name(material: Material, subset: Subset) -> str:
    if subset is not material.chosen[0]:
        return subset.name
    split = _whole_split(material)
    return f"All that was looked at: {SUBSETS[split]} split" if split else "All that was looked at"


def _pictures(material: Material, page: Path, drawn: Mapping[str, Drawing], steps: Steps) -> str:
    grid = []
    for name, drawing in drawn.items():
        grid.append(_plot(material, page, name, drawing))
        steps.advance()
    note = "" if len(material.models) == 1 else f"Of the first model, {material.model.name}."
    if not material.curve:
        note = f"{note} {no_curve(material.model.metadata)}".strip()
    return section("Pictures", plot_grid(grid), note=note) if grid else ""


def _plot(material: Material, page: Path, name: str, drawing: Drawing) -> Plot:
    figure = drawing.figure(plots.VARIABLES)
    svg = plots.to_svg(figure, name)
    if drawing.rows is None:
        return Plot(drawing.title, svg, drawing.caption)
    paths = [material.table.paths[row] for row in drawing.rows]
    addresses = [address(material.directory / path, page) for path in paths]
    points = map_points(plots.places_in(figure), paths, addresses, material.table.scores[drawing.rows])
    return Plot(drawing.title, svg, f"{drawing.caption} Point at an image to see it.", points)


def _galleries(material: Material) -> list[tuple[str, str, np.ndarray]]:
    """Title, note and the places of the images among those looked at."""
    if len(material.rows) < 2:
        return []
    found = extremes(material.scores, material.model_scores)
    return [
        ("Ranked too high", "Far higher among its scores than among yours.", found.over),
        ("Ranked too low", "Far lower among its scores than among yours.", found.under),
        ("The model’s top", "Its highest model scores among the images looked at.", found.top),
        ("The model’s bottom", "Its lowest.", found.bottom),
    ]


def _images(material: Material, page: Path, galleries: Sequence[tuple[str, str, np.ndarray]], steps: Steps) -> str:
    if not galleries:
        return ""
    note = "Below each image: your score → the model’s score."
    parts = [gallery(title, said, _thumbnails(material, places, page, steps)) for title, said, places in galleries]
    return section("Images", *parts, note=note)


def _thumbnails(material: Material, places: np.ndarray, page: Path, steps: Steps) -> list[Thumbnail]:
    rows = material.rows[places]
    paths = [material.table.paths[row] for row in rows]
    scores, model_scores = _both(material, rows)
    urls, addresses = [], [address(material.directory / path, page) for path in paths]
    for path in paths:
        urls.append(data_url(material.directory / path))
        steps.advance()
    return [Thumbnail(*values) for values in zip(paths, urls, scores, model_scores, addresses, strict=True)]


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
    note = f"{note} {beside_trials(material.model.metadata)}".rstrip()
    return section("The search", table(rows), note=note)


def _person(material: Material) -> str:
    return section("Your own choices", paragraphs(material.choices)) if material.choices else ""
