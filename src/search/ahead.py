"""The trials of one process and its team: asked for a few ahead, told in order, and written down once they are done.

Optuna's sampler works on a twin of the study in memory, as each of its own steps is a transaction in a database. What
is done is put into the study itself in one, so that kill -9 loses what was being trained, and nothing else.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import Trial, TrialState

from ..common import Interruption
from .crew import FINISHED, TAKEN, count_finished
from .quarters import limits_of
from .team import Team
from .trainer import Trainer, Tried, TryOut

# Asked for before the first of them is told. So few, and in order, that with up to three processes a search is the
# same whatever their number; and so many that they rarely wait for one that takes long.
WINDOW = 6


@dataclass
class _Asked:
    """A trial of the twin, and what came of it."""

    trial: Trial
    task: TryOut
    is_given: bool = False
    tried: Tried | None = None


class Ahead:
    """Trials of a study that nobody else is at.

    suggest: metaparameters of a trial. first: those that a new study begins with. gives_up: whether hopeless trials
    are, see `quarters`. take: what becomes of each that is done, in order: its number in the study, the objective's
    value, what was found, and the metaparameters; a value that is nan counts as given up, too.
    """

    def __init__(
        self,
        study: optuna.Study,
        name: str,
        suggest: Callable[[Trial], Mapping[str, Any]],
        first: Sequence[Mapping[str, Any]],
        gives_up: bool,
        take: Callable[[int, float, Tried, Mapping[str, Any]], None],
    ) -> None:
        self.study, self.name, self.suggest, self.gives_up, self.take = study, name, suggest, gives_up, take
        self.twin = _twin(study)
        self.known, self.finished = len(study.get_trials(deepcopy=False)), count_finished(study)
        self.asked: deque[_Asked] = deque()
        self.first = 0 if self.known else len(first)  # of the twin's trials
        for each in first[: self.first]:
            self.twin.enqueue_trial(dict(each))

    def work(self, trials: int, trainer: Trainer, team: Team, together: int, interruption: Interruption) -> None:
        """Until the study has so many, or others have put something into it.

        together: so many are trained side by side by this process, others by the team.
        """
        window = max(WINDOW, 2 * team.size, 2 * together)
        while self.finished < trials and self._is_alone():
            self._ask(min(window, trials - self.finished))
            team_has = self._hand_out(team)
            ours = [each for each in self.asked if not each.is_given][:together]
            with interruption.safe():
                for each, tried in zip(ours, trainer.try_out([one.task for one in ours]), strict=True):
                    each.tried, each.is_given = tried, True
                if team.size:
                    self._collect(team, patient=team_has and not ours)
            while self.asked and self.asked[0].tried and self._is_alone():
                self._tell(self.asked.popleft())
                # After each, not after all that are there: what is asked must not depend on who was quick.
                self._ask(min(window, trials - self.finished))
        self._hand_over(trials)

    def _hand_over(self, trials: int) -> None:
        """To those who came: what is done by now, and what a new study begins with, for whoever is free."""
        for each in self.asked:
            if len(self.study.get_trials(deepcopy=False, states=TAKEN)) >= trials:
                return
            if each.tried:
                self._tell(each)
            elif each.trial.number < self.first:
                self.study.enqueue_trial(each.trial.params)

    def _is_alone(self) -> bool:
        """Whether nobody else has put anything into the study."""
        return len(self.study.get_trials(deepcopy=False)) == self.known

    def _ask(self, count: int) -> None:
        while len(self.asked) < count:
            # By what is told now, not when it is begun: that depends on who was quick.
            limits = limits_of(self.twin.get_trials(deepcopy=False)) if self.gives_up else None
            trial = self.twin.ask()
            self.asked.append(_Asked(trial, TryOut(self.suggest(trial), limits)))

    def _hand_out(self, team: Team) -> bool:
        """To the team what it has room for; whether it is at anything."""
        given = team.give({each.trial.number: each.task for each in self.asked if not each.is_given})
        for each in self.asked:
            each.is_given = each.is_given or each.trial.number in given
        return any(each.is_given and not each.tried for each in self.asked)

    def _collect(self, team: Team, patient: bool) -> None:
        done, lost = team.collect(patient)
        for each in self.asked:
            each.tried = done.get(each.trial.number, each.tried)
            each.is_given = each.is_given and each.trial.number not in lost

    def _tell(self, asked: _Asked) -> None:
        assert asked.tried is not None
        value = asked.tried.metrics.get(self.name, np.nan)
        for quarter, reached in asked.tried.course.items():
            asked.trial.report(reached, quarter)
        for name, metric in asked.tried.metrics.items():
            asked.trial.set_user_attr(name, metric)
        if np.isfinite(value):
            told = self.twin.tell(asked.trial, value)
        else:
            told = self.twin.tell(asked.trial, state=TrialState.PRUNED)
        storage = self.study._storage  # `add_trial` does the same, and does not say the number
        number = storage.get_trial_number_from_id(storage.create_new_trial(self.study._study_id, told))
        self.known, self.finished = self.known + 1, self.finished + 1
        self.take(number, value, asked.tried, asked.task.parameters)


def _twin(study: optuna.Study) -> optuna.Study:
    twin = optuna.create_study(direction=study.direction, sampler=study.sampler)
    twin.add_trials(study.get_trials(deepcopy=False, states=FINISHED))
    return twin
