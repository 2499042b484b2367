"""What is on disk for one run: its study, and its model file with the best predictor from the moment it is found."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import optuna

from ..common import UserError, copy_to
from ..model import Blend, GaussianProcess, Predictor, about_scores, load_predictor, networks_of, save_predictor
from .dataset import Dataset
from .worker_files import workers_folder


@dataclass(frozen=True)
class Found:
    """The model as it lies on disk.

    held_out, errors: (N,) what it says of each image; with folds, of each image but those of the test split what
    networks of the same metaparameters say that were not trained on it.
    """

    predictor: Predictor
    metadata: Mapping[str, str]
    held_out: np.ndarray
    errors: np.ndarray


class RunFiles:
    """The study of a run, None where nothing is searched, and its model file.

    data: what the run learns from. about: metadata that every saved predictor gets, the same for all trials.
    """

    def __init__(
        self, path: Path, data: Dataset, about: Mapping[str, Any], study: optuna.Study | None = None
    ) -> None:
        self.path, self.data, self.study = path, data, study
        self.about = dict(about) if study is None else {**about, "study": study.study_name}

    @property
    def arguments(self) -> Path:
        """Where the arguments of the run are written down."""
        return self.path.with_suffix(".arguments.txt")

    def keep_previous(self, resumed: bool) -> Path | None:
        """Copy the model of another run to `<name>.previous.safetensors`, and say where; None if there is none.

        resumed: this run goes on with its study, so a model of that study is not another run's.
        """
        if not self.path.exists() or (resumed and self._is_of_this_study(self._metadata())):
            return None
        previous = self.path.with_suffix(".previous.safetensors")
        copy_to(self.path, previous)
        return previous

    def save(
        self,
        predictor: Predictor,
        trial: int,
        parameters: Mapping[str, Any],
        metrics: Mapping[str, float],
        about_members: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Write the best trial's predictor, or the ensemble of the best.

        trial, parameters: of an ensemble's best member. metrics: of the whole. about_members: metadata of ensembles.
        """
        found = {
            "trial": trial,
            "metaparameters": dict(sorted(parameters.items())),
            "metrics": dict(sorted(metrics.items())),
        }
        self.write(predictor, {**found, **about_members})

    def write(self, predictor: Predictor, found: Mapping[str, Any]) -> None:
        """Put this predictor in the place of the one before, atomically. found: metadata of it alone."""
        model_scores, _ = predictor.predict(self.data.inputs)
        measured = about_scores(model_scores, self._said_of_train(predictor, model_scores))
        save_predictor(self.path, predictor, {**self.about, **measured, **found})

    def _said_of_train(self, predictor: Predictor, model_scores: np.ndarray) -> np.ndarray:
        """Scores of train images, among which new ones have their percentiles.

        A Gaussian process comes as close to what it was fitted on as to nothing else, so each is left out in turn.
        """
        process = predictor.process if isinstance(predictor, Blend) else predictor
        if not isinstance(process, GaussianProcess) or not len(process.unseen):
            return model_scores[self.data.rows("train")]
        if not isinstance(predictor, Blend):
            return process.unseen
        others, _ = predictor.networks.predict(self.data.inputs[process.unseen_rows.tolist()])
        return predictor.share * process.unseen + (1 - predictor.share) * others

    def kept(self) -> dict[int, Predictor]:
        """The predictors in the model file by trial, the best first; none where it is not of this study."""
        return self._kept_in(self.path)

    def kept_by_workers(self) -> dict[int, Predictor]:
        """The same of all files that workers of this study wrote beside it."""
        found: dict[int, Predictor] = {}
        for path in sorted(workers_folder(self.path).glob(f"*/{self.path.name}")):
            found |= self._kept_in(path)
        return found

    def _kept_in(self, path: Path) -> dict[int, Predictor]:
        try:
            predictor, metadata = load_predictor(path)
        except UserError:
            return {}
        if not self._is_of_this_study(metadata):
            return {}
        if "trial" not in metadata:  # what is there before the first trial
            return {}
        trials = json.loads(metadata.get("trials", f"[{metadata['trial']}]"))
        return dict(zip(trials, networks_of(predictor), strict=True))

    def found(self, held_out: Callable[[Predictor], tuple[np.ndarray, np.ndarray]]) -> Found:
        """The model as it lies here. held_out: from it to scores and errors (N,) as `Found` has them.

        Raises UserError where it is not this run's.
        """
        predictor, metadata = load_predictor(self.path)
        if not self._is_of_this_study(metadata):
            raise UserError(
                f"{self.path}: something else took the place of this run's model; go on with --resume, or give "
                "another --model"
            )
        return Found(predictor, metadata, *held_out(predictor))

    def _metadata(self) -> dict[str, str]:
        """Of the model file as it lies there; nothing where it is no model."""
        try:
            return load_predictor(self.path)[1]
        except UserError:
            return {}

    def _is_of_this_study(self, metadata: Mapping[str, str]) -> bool:
        return metadata.get("study") == self.about.get("study")
