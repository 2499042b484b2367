"""One sitting of one rater: which screen is shown, what became of it, the batch, and the way back.

Images are named by id towards the page and the database, by row inside (see `src.ratings.log`).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..common import UserError, working
from ..ratings import (
    BROKEN,
    KINDS,
    Bools,
    Comparisons,
    HiddenRepeats,
    Ints,
    PairingSettings,
    Ratings,
    batch_statistics,
    check_screen,
    next_screen,
    turn,
)
from .live import LiveRatings
from .screens import Answer, Closed, Screen, Start, Step

NOT_KNOWN = Screen("", np.zeros(0, dtype=np.int64))
AHEAD = 4  # the screen that is shown and the three that the page loads meanwhile
CHOOSING, REPORT, FINISHED = "choosing", "report", "finished"


@dataclass
class Session:
    """Safe to use from several threads.

    allowed: (N,) bool, which images may be shown; those excluded are taken out of it at once. on_close: called with
    every finished batch, while nothing else happens.
    """

    comparisons: Comparisons
    live: LiveRatings
    allowed: Bools
    settings: PairingSettings
    on_close: Callable[[Closed], None] = lambda closed: None
    phase: str = CHOOSING
    closed: Closed | None = None
    queue: list[Screen] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.live.tell, settings = self.note, self.settings
        self._wanted, self.allowed = self.allowed, self.allowed & ~self.live.log.excluded
        self._rng = np.random.default_rng([settings.seed, len(self.live.log)])
        self._name, self._made = self.comparisons.start_session(vars(settings)), 0
        self._history = self._earlier_steps()
        self._starts = [Start(len(self._history), self.live.ratings)]
        self._answered: set[str] = set()
        self._orders: list[float] = []
        self._repeats = self._fresh_repeats()
        if not self.can_go_on():
            raise UserError(
                f"{self.allowed.sum()} different images may be shown, and a screen shows "
                f"{settings.number_to_compare}; see --directory, --regex, --minimum_score and --number_to_compare"
            )
        self._fill()

    @property
    def done(self) -> int:
        """Screens answered in this batch."""
        return sum(step.kind == "comparison" for step in self._history[self._starts[-1].place :])

    @property
    def batch(self) -> int:
        """The number of this batch, from 1."""
        return len(self._starts)

    @property
    def last(self) -> str | None:
        """The name of the step that `undo` would take back."""
        return self._history[-1].name if self._history else None

    def ids(self, screen: Screen) -> list[int]:
        """The images of a screen, by id."""
        return self.live.log.images[screen.rows].tolist()

    def seconds(self) -> float:
        """The median time of the latest choices, at most 20, of this batch; nan of none."""
        times = self.live.log.seconds[-min(self.done, 20) :] if self.done else np.zeros(0)
        times = times[~np.isnan(times)]
        return float(np.median(times)) if len(times) else float("nan")

    def answer(self, answer: Answer) -> None:
        """Store a choice, tie or skip. One that was stored before, or whose screen is answered already, is not stored
        again; the screen needn't be one that this session made. UserError for what can't be an answer."""
        check_screen(answer.kind, answer.shown, answer.winner, answer.seconds)
        with self.lock:
            if answer.screen not in self._answered and self.comparisons.find(answer.client_id) is None:
                screen = next((s for s in self.queue if s.id == answer.screen), None)
                if screen is None or sorted(self.ids(screen)) != sorted(answer.shown):
                    screen = Screen(answer.screen, self.live.log.rows(answer.shown))
                self._store(screen, answer)
                self._leave(screen)
            if self.phase == CHOOSING and self.done >= self.settings.number:
                self._close()

    def undo(self, name: str) -> None:
        """Take the step of this name back, the last one here; nothing to do if it is undone. Else UserError."""
        with self.lock:
            if self.last == name and self.phase != FINISHED:
                self._undo(self._history[-1])
            elif not self._is_undone(name):
                raise UserError(f"{name} can't be undone: it isn't the last thing that was done here")

    def exclude(self, image: int) -> None:
        """Never show this image again."""
        with self.lock:
            row = int(self.live.log.rows([image])[0])
            if image in self.comparisons.excluded():
                return
            event = self.comparisons.exclude(image, "by the rater")
            shown = next((s for s in self.queue if row in s.rows), None)
            self._history.append(Step("exclusion", event, shown or NOT_KNOWN, image))
            self._withhold(row)

    def include(self, image: int) -> None:
        """Show an image again that a person excluded; nothing to do where it isn't, or can't be shown at all."""
        with self.lock:
            row = int(self.live.log.rows([image])[0])
            if self.comparisons.excluded().get(image, BROKEN).startswith(BROKEN):
                return
            self.comparisons.include(image)
            self.allowed[row] = self._wanted[row]
            for place in range(len(self._history) - 1, -1, -1):
                if self._history[place].kind == "exclusion" and self._history[place].image == image:
                    self._forget(place)
            self._fill()

    def broken(self, image: int, reason: str | None) -> None:
        """An image can't be shown. reason: mark it so for good; None: leave it out of this session only."""
        with self.lock:
            row = int(self.live.log.rows([image])[0])
            if not self.allowed[row]:
                return
            if reason is not None:
                self.comparisons.exclude(image, f"{BROKEN}{reason}")
            self._wanted[row] = False
            self._withhold(row)

    def next_batch(self) -> None:
        """Go on choosing after a report."""
        with self.lock:
            if self.phase == REPORT and self.can_go_on():
                self._starts.append(Start(len(self._history), self.live.ratings))
                self.phase = CHOOSING
                self._fill()

    @property
    def ends(self) -> str:
        """What `finish` would end now, by a name that no other sitting has."""
        return f"{self._name}: {self.phase} {self.batch}"

    def finish(self, of: str) -> None:
        """End the batch early, or after its report the session. of: as `ends` was; nothing to do if that is over."""
        with self.lock:
            if of != self.ends:
                return
            if self.phase == CHOOSING and self.done:
                self._close()
            else:
                self.phase = FINISHED

    def end(self) -> None:
        """Finish whatever is open: the session ends now."""
        with self.lock:
            if self.phase == CHOOSING and self.done:
                with working("Fitting the ratings to all choices", self.live.steps):
                    self._close()
            self.phase = FINISHED

    def note(self, text: str) -> None:
        """Say something once, in the terminal and on the page."""
        if text not in self.notes:
            self.notes.append(text)
            print(f"note: {text}", flush=True)

    def can_go_on(self) -> bool:
        """Are there enough images for another screen?"""
        return bool(self.allowed.sum() >= self.settings.number_to_compare)

    def _store(self, screen: Screen, answer: Answer) -> None:
        log, live = self.live.log, self.live
        winner = -1 if answer.winner is None else int(log.rows([answer.winner])[0])
        predicted = live.predict(screen.rows)
        if guesses := live.first_guesses(screen.rows):
            self.comparisons.add_starting_ratings(guesses)
            live.keep_guesses(guesses)
        comparison = self.comparisons.add_choice(
            self.ids(screen),
            answer.winner,
            answer.seconds,
            kind=answer.kind,
            repeat_of=screen.repeat_of,
            predicted=int(log.images[predicted]) if predicted >= 0 else None,
            client_id=answer.client_id,
        )
        kind = KINDS.index(answer.kind)
        live.add(comparison, kind, screen.rows, winner, answer.seconds, screen.repeat_of, predicted)
        self._repeats.played(comparison, screen.rows, answer.kind == "choice", screen.repeat_of is not None)
        self._history.append(Step("comparison", comparison, screen))
        self._answered.add(screen.id)

    def _undo(self, step: Step) -> None:
        if step.kind == "comparison":
            self._take_back(step.id)
            self.live.read(wait=False)
            self._repeats.undone(step.id)
            self._answered.discard(step.screen.id)
        else:
            self.comparisons.include(step.image)
            row = self.live.log.rows([step.image])
            self.allowed[row] = self._wanted[row]
            if step.screen is NOT_KNOWN:
                self.note(f"Image {step.image}, which you excluded, is taken in again.")
        self._history.pop()  # only now: where the database can't be had, the page sends the undo again
        self._go_back_to(step.screen)

    def _is_undone(self, name: str) -> bool:
        kind, _, number = name.partition(" ")
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            return False
        if kind == "comparison":
            return self.comparisons.is_undone(int(number))
        return kind == "exclusion" and self.comparisons.is_included_again(int(number))

    def _forget(self, place: int) -> None:
        """Take a step out of the history that is taken back already."""
        del self._history[place]
        for start in self._starts:
            start.place -= place < start.place

    def _take_back(self, comparison: int) -> None:
        try:
            self.comparisons.undo(comparison)
        except UserError as error:
            if error.__cause__:  # what SQLite says; else it is undone already, which is as good
                raise

    def _leave(self, screen: Screen) -> None:
        self.queue = [other for other in self.queue if other.id != screen.id]
        if self.phase == REPORT:  # a choice from before the report that came late
            self.phase = CHOOSING
        self._fill()

    def _withhold(self, row: int) -> None:
        self.allowed[row] = False
        for place, screen in enumerate(self.queue):
            if row in screen.rows and self.can_go_on():
                self.queue[place] = self._new_screen(self.queue[:place] + self.queue[place + 1 :])
        self.queue = [screen for screen in self.queue if self.allowed[screen.rows].all()]
        if not self.queue and not self.can_go_on() and self.phase == CHOOSING:
            self._close()

    def _fill(self) -> None:
        while len(self.queue) < min(AHEAD, self.settings.number - self.done) and self.can_go_on():
            self.queue.append(self._new_screen(self.queue))

    def _new_screen(self, waiting: list[Screen]) -> Screen:
        if repeat := self._repeats.pick(self._rng, self.allowed):
            return self._named(*repeat)
        settings, counts = self.settings, self.live.log.comparisons.copy()
        for screen in waiting:
            counts[screen.rows] += 1
        ratings, held_out = self.live.ratings.rating, self.live.log.held_out
        share, k = settings.held_out_screens, settings.number_to_compare
        among, is_held_out = turn(self._rng, share, self.allowed, held_out, k)
        rows = next_screen(
            "random" if is_held_out else settings.pairing,
            self._rng,
            ratings,
            counts,
            among,
            settings.number_to_compare,
            settings.low_count_weight,
        )
        return self._named(rows)

    def _named(self, rows: Ints, repeat_of: int | None = None) -> Screen:
        self._made += 1
        return Screen(f"{self._name}-{self._made}", rows, repeat_of)

    def _go_back_to(self, screen: Screen) -> None:
        while len(self._starts) > 1 and len(self._history) < self._starts[-1].place:
            self._starts.pop()
        self._starts[-1].place = min(self._starts[-1].place, len(self._history))
        self.phase = CHOOSING
        if len(screen.rows) and self.allowed[screen.rows].all():
            again = self._named(screen.rows, screen.repeat_of)
            self.queue = [again, *(other for other in self.queue if other.id != screen.id)]
        self._fill()

    def _close(self) -> None:
        live, before = self.live, self._starts[-1].ratings
        live.read()  # also what another scorer has stored meanwhile
        starts = [self._position(start.place) for start in self._starts]
        self._wanted = _longer(self._wanted, len(live.log.images))
        self.allowed = _longer(self.allowed, len(live.log.images)) & ~live.log.excluded  # by another scorer too
        if (before.expected_spearman is None) != (live.ratings.expected_spearman is None):
            before = live.ratings_before(starts[-1])  # the features came meanwhile: like is to be compared with like
        before = _all_images(before, live.log.images)
        batch = batch_statistics(live.log, starts, before, live.ratings, self.allowed, live.scores_of_model())
        order = float("nan") if batch.missing or batch.expected_spearman is None else batch.expected_spearman
        self._orders[self.batch - 1 :] = [order]  # a batch that was gone back into is finished again
        self.closed = Closed(self.batch, batch, live.ratings, self.allowed.copy(), [*self._orders])
        self.phase = REPORT
        try:
            self.on_close(self.closed)
        except UserError as error:  # a score file that can't be written must not stop anybody from choosing
            self.note(str(error))

    def _position(self, place: int) -> int:
        """Of the first comparison from this place of the history on, in the log."""
        comparison = next((step.id for step in self._history[place:] if step.kind == "comparison"), None)
        return len(self.live.log) if comparison is None else int(np.searchsorted(self.live.log.ids, comparison))

    def _earlier_steps(self) -> list[Step]:
        log = self.live.log
        screens = (Screen(f"before {c}", log.screen(c), int(log.repeat_of[c]) or None) for c in range(len(log)))
        compared = [(int(i), Step("comparison", int(i), s)) for i, s in zip(log.ids, screens, strict=True)]
        excluded = [(e.after, Step("exclusion", e.id, NOT_KNOWN, e.image)) for e in self.comparisons.exclusions()]
        return [step for _, step in sorted([*compared, *excluded], key=lambda pair: pair[0])]  # stable

    def _fresh_repeats(self) -> HiddenRepeats:
        return HiddenRepeats(self.live.log, self.settings.hidden_repeats, self.settings.number_to_compare)


def _all_images(ratings: Ratings, images: Ints) -> Ratings:
    rating, error, counts = (_longer(a, len(images)) for a in (ratings.rating, ratings.error, ratings.comparisons))
    return Ratings(images, rating, error, counts)


def _longer(values: np.ndarray, n: int) -> np.ndarray:
    """Images that another scorer has added meanwhile stand behind ours; here they have nothing."""
    return np.concatenate([values, np.zeros(n - len(values), dtype=values.dtype)])
