"""What a training run ends with: its statistics, and the files that were asked for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..ratings import Share
from ..scores import ScoreTable, caution, errors_counted, write_scorefile
from ..scoring import ModelScores
from ..search import Dataset, Found, Run, eval_metrics
from .analysis import FEWEST_IMAGES, make_subsets
from .headline import headline, with_oneself
from .kinds import kind_and_why, why_no_network
from .more_images import growth, more_images
from .text import (
    aligned,
    baselines_table,
    comparison,
    errors_counted_line,
    score_line,
    selected_and_untouched,
    split_lines,
)


def report_results(
    run: Run, table: ScoreTable, model: Path, found: Found, repeats: Share | None = None, details: bool = False
) -> None:
    """Print how good the model is, what simpler ones are, and where it lies.

    repeats: the person's hidden repeats, None where there are none. details: metaparameters and statistics of each
    split as well.
    """
    rows, images = _judged(run)
    print(f"\n{' '.join(_first_words(run, table, found, rows, images, repeats))}")
    if text := caution(table):
        print(text)
    if details:
        print("\n".join(["", *_details(run, table, found)]))
    counted = errors_counted(table, found.held_out, rows)
    print(f"\n{aligned(baselines_table(_measured(run, found, rows), f'{images} ({len(rows)})', counted))}")
    print(_no_network(run, found), end="")
    print("\n".join(_comparisons(run, found, rows, images)))
    print(f"The model is {model}")


def _judged(run: Run) -> tuple[np.ndarray, str]:
    """Rows of the images that the model is judged by, and what they are called: the test images, if not too few."""
    data, test = run.data, run.data.rows("test")
    if len(test) >= FEWEST_IMAGES:
        return test, "test images"
    return data.rows("eval"), "eval images" if data.folds is None else "held-out images"


def _first_words(
    run: Run, table: ScoreTable, found: Found, rows: np.ndarray, images: str, repeats: Share | None
) -> list[str]:
    """The sentences that a person wants to read first."""
    data, own = run.data, found.metadata["model_type"]
    others = {name: said[rows] for name, said in run.held_out.items() if name != own}
    counted = errors_counted(table, found.held_out, rows)
    said = headline(data.scores[rows], found.held_out[rows], others, run.seed, images, counted)
    penalty = next((first.about["ridge_alpha"] for first in run.firsts if first.name == "ridge"), None)
    more = "" if penalty is None else more_images(growth(data, penalty, run.seed))
    return [text for text in (said, with_oneself(repeats), more) if text]


def _details(run: Run, table: ScoreTable, found: Found) -> list[str]:
    """Where the model is from, a line of statistics for each split, and eval beside test."""
    data, scores, split = run.data, run.data.scores, run.data.split
    rows, test, said = data.rows("eval"), data.rows("test"), [where_from(found.metadata)]
    if data.folds is not None:
        seen, _ = found.predictor.predict(data.inputs.cpu())
        said.append(score_line("Train", scores[rows], seen[rows]))
        split = np.where(data.folds >= 0, "folds", split)
    said += split_lines(scores, found.held_out, split)
    if counted := errors_counted(table, found.held_out, rows):
        said.append(errors_counted_line(counted, "eval images" if data.folds is None else "held-out images"))
    if test.size:
        said.append(aligned(selected_and_untouched(scores, found.held_out, rows, test, run.seed)))
    return said


def _measured(run: Run, found: Found, rows: np.ndarray) -> dict[str, dict[str, float]]:
    """What the model, the baselines and the mean of the train scores reach on the images of these rows."""
    scores = run.data.scores
    mean = np.full(len(scores), scores[run.data.rows("train")].mean())
    said = {"model": found.held_out, **run.held_out, "mean": mean}
    return {name: eval_metrics(scores[rows], values[rows]) for name, values in said.items()}


def _no_network(run: Run, found: Found) -> str:
    """A line on what the model is where networks were searched for and it is none; else nothing."""
    first = next((first for first in run.firsts if first.name == found.metadata["model_type"]), None)
    figure = f"{run.objective.name} of {first.value:.4f}" if first else ""
    return f"The model is {kind_and_why(found.metadata, figure)}.\n" if why_no_network(found.metadata) else ""


def _comparisons(run: Run, found: Found, rows: np.ndarray, images: str) -> list[str]:
    """A sentence for each other type: how much better the model is on the images of these rows."""
    own, scores = (found.metadata["model_type"], found.held_out[rows]), run.data.scores[rows]
    return [
        comparison(scores, own, (name, held_out[rows]), run.seed, images)
        for name, held_out in run.held_out.items()
        if name != own[0]
    ]


def where_from(metadata: Mapping[str, str]) -> str:
    """Which trials the model is, and what the best of an ensemble would be alone."""
    if metadata["model_type"] == "gp":
        return f"A Gaussian process{', as networks add nothing to it' if 'blend_share' in metadata else ''}:"
    if "trial" not in metadata:
        alone = ", as no blend was better" if "metaparameters" in metadata else ""
        return f"Ridge regression with penalty {float(metadata['ridge_alpha']):.4g}{alone}:"
    found = ", ".join(f"{name} {value:.4g}" for name, value in json.loads(metadata["metaparameters"]).items())
    text = f"Best is trial {metadata['trial']}: {found}"
    trials = ", ".join(map(str, json.loads(metadata.get("trials", "[]"))))
    if "blend_share" in metadata:
        share = float(metadata["blend_share"])
        text += f"\nThe model is {share:.0%} Gaussian process and {1 - share:.0%} "
        text += f"the mean of trials {trials}" if trials else f"trial {metadata['trial']}"
    elif trials:
        text += f"\nThe model is the mean of trials {trials}"
    else:
        return text
    if "single_best_metrics" not in metadata:  # with folds
        return f"{text}."
    alone, whole = json.loads(metadata["single_best_metrics"]), json.loads(metadata["metrics"])
    compared = (f"{name} {whole[name]:.4f} ({alone[name]:.4f})" for name in whole if name.startswith("eval_"))
    return f"{text}: {', '.join(compared)}; in brackets the best alone."


def write_results(
    savefile: Path | None,
    page: Path | None,
    directory: Path,
    table: ScoreTable,
    run: Run,
    model: Path,
    found: Found,
    database: str,
) -> None:
    """The files that were asked for, of --savefile and --report."""
    if savefile:
        _write_savefile(savefile, table, run.data, found)
    if page:
        _write_page(page, directory, table, run, model, found, database)


def _write_savefile(path: Path, table: ScoreTable, data: Dataset, found: Found) -> None:
    """The score table with model_score, split, error where the model knows it; with folds also held-out scores."""
    scores, errors = found.predictor.predict(data.inputs.cpu())
    columns: dict[str, Any] = {"model_score": scores, "split": data.split}
    if found.predictor.has_error:
        columns["error"] = errors
    if data.folds is not None:
        columns |= {"fold": data.folds, "held_out_score": found.held_out}
    write_scorefile(path, table, columns)
    print(f"All scores and model scores are in {path}")


def _write_page(
    page: Path, directory: Path, table: ScoreTable, run: Run, model: Path, found: Found, database: str
) -> None:
    """The page of `--report`, about the eval split; with folds, about all that is held out of one."""
    from .full_report import write_report  # brings matplotlib, which takes a second
    from .material import Material

    data = run.data
    split = data.split if data.folds is None else np.where(data.folds >= 0, "eval", data.split)
    inputs = data.inputs.cpu().numpy()
    scored = ModelScores(model.stem, found.held_out, found.errors, inputs, found.predictor, found.metadata)
    chosen = make_subsets(table.paths, split == "eval", (), False)
    write_report(Material(directory, table, [scored], split, chosen, database, run.seed), page)
    print(f"The report is {page}")
