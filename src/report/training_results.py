"""What a training run ends with: its statistics, and the files that were asked for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..scores import ScoreTable, caution, errors_counted, write_scorefile
from ..scoring import ModelScores
from ..search import Dataset, Found, Run, eval_metrics
from .analysis import FEWEST_IMAGES, make_subsets
from .text import (
    aligned,
    baselines_table,
    comparison,
    errors_counted_line,
    score_line,
    selected_and_untouched,
    split_lines,
)


def report_results(run: Run, table: ScoreTable, model: Path, found: Found) -> None:
    """Print the statistics of the model, and those of the baselines."""
    data, scores, seed = run.data, run.data.scores, run.seed
    images = "eval images" if data.folds is None else "held-out images"
    split, rows, test = data.split, data.rows("eval"), data.rows("test")
    print(f"\n{where_from(found.metadata)}")
    if data.folds is not None:
        seen, _ = found.predictor.predict(data.inputs.cpu())
        print(score_line("Train", scores[rows], seen[rows]))
        split = np.where(data.folds >= 0, "folds", split)
    print("\n".join(split_lines(scores, found.held_out, split)))
    if counted := errors_counted(table, found.held_out, rows):
        print(errors_counted_line(counted, images))
    if test.size:
        print(aligned(selected_and_untouched(scores, found.held_out, rows, test, seed)))
    measured = {"model": eval_metrics(scores[rows], found.held_out[rows])}
    print(aligned(baselines_table(measured | json.loads(found.metadata["baselines"]), images)))
    print("\n".join(_comparisons(run, found)))
    if text := caution(table):
        print(text)
    print(f"The model is {model}")
    print("Next: aesthetic_data_analysis.py says how good it is, aesthetic_score_from_model.py scores other folders.")


def _comparisons(run: Run, found: Found) -> list[str]:
    """A sentence for each other type: how much better the model is; on the test images, where there are enough."""
    data, test = run.data, run.data.rows("test")
    seen = "eval images" if data.folds is None else "held-out images"
    rows, images = (test, "test images") if len(test) >= FEWEST_IMAGES else (data.rows("eval"), seen)
    own, scores = (found.metadata["model_type"], found.held_out[rows]), data.scores[rows]
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
        return f"Ridge regression with penalty {float(metadata['ridge_alpha']):.4g}:"
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


def write_savefile(path: Path, table: ScoreTable, data: Dataset, found: Found) -> None:
    """The score table with model_score, split, error where the model knows it; with folds also held-out scores."""
    scores, errors = found.predictor.predict(data.inputs.cpu())
    columns: dict[str, Any] = {"model_score": scores, "split": data.split}
    if found.predictor.has_error:
        columns["error"] = errors
    if data.folds is not None:
        columns |= {"fold": data.folds, "held_out_score": found.held_out}
    write_scorefile(path, table, columns)
    print(f"All scores and model scores are in {path}")


def write_page(
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
