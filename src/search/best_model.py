"""The best predictor so far, on disk with all that is known of it, from the moment it is found."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..common import UserError, copy_to
from ..model import Ensemble, Predictor, load_predictor, save_predictor
from .dataset import Dataset

# Model scores of the train images at 0, 1, 2, … 100 %: where a new image's score lies among them.
QUANTILES = np.linspace(0, 1, 101)


class BestModel:
    """The model file of one run.

    about: metadata that every saved predictor gets, the same for all trials; "study", if there is one, among them.
    """

    def __init__(self, path: Path, data: Dataset, about: Mapping[str, Any]) -> None:
        self.path, self.data, self.about = path, data, about

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
        train_scores = model_scores[self.data.rows("train")]
        measured = {
            "n_images": len(model_scores),
            "mean_predicted_score": float(model_scores.mean()),
            "stdev_predicted_score": float(model_scores.std()),
            "train_score_quantiles": [round(float(q), 6) for q in np.quantile(train_scores, QUANTILES)],
        }
        save_predictor(self.path, predictor, {**self.about, **measured, **found})

    def kept(self) -> dict[int, Predictor]:
        """The predictors in the file by trial, the best first; none where it is not of this study."""
        try:
            predictor, metadata = load_predictor(self.path)
        except UserError:
            return {}
        if metadata.get("study") != self.about["study"]:
            return {}
        members = predictor.predictors if isinstance(predictor, Ensemble) else [predictor]
        trials = json.loads(metadata.get("trials", f"[{metadata['trial']}]"))
        return dict(zip(trials, members, strict=True))

    def _metadata(self) -> dict[str, str]:
        """Of the model file as it lies there; nothing where it is no model."""
        try:
            return load_predictor(self.path)[1]
        except UserError:
            return {}

    def keep_previous(self, resumed: bool) -> Path | None:
        """Copy the model of another run to `<name>.previous.safetensors`, and say where; None if there is none.

        resumed: this run goes on with the study it names, so a model of that study is not another run's.
        """
        if not self.path.exists() or (resumed and self._metadata().get("study") == self.about.get("study")):
            return None
        previous = self.path.with_suffix(".previous.safetensors")
        copy_to(self.path, previous)
        return previous
