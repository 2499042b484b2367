"""The ratings while somebody chooses: fitted again behind each choice, without making anybody wait."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from src.ratings.database import Comparisons
from src.ratings.elo import K
from src.ratings.fit import Ratings, SpeedWeights, fit_ratings
from src.ratings.log import Bools, Floats, Ints, Log
from src.ratings.rescale import rescale_to
from src.ratings.statistics import predicted_winner


@dataclass(frozen=True)
class Rating:
    """How ratings are computed: see `fit_ratings`."""

    method: str = "bradley_terry"
    k: float = K
    speed: SpeedWeights | None = None


class LiveRatings:
    """One rater's log and the ratings fitted to it.

    log: with every choice of this session at once. ratings: a moment behind it. model_scores: (N,) in rows of `log`,
    nan where unknown, None without a model.
    """

    def __init__(
        self,
        comparisons: Comparisons,
        rating: Rating,
        model_scores: dict[int, float] | None = None,
        new_from_model: bool = False,
    ) -> None:
        """model_scores: by image id, any unit. new_from_model: they are the prior of images without comparisons."""
        self._comparisons, self._rating = comparisons, rating
        self._model_scores, self._new_from_model = model_scores, new_from_model
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ratings")
        self._pending: Future | None = None
        self._lock = threading.Lock()
        self._guess = np.zeros(0)
        self.log: Log
        self.ratings: Ratings
        self._start: Ratings | None = None
        self.read()

    def read(self) -> None:
        """Read the whole log again, after an undo or for what another program stored, and fit."""
        self.log = self._comparisons.log(self._comparisons.rater)
        if len(self._guess) != len(self.log.images):
            self._guess = self._model_prior()
        self.fit()

    def fit(self) -> Ratings:
        """Fit now, and wait for it."""
        with self._lock:
            mean = self.prior()
            fitted = fit_ratings(
                self.log,
                self._rating.method,
                prior_mean=mean,
                k=self._rating.k,
                speed=self._rating.speed,
                start=self._start,
            )
            self.ratings = self._start = fitted
            return fitted

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
        if self._pending is None or self._pending.running() or self._pending.done():
            self._pending = self._pool.submit(self.fit)

    def prior(self) -> Floats:
        """(N,) where each image starts, in Elo units: its stored starting rating, else the model's guess, else 0."""
        return np.nan_to_num(np.where(np.isnan(self.log.starting_ratings), self._guess, self.log.starting_ratings))

    def first_guesses(self, screen: Ints) -> dict[int, float]:
        """Of the images on `screen` those that begin with the model's guess and have no comparisons: id -> guess."""
        new = [row for row in screen.tolist() if self._is_guess(row) and not self.log.comparisons[row]]
        return {int(self.log.images[row]): float(self._guess[row]) for row in new}

    def keep_guesses(self, guesses: dict[int, float]) -> None:
        """What was stored as a starting rating is one here too, without reading everything again."""
        starting = self.log.starting_ratings.copy()
        starting[self.log.rows(list(guesses))] = list(guesses.values())
        self.log = replace(self.log, starting_ratings=starting)

    def predict(self, screen: Ints) -> int:
        """The row on `screen` which the ratings favour now; −1 if they have no opinion."""
        known = (self.log.comparisons > 0) | ~np.isnan(self.log.starting_ratings) | ~np.isnan(self._guess)
        return predicted_winner(self.ratings.rating, known, screen)

    def scores_of_model(self) -> Floats | None:
        """(N,) the model's scores, nan where it has none; None without a model."""
        if self._model_scores is None:
            return None
        return np.array([self._model_scores.get(image, np.nan) for image in self.log.images.tolist()])

    def rated(self) -> Bools:
        """(N,) bool: compared at least once."""
        return self.log.comparisons > 0

    def close(self) -> None:
        """Wait for the fit that is under way."""
        self._pool.shutdown()

    def _is_guess(self, row: int) -> bool:
        return bool(np.isnan(self.log.starting_ratings[row]) and not np.isnan(self._guess[row]))

    def _model_prior(self) -> Floats:
        """(N,) model scores in Elo units for images without comparisons, nan for all others."""
        scores = self.scores_of_model()
        none = np.full(len(self.log.images), np.nan)
        if scores is None or not self._new_from_model:
            return none
        self._guess = none  # the fit which the model is brought to begins without it
        rated = self.rated()
        guess = rescale_to(scores, self.fit().rating, rated)
        return np.where(rated, np.nan, guess)
