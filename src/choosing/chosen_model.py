"""The model beside somebody who chooses: when it is made, and what is said of it."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..common import number_of
from ..ratings import Log, Ratings, extremes, headline
from .from_choices import Made, Place, Wanted
from .model_maker import ModelMaker

LEAST = 20  # choices; with fewer a model would be little more than chance
SHOWN = 10  # images best, and as many worst
NONE_YET = "There is no model of your choices yet: it is made at the end of a batch, or when you press M."
NO_FEATURES = "No model is made of your choices: it needs features of your pictures, and there are none"
WAITING = "The model of your choices is made when the features of your pictures are there."


class Found(Protocol):
    """What is known once there are features: whose."""

    @property
    def extractor(self) -> str: ...
    @property
    def hidden_states(self) -> tuple[int, ...]: ...
    @property
    def fp16(self) -> bool: ...


@dataclass(frozen=True)
class Rated:
    """What a model is made of. ids: relative path -> image id. scores, errors: (N,) of these images.

    A score is nan where an image has none, an error where it isn't known.
    log: all choices. ratings: what the scores come from; the same ones are not learnt from twice.
    """

    ids: Mapping[str, int]
    scores: np.ndarray
    errors: np.ndarray
    log: Log
    ratings: Ratings


class ChosenModel:
    """Safe to use from several threads. place: None where no model is wanted."""

    def __init__(self, place: Place | None, maker: type[ModelMaker] = ModelMaker) -> None:
        self._place = place
        self._maker = maker(place, self._told) if place else None
        self._features: Found | None = None
        self._lock = threading.RLock()
        self._waiting: Callable[[], Rated] | None = None
        self._done: Ratings | None = None
        self._rated: Rated | None = None
        self._said = NONE_YET if place else ""
        self._made: Made | None = None

    def __enter__(self) -> "ChosenModel":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def use(self, found: Found) -> None:
        """There are features; what was asked for meanwhile is made now."""
        with self._lock:
            self._features = found
            if (rate := self._waiting) is not None:
                self.ask(rate)

    def go_without(self, reason: str) -> None:
        """There will be no features."""
        with self._lock:
            self._features, self._waiting = None, None
            if self._place:
                self._said = f"{NO_FEATURES}: {reason}."

    def ask(self, rate: Callable[[], Rated]) -> None:
        """Make a model of the ratings as they are, unless it was; where it can't be made `text` says why.

        rate: gives them; called again when features are there at last, which assist them.
        """
        with self._lock:
            if self._maker and not self._said.startswith(NO_FEATURES):
                self._ask(self._maker, rate)

    def wait(self) -> None:
        """Until what was asked for is made; Ctrl-C gives that up."""
        if self._maker:
            with suppress(KeyboardInterrupt):
                self._maker.wait()

    def close(self) -> None:
        """Make nothing any more."""
        if self._maker:
            self._maker.close()

    @property
    def busy(self) -> bool:
        """Whether a model is being made."""
        return self._maker is not None and self._maker.busy

    @property
    def text(self) -> str:
        """Where the model is and what it is worth, or why there is none; "" where none was asked for."""
        return "\n".join(part for part in (self._said, self.headline) if part and part != NONE_YET)

    @property
    def headline(self) -> str:
        """What the model foresees of held-out choices; "" where nothing is held out."""
        return headline(self._made.held_out, self._made.repeats) if self._made else ""

    def page(self) -> dict[str, Any]:
        """The same for the page, and what the model finds best and worst, as plain JSON values."""
        busy = self.busy
        return {"busy": busy, "text": self._said, "headline": self.headline, **self._extremes()}

    def _ask(self, maker: ModelMaker, rate: Callable[[], Rated]) -> None:
        rated = rate()
        if rated.ratings is self._done:
            return
        if (missing := LEAST - rated.log.judged) > 0:
            self._said = f"A model of your choices needs {LEAST}: make {number_of(missing, 'more choice')}."
            return
        if self._features is None:
            self._waiting, self._said = rate, WAITING
            return
        self._waiting, self._done, self._rated = None, rated.ratings, rated
        maker.ask(self._wanted(rated, self._features))

    def _wanted(self, rated: Rated, found: Found) -> Wanted:
        known = ~np.isnan(rated.scores)
        paths = list(rated.ids)
        both = zip(paths, rated.scores.tolist(), rated.errors.tolist(), known, strict=True)
        scores = {path: (score, error) for path, score, error, there in both if there}
        others = {path: image for path, image in rated.ids.items() if path not in scores}
        return Wanted(found.extractor, found.hidden_states, found.fp16, scores, others, rated.log)

    def _told(self, answer: Made | str) -> None:
        with self._lock:
            if isinstance(answer, str):
                self._said, self._done = f"The model of your choices could not be made: {answer}", None
                return
            first, self._made = self._made is None, answer
            kept = f"; what lay there before is kept as {answer.kept.name}" if answer.kept else ""
            learnt = f"{number_of(answer.choices, 'choice')} between {number_of(answer.images, 'image')}"
            self._said = f"The model of your choices, from {learnt}, is in {answer.path}{kept}."
        if first:
            print(self._said, flush=True)

    def _extremes(self) -> dict[str, Any]:
        made, place, rated = self._made, self._place, self._rated
        if made is None or place is None or rated is None:
            return {"of": "", "best": [], "worst": []}
        if place.preview_folder is not None:
            scores, of, address = made.preview or {}, f"images in {place.preview_folder}", "/preview"
        else:
            log = rated.log
            shown = set(log.images[(log.comparisons == 0) & ~log.excluded].tolist())
            scores = {image: score for image, score in made.scores.items() if image in shown}
            of, address = "images not compared yet", "/image"
        ids, values = np.array(list(scores), dtype=np.int64), np.array(list(scores.values()))
        best, worst = (
            [{"src": f"{address}/{ids[row]}", "score": round(float(values[row]), 2)} for row in rows]
            for rows in extremes(values, np.ones(len(values), dtype=bool), SHOWN)
        )
        return {"of": of, "best": best, "worst": worst}
