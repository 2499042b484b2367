"""What a study tried: its trials as CSV, its best ones, and which metaparameters mattered."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from ..common import UserError, write_text
from ..search import OWN_ATTRIBUTES, existing_storage, quiet, shown_database

FEWEST_FOR_IMPORTANCES = 10


@dataclass(frozen=True)
class StudySummary:
    """best: trials, the best first. importances: {metaparameter: share of 1}, largest first, empty of few trials."""

    name: str
    finished: int
    maximise: bool
    best: list[FrozenTrial]
    importances: dict[str, float]


def list_studies(database: str) -> list[str]:
    """A line for each study: its name, how many trials, its best value."""
    summaries = optuna.get_all_study_summaries(_existing(database))
    if not summaries:
        return [f"There is no study in {shown_database(database)}."]
    width = max(len(summary.study_name) for summary in summaries)
    return [
        f"{s.study_name:<{width}}  {s.n_trials:>5} trials, best {_best_value(s.best_trial)}"
        for s in sorted(summaries, key=lambda s: s.study_name)
    ]


def write_trials(database: str, name: str, path: Path) -> int:
    """Write all trials of a study: number, state, value, times, metaparameters, metrics. Returns how many."""
    trials = load_study(database, name).get_trials(deepcopy=False)
    parameters = sorted({key for trial in trials for key in trial.params})
    metrics = sorted({key for trial in trials for key in trial.user_attrs} - {*OWN_ATTRIBUTES})
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["number", "state", "value", "started", "seconds", *parameters, *metrics])
    for trial in trials:
        seconds = trial.duration.total_seconds() if trial.duration else ""
        known = [trial.number, trial.state.name.lower(), _value(trial), _time(trial), seconds]
        chosen = [trial.params.get(key, "") for key in parameters]
        writer.writerow([*known, *chosen, *(trial.user_attrs.get(key, "") for key in metrics)])
    write_text(path, lines.getvalue())
    return len(trials)


def load_study(database: str, name: str) -> optuna.Study:
    """UserError, with the names there are, if there is no such study."""
    storage = _existing(database)
    names = sorted(summary.study_name for summary in optuna.get_all_study_summaries(storage, False))
    if name not in names:
        where, there = shown_database(database), ", ".join(names) or "none"
        raise UserError(f"--study={name}: not in {where} (there: {there}); see --study=list")
    return optuna.load_study(storage=storage, study_name=name)


def summarise(database: str, name: str, seed: int, count: int = 10) -> StudySummary:
    """The best trials of a study, and fANOVA's importances (Hutter, Hoos & Leyton-Brown 2014) from 10 trials on."""
    study = load_study(database, name)
    done = [t for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if t.value is not None]
    maximise = study.direction == optuna.study.StudyDirection.MAXIMIZE
    best = sorted(done, key=lambda trial: trial.value or 0.0, reverse=maximise)
    return StudySummary(name, len(done), maximise, best[:count], _importances(study, done, seed))


def _importances(study: optuna.Study, done: list[FrozenTrial], seed: int) -> dict[str, float]:
    values = np.array([trial.value for trial in done])
    if len(done) < FEWEST_FOR_IMPORTANCES or values.min() == values.max():
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    try:
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
    except (ValueError, RuntimeError):  # metaparameters that never varied together
        return {}


def _existing(database: str) -> optuna.storages.BaseStorage:
    quiet()
    return existing_storage(database, "--study")


def _best_value(trial: Any) -> str:
    return "none yet" if trial is None or trial.value is None else f"{trial.value:.4f} (trial {trial.number})"


def _value(trial: FrozenTrial) -> Any:
    return "" if trial.value is None else trial.value


def _time(trial: FrozenTrial) -> str:
    return trial.datetime_start.isoformat(timespec="seconds") if trial.datetime_start else ""
