"""A trained model for programs and notebooks: images in memory in, model scores out; what the scripts score with."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common import UserError, notes_kept
from ..features import AnyImage, Extractor, extract
from .models import Model, gated, load_models
from .settings import ScoringSettings


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model says of N images, in their order; each (N,) float64.

    values: model scores, on the scale of the scores it learnt from. percentiles: where they lie among those of its
    training images, 0 to 100, nan where its file does not say. errors: standard errors, nan where it has none.
    """

    values: np.ndarray
    percentiles: np.ndarray
    errors: np.ndarray

    def __len__(self) -> int:
        return len(self.values)


class Scorer:
    """A model with its image model, as `load_scorer` gives it; for one caller at a time.

    The image model is loaded when it is first needed, and stays. name: the model's. metadata: what its file says.
    extractor: its image model. notes: what a script would have said while loading it, a line each.
    """

    def __init__(self, model: Model, notes: Iterable[str] = ()) -> None:
        self.name, self.metadata, self.extractor = model.name, model.metadata, model.extractor
        self.notes = tuple(notes)
        self._model = model

    @property
    def hidden_states(self) -> tuple[int, ...]:
        """What `score_features` needs of the extractor, for the filter in front of the model too."""
        return self._states(self.extractor)

    def score(
        self, images: Iterable[AnyImage] | np.ndarray, batch_size: int = ScoringSettings.extract_batch_size
    ) -> Scores:
        """What the model says of images: a list of PIL images, (H, W, 3) arrays of uint8 and paths, or one array.

        The same kinds as `extract` takes, treated alike, and the same errors; batch_size images go through the image
        model at once. Of an image that fails the model's filter, value and error are the filter's.
        """
        again = list(images) if isinstance(images, Iterator) else images  # for each image model
        found = {
            id(extractor): extract(again, extractor, self._states(extractor), batch_size)
            for extractor in {id(model.extractor): model.extractor for model in self._models}.values()
        }
        return self._scores(gated(self._model, lambda model: model.predict(found[id(model.extractor)])))

    def score_features(self, features: Mapping[int, np.ndarray] | np.ndarray) -> Scores:
        """The same of N images with features: {hidden state: (N, W_k)} of the extractor, others are left out.

        One array (N, W) will do for a model of a single hidden state. Raises UserError where one is missing or of
        another width, and for a model behind a filter that looks through another image model.
        """
        for model in self._models:
            if model.extractor is not self.extractor:
                raise UserError(
                    f"{self.name}: is behind a filter that takes features of {model.extractor.in_words}; use "
                    "score(), or load it with gate=False"
                )
        return self._scores(gated(self._model, lambda model: model.predict(features)))

    @property
    def _models(self) -> list[Model]:
        """The model, and its filter where it has one."""
        return [self._model, self._model.gate.model] if self._model.gate else [self._model]

    def _states(self, extractor: Extractor) -> tuple[int, ...]:
        own = [model.config.hidden_states_used for model in self._models if model.extractor is extractor]
        return tuple(sorted({state for states in own for state in states}))

    def _scores(self, values: np.ndarray) -> Scores:
        return Scores(values[0], self._model.percentiles(values[0]), values[1])


def load_scorer(
    path: str | Path,
    device: str = ScoringSettings.device,
    *,
    gate: bool = True,
    head_extractor: str | None = None,
    head_input: str | None = None,
) -> Scorer:
    """A trained model's file as a scorer; it gives the numbers of aesthetic_score_from_model.py.

    device: where its image model runs, auto, cpu, cuda or mps. gate: with the filter that the model was trained
    behind, if there is one. head_extractor, head_input: what to take where another's model file does not say it, its
    image model, and what is done with features (none, l2). Nothing is printed, and no file written; but an image
    model that is not on this machine is fetched from the Hugging Face hub. Raises UserError where the file can't be
    read, its image model can't be had, or is another than it was trained on.
    """
    settings = ScoringSettings(gate=gate, head_extractor=head_extractor, head_input=head_input, device=device)
    with notes_kept() as notes:
        (model,) = load_models([Path(path).expanduser()], settings)
    return Scorer(model, notes)
