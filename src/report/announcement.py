"""What a training run says before it begins."""

from pathlib import Path

from ..scores import SPLITS, SplitSettings, balance_table
from ..search import First, Objective, Run, SearchSettings, comparison_counts, shown_database
from .text import TYPES, aligned, baselines_table


def split_line(run: Run, split: SplitSettings) -> str:
    """How many images are trained on, and how many are not."""
    counts = ", ".join(f"{(run.data.split == name).sum()} {name}" for name in SPLITS)
    return f"Split: {counts} (--eval_pick_seed={split.eval_pick_seed})."


def learning_lines(run: Run, search: SearchSettings, rater: str) -> list[str]:
    """The comparisons that are learnt from, by this rater, and the groups that are brought to one size."""
    data, training, said = run.data, search.training, []
    if data.choices is not None:
        counts = ", ".join(f"{count} {name}" for name, count in comparison_counts(data).items())
        total = len(data.choices.screens.shown)
        part = "split" if data.folds is None else "split or fold"
        said.append(f"Comparisons by {rater}: {total}; among images of one {part} alone: {counts}.")
    if data.groups is not None:
        said.append(f"Train images, {training.balance}:")
        said.append(aligned(balance_table(data.groups, data.rows("train"), training.balance.balance, training.seed)))
    return said


def first_lines(run: Run) -> list[str]:
    """What is there before any search, on the eval images, and which of it is the model until something is better."""
    if not run.firsts:
        return []
    images = "eval images" if run.data.folds is None else "held-out images"
    rows = baselines_table({name: run.about["baselines"][name] for name in run.held_out}, images)
    return [aligned(rows)]


def until_line(first: First, objective: Objective, blends: bool) -> str:
    """Which of them is the model now, and until when."""
    until = f"a blend is better ({objective.name} {first.value:.4f})" if blends else "the first network is trained"
    return f"The model is {TYPES[first.name].replace('Gaussian', 'the Gaussian')} until {until}."


def study_line(study: str, database: str, model: Path) -> str:
    """Where trials are kept, and the best of them."""
    return f"Study '{study}' in {shown_database(database)}; the best model goes to {model}."
