"""Several processes, on one machine or many, at one study: who is at which trial, and what becomes of a killed one's.

Every process says from time to time, in the study itself, that it is there; so all kinds of storage will do, and
clocks that differ do no harm: whoever waits measures by its own how long another has been silent.
"""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from ..common import has_ended, process_name

BEAT_SECONDS = 10.0
GRACE_SECONDS = 60.0  # a process that has been silent for so long counts as killed
POLL_SECONDS = 0.5
OWNER, REPEATS = "worker", "repeats"  # user attributes of a trial
BEAT = "alive: "  # what the attribute of a study begins with that a process writes
ENQUEUED = "fixed_params"  # where Optuna keeps what an enqueued trial is to try
OWN_ATTRIBUTES = (OWNER, REPEATS)
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
TAKEN = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING, TrialState.WAITING)


class Surplus(Exception):
    """A trial more than was asked for, as two processes began their last at once; it ends before it has begun."""


class Crew:
    """This process among those that work on a study, which may be the only one."""

    def __init__(
        self, study: optuna.Study, beat_seconds: float = BEAT_SECONDS, grace_seconds: float = GRACE_SECONDS
    ) -> None:
        self.study, self.beat_seconds, self.grace_seconds = study, beat_seconds, grace_seconds
        self.name = process_name()
        self.is_alone = isinstance(study._storage, optuna.storages.InMemoryStorage)
        self._heard: dict[str, tuple[object, float]] = {}  # the last sign of each other, and when it was new here

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """In the block the others know that we are there."""
        if self.is_alone:
            yield
            return
        ended = Event()
        thread = Thread(target=self._beat, args=[ended], daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _beat(self, ended: Event) -> None:
        count = 0
        while True:
            count += 1
            with suppress(Exception):  # a database that is away for a moment: the trial itself will say so
                self.study.set_user_attr(BEAT + self.name, [count, time.time()])
            if ended.wait(self.beat_seconds):
                return

    def work(self, trials: int, try_one: Callable[[Trial], float], after_each: Callable[[], None]) -> None:
        """Try one after the other until all processes together have finished so many, given up ones included.

        after_each: called behind each of ours.
        """

        def mine(trial: Trial) -> float:
            self._claim(trial, trials)
            return try_one(trial)

        with self._at_work():
            while count_finished(self.study) < trials:
                self._repeat_lost()
                if self._has_room(trials):
                    self._go_on(mine, after_each)
                else:  # others are at the last ones, or were killed at them
                    time.sleep(POLL_SECONDS)
            self._drop_doubles()

    def _go_on(self, mine: Callable[[Trial], float], after_each: Callable[[], None]) -> None:
        try:
            self.study.optimize(mine, n_trials=1, catch=(Surplus,), callbacks=[lambda *_: after_each()])
        except (ValueError, optuna.exceptions.UpdateFinishedTrialError) as error:
            if not _was_taken_away(error):
                raise

    def _has_room(self, trials: int) -> bool:
        return len(self.study.get_trials(deepcopy=False, states=(*FINISHED, TrialState.RUNNING))) < trials

    def _claim(self, trial: Trial, trials: int) -> None:
        """Say that this trial is ours. Raises Surplus where others are at enough already, or at the same."""
        if self.is_alone:
            return
        trial.set_user_attr(OWNER, self.name)
        earlier = [one for one in self.study.get_trials(deepcopy=False) if one.number < trial.number]
        taken, repeats = [one for one in earlier if one.state in TAKEN], trial.user_attrs.get(REPEATS)
        first = _first_tries(earlier)
        others = {first[one.number] for one in taken} - {first.get(repeats, trial.number)}
        if len(others) >= trials or _is_done(repeats, taken):
            raise Surplus

    def _repeat_lost(self) -> None:
        """Trials of killed processes count as failed, and their metaparameters are tried next, by whoever is free."""
        for trial in () if self.is_alone else self._running():
            owner = trial.user_attrs.get(OWNER, "")
            if owner != self.name and (has_ended(owner) or self._is_silent(trial, owner)):
                self._repeat(trial)

    def repeat_interrupted(self) -> None:
        """The same for who goes on where another process ended: also trials that say nothing, and our own."""
        for trial in self._running():
            owner = trial.user_attrs.get(OWNER, "")
            _, last = self.study.user_attrs.get(BEAT + owner, (0, 0.0))
            if owner in ("", self.name) or has_ended(owner) or time.time() - last > self.grace_seconds:
                self._repeat(trial)

    def _running(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def _is_silent(self, trial: FrozenTrial, owner: str) -> bool:
        who, sign = owner or f"trial {trial.number}", self.study.user_attrs.get(BEAT + owner)
        heard, since = self._heard.get(who, (None, 0.0))
        if who not in self._heard or sign != heard:
            self._heard[who] = sign, time.monotonic()
            return False
        return time.monotonic() - since > self.grace_seconds

    def _repeat(self, trial: FrozenTrial) -> None:
        planned = {**trial.system_attrs.get(ENQUEUED, {}), **trial.params}  # it may have been killed before it chose
        trials = self.study.get_trials(deepcopy=False, states=TAKEN)
        if planned and trial.number not in [one.user_attrs.get(REPEATS) for one in trials]:
            # First this, as who is killed in between must not take it along; it may be there twice, see `_claim`.
            self.study.enqueue_trial(planned, user_attrs={REPEATS: trial.number})
        with suppress(optuna.exceptions.UpdateFinishedTrialError, ValueError):  # another was quicker, or it has ended
            self.study.tell(trial.number, state=TrialState.FAIL)

    def _drop_doubles(self) -> None:
        """Two may have seen at once that a trial was lost, and put it up for repetition each; one was enough."""
        trials = self.study.get_trials(deepcopy=False)
        finished = [trial for trial in trials if trial.state in FINISHED]
        for trial in trials:
            if trial.state == TrialState.WAITING and _is_done(trial.user_attrs.get(REPEATS), finished):
                with suppress(optuna.exceptions.UpdateFinishedTrialError):  # another was quicker
                    self.study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)


def _first_tries(trials: Sequence[FrozenTrial]) -> dict[int | None, int]:
    """{number: that of the trial which it repeats, perhaps through others; or its own}."""
    found: dict[int | None, int] = {}
    for trial in trials:  # by number
        found[trial.number] = found.get(trial.user_attrs.get(REPEATS), trial.number)
    return found


def _is_done(repeated: int | None, taken: Sequence[FrozenTrial]) -> bool:
    """Whether one of these repeats that trial, or it came to its end itself after all. None: it repeats nothing."""
    return repeated is not None and any(
        one.user_attrs.get(REPEATS) == repeated or (one.number == repeated and one.state in FINISHED) for one in taken
    )


def _was_taken_away(error: Exception) -> bool:
    """Whether Optuna complains that a trial is over already: others took us for killed, and repeat it."""
    return isinstance(error, optuna.exceptions.UpdateFinishedTrialError) or str(error).startswith("Cannot tell a ")


def count_finished(study: optuna.Study) -> int:
    """Trials that came to an end, given up ones included."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def own_seed(seed: int) -> int:
    """Another in each process, so that those that begin together don't try the same."""
    return (seed + zlib.crc32(process_name().encode())) % 2**32
