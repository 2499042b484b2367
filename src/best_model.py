"""The best predictor so far, on disk with all that is known of it, from the moment it is found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from src.dataset import Dataset
from src.errors import UserError
from src.files import copy_to
from src.predictor import Predictor, load_predictor, save_predictor

# Model scores of the train images at 0, 1, 2, … 100 %: where a new image's score lies among them.
QUANTILES = np.linspace(0, 1, 101)


class BestModel:
    """The model file of one run.

    about: metadata that every saved predictor gets, the same for all trials; "study" is among them.
    """

    def __init__(self, path: Path, data: Dataset, about: Mapping[str, Any]) -> None:
        self.path, self.data, self.about = path, data, about

    def save(
        self, predictor: Predictor, trial: int, parameters: Mapping[str, Any], metrics: Mapping[str, float]
    ) -> None:
        """Put this predictor in the place of the one before, atomically."""
        model_scores, _ = predictor.predict(self.data.inputs)
        train_scores = model_scores[self.data.rows("train")]
        found = {
            "trial": trial,
            "metaparameters": dict(sorted(parameters.items())),
            "metrics": dict(sorted(metrics.items())),
            "n_images": len(model_scores),
            "mean_predicted_score": float(model_scores.mean()),
            "stdev_predicted_score": float(model_scores.std()),
            "train_score_quantiles": [round(float(q), 6) for q in np.quantile(train_scores, QUANTILES)],
        }
        save_predictor(self.path, predictor, {**self.about, **found})

    def holds(self, trial: int) -> bool:
        """Is the file there the model of this trial of this study?"""
        metadata = self._metadata()
        return metadata.get("study") == self.about["study"] and metadata.get("trial") == str(trial)

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
        if not self.path.exists() or (resumed and self._metadata().get("study") == self.about["study"]):
            return None
        previous = self.path.with_suffix(".previous.safetensors")
        copy_to(self.path, previous)
        return previous
