"""The ratings while somebody chooses: fitted again behind each choice, without making anybody wait."""

import copy
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace

import numpy as np

from ..common import Steps
from ..features import extractor_in_words
from ..ratings import (
    AssistedFit,
    Bools,
    Comparisons,
    Floats,
    Guesses,
    Ints,
    Log,
    ModelPrior,
    Progress,
    Ratings,
    RatingSettings,
    Similarity,
    Start,
    fit_ratings,
    guess,
    no_guesses,
    predicted_winner,
    progress_of,
    speed_weights,
)
from .behind import Behind
from .furthest import Furthest

WAITING = "The features of your pictures are being read; until then the ratings come from your choices alone."
TOO_LATE = "The features of your pictures were not ready in time; the ratings come from your choices alone."


class LiveRatings:
    """One rater's log and the ratings fitted to it. Assisted ones are Bradley-Terry's until there are features.

    settings: how they are fitted. log: with every choice of this session at once. ratings: those of the last finished
    fit, a moment behind it. basis: a sentence on what assists the ratings, empty of methods that nothing assists.
    assisted_by: the extractor that does, or "". tell: says something to the person. steps: how far a fit is that
    takes long.
    """

    def __init__(
        self, comparisons: Comparisons, settings: RatingSettings, model_scores: ModelPrior | None = None
    ) -> None:
        """model_scores: with new_from_model the prior of images without comparisons."""
        self.tell: Callable[[str], None] = print
        self.basis = WAITING if settings.rating == "assisted" else ""
        self.assisted_by = ""
        self.steps = Steps()
        self._assisted: AssistedFit | None = None
        self._comparisons, self.settings, self._model_scores = comparisons, settings, model_scores
        self._pool = Behind("ratings")
        self._pending: Future | None = None
        self._lock = threading.RLock()
        self._fitted: Log | None = None
        self._guess = no_guesses(0)
        self.log: Log
        self.ratings: Ratings
        self._start: Ratings | None = None
        self._furthest = Furthest(comparisons)
        self.read()
        self._begun = self.log.ids

    def read(self, wait: bool = True) -> None:
        """Read the whole log again, after an undo or for what another program stored, and fit.

        wait: for that fit; else it is begun, unless there are new images, which have no rating before it is done.
        """
        log = self._comparisons.log(self._comparisons.rater)
        if len(self._guess.rating) == len(log.images):
            self.log = log
        else:
            with self._lock:  # a fit that is under way must not see the one without the other
                self.log = log
                self._guess = self._model_prior()
        if wait or len(self.ratings.images) != len(self.log.images):
            self.fit()
        else:
            self._fit_behind()

    def fit(self) -> Ratings:
        """Fit now, and wait for it."""
        with self._lock:
            log = self.log
            self.ratings = self._start = self._fit(log)
            self._fitted = log
            return self.ratings

    def latest(self) -> Ratings:
        """The ratings fitted to every choice, by the method that is used now; waits if they aren't yet."""
        with self._lock:
            return self.ratings if self._fitted is self.log else self.fit()

    def latest_and_by(self) -> tuple[Ratings, str]:
        """The same, and what assisted these ratings: an extractor or ""."""
        with self._lock:
            return self.latest(), self.assisted_by

    @property
    def changed(self) -> bool:
        """Whether the choices that count are others than in the beginning."""
        return not np.array_equal(self.log.ids, self._begun)

    @property
    def waits(self) -> bool:
        """Whether features are to come."""
        return self.basis == WAITING

    def assist(self, extractor: str, similarity: Similarity) -> None:
        """From now on, images teach each other by their features, which come from the extractor of this name."""
        with self._lock:
            self._assisted, self.assisted_by = AssistedFit(similarity, steps=self.steps), extractor
            self._fitted = None  # what was fitted by now was not assisted
        self.basis = f"The ratings are assisted by the features of {extractor_in_words(extractor)}."
        print(self.basis, flush=True)
        self._fit_behind()

    def go_without(self, reason: str) -> None:
        """There are no features to assist: Bradley-Terry from now on."""
        with self._lock:
            self._assisted, self.assisted_by = None, ""
            self._fitted = None
        self.basis = f"The ratings come from your choices alone: {reason}."
        print(self.basis, flush=True)

    def ratings_before(self, position: int) -> Ratings:
        """The ratings before the comparison at `position` of the log, by the method of the latest ones."""
        with self._lock:
            assisted = copy.copy(self._assisted)  # fits go on from the last one, and this is none of them
            return self._by_method(self.log.before(position), assisted)

    def add(
        self,
        comparison: int,
        kind: int,
        screen: Ints,
        winner: int,
        seconds: float | None,
        repeat_of: int | None,
        predicted: int,
    ) -> None:
        """Put a stored comparison behind the log, by rows, and begin a fit unless one waits already."""
        log, time = self.log, float("nan") if seconds is None else seconds
        rater = log.rater_names.index(self._comparisons.rater) if len(log) else 0
        self.log = replace(
            log,
            ids=np.append(log.ids, comparison),
            kinds=np.append(log.kinds, kind),
            winners=np.append(log.winners, winner),
            shown=np.append(log.shown, screen),
            starts=np.append(log.starts, log.starts[-1] + len(screen)),
            seconds=np.append(log.seconds, time),
            raters=np.append(log.raters, rater),
            rater_names=log.rater_names or (self._comparisons.rater,),
            repeat_of=np.append(log.repeat_of, repeat_of or 0),
            predicted=np.append(log.predicted, predicted),
        )
        self._fit_behind()

    def prior(self) -> Floats:
        """(N,) where each image starts, in Elo units: its stored starting rating, else the model's guess, else 0."""
        return self._prior(self.log)

    def first_guesses(self, screen: Ints) -> dict[int, Start]:
        """Of the images on `screen` those that begin with the model's guess and have no comparisons: id -> guess."""
        new = [row for row in screen.tolist() if self._is_guess(row) and not self.log.comparisons[row]]
        return {int(self.log.images[row]): self._guess.start(row) for row in new}

    def keep_guesses(self, guesses: dict[int, Start]) -> None:
        """What was stored as a starting rating is one here too, without reading everything again."""
        log, rows, starts = self.log, self.log.rows(list(guesses)), list(guesses.values())
        ratings, errors, models = log.starting_ratings.copy(), log.starting_errors.copy(), log.began_at.astype(object)
        ratings[rows], errors[rows] = [one.rating for one in starts], [one.error for one in starts]
        models[rows] = [one.model for one in starts]
        began_at = models.astype(np.str_)
        self.log = replace(log, starting_ratings=ratings, starting_errors=errors, began_at=began_at)

    def progress(self, at_once: int) -> Progress:
        """How far the way to a good order is: never less of it than was said before, in earlier
        sessions too. at_once: images on a screen.

        While there are features to come it isn't known: with them fewer choices do.
        """
        images = len(self.log.images)
        if self.waits:
            return Progress(self._furthest.share("order", images), waits=True)
        return self._furthest.keep(progress_of(self.log, self.ratings, at_once), images)

    def predict(self, screen: Ints) -> int:
        """The row on `screen` which the ratings favour now; −1 if they have no opinion."""
        known = (self.log.comparisons > 0) | ~np.isnan(self.log.starting_ratings) | ~np.isnan(self._guess.rating)
        return predicted_winner(self.ratings.rating, known, screen)

    def scores_of_model(self) -> Floats | None:
        """(N,) the model's scores, nan where it has none; None without a model."""
        if self._model_scores is None:
            return None
        return self._model_scores.of(self.log.images.tolist())

    def taken_back(self, images: Sequence[int]) -> Ints:
        """(N,) how many comparisons that were undone showed each of these images."""
        counts = self._comparisons.taken_back()
        return np.array([counts[image] for image in images], dtype=np.int64)

    def rated(self) -> Bools:
        """(N,) bool: compared at least once."""
        return self.log.comparisons > 0

    def close(self) -> None:
        """Begin no fit behind any more."""
        self._pool.close()
        if self.basis == WAITING:
            self.basis = TOO_LATE

    def _fit_behind(self) -> None:
        """Begin a fit, unless one waits already."""
        if self._pending is None or self._pending.running() or self._pending.done():
            self._pending = self._pool.submit(self._fit_and_tell)

    def _fit_and_tell(self) -> None:
        try:
            self.fit()
        except Exception as error:  # nobody asks this thread for its result
            self.tell(f"The ratings can't be fitted ({_named(error)}); your choices are stored all the same.")

    def _fit(self, log: Log) -> Ratings:
        try:
            return self._by_method(log, self._assisted)
        except Exception as error:
            if self._assisted is None:
                raise
            # What failed once would fail again; choosing goes on.
            self.go_without(f"assisting them failed ({_named(error)})")
            self.tell(self.basis)
            return self._by_method(log, None)

    def _by_method(self, log: Log, assisted: AssistedFit | None) -> Ratings:
        settings, method = self.settings, "assisted" if assisted else self.settings.rating
        log = log.to_learn
        if method == "assisted" and not assisted:
            method = "bradley_terry"
        return fit_ratings(
            log,
            method,
            prior_mean=self._prior(log),
            prior_sd=np.where(np.isnan(log.starting_ratings), self._guess.error, log.starting_errors),
            k=settings.k,
            weights=speed_weights(settings, log.seconds),
            start=self._start,
            assisted=assisted,
        )

    def _prior(self, log: Log) -> Floats:
        return np.nan_to_num(np.where(np.isnan(log.starting_ratings), self._guess.rating, log.starting_ratings))

    def _is_guess(self, row: int) -> bool:
        return bool(np.isnan(self.log.starting_ratings[row]) and not np.isnan(self._guess.rating[row]))

    def _model_prior(self) -> Guesses:
        """What the model says of images without comparisons, where they are to begin there."""
        self._guess = no_guesses(len(self.log.images))  # the fit which the model is brought to begins without it
        if self._model_scores is None or not self.settings.new_from_model:
            return self._guess
        return guess(self._model_scores, self.fit())


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
