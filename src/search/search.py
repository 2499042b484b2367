"""The search: many configurations, tried one by one, to the best predictor, kept as soon as it is found."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import Trial, TrialState
from tqdm import tqdm

from ..common import Interruption, UserError, available_cores, note
from ..model import Blend, GaussianProcess, Predictor, PredictorConfig, combine
from .ahead import Ahead
from .crew import OWN_ATTRIBUTES, Crew, count_finished, own_seed
from .first_results import First, best_of
from .known_good import known_good
from .objective import SUBSETS, Objective, better
from .run_files import RunFiles
from .settings import MetaparameterRanges, SearchSettings
from .study import make_sampler
from .team import Team
from .trainer import Trainer, Tried, TryOut
from .unseen import Unseen, predict_unseen

WHOLE = ("train_epochs", "batch_size", "first_layer_size", "second_layer_size", "components")
REAL = ("warmup_ratio", "log_lr", "log_weight_lr", "dropout", "input_dropout", "output_dropout")
TRIALS_A_PROCESS = 10  # with fewer, its start takes longer than it saves
SIDE_BY_SIDE = 16  # on a GPU


@dataclass(frozen=True)
class Member:
    """One of the best trials so far; value is the objective's."""

    trial: int
    value: float
    predictor: Predictor
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]


class Search:
    """One search: `run` tries configurations; the best predictor, or the `ensemble` best, are always in `files`.

    firsts: what is there before it, the figure to beat. blend: the best networks are blended with the Gaussian
    process among `firsts`, half and half, and that is in `files` as soon as it is better than either of `firsts`;
    with folds, only who trained all folds again would know. is_worker: others search too, one of whom collects what
    all of them find; `files` has the best of this process.
    """

    def __init__(
        self,
        settings: SearchSettings,
        objective: Objective,
        files: RunFiles,
        firsts: Sequence[First] = (),
        blend: bool = False,
        is_worker: bool = False,
    ) -> None:
        assert files.study is not None
        self.settings, self.objective, self.files, self.study = settings, objective, files, files.study
        self.data = files.data
        self.trainer = Trainer(settings.training, objective, self.data)
        self.crew, self.is_worker = Crew(self.study), is_worker
        self.interruption = Interruption()
        self.team = Team(0, self.trainer, 0)  # until there are many trials to share
        self.members: list[Member] = []  # the best first
        self._unsaved = False
        self.blended: float | None = None  # the blend's value, where it is known
        self.to_beat = best_of(objective, firsts) if firsts else None
        processes = [first.predictor for first in firsts if isinstance(first.predictor, GaussianProcess)]
        self.process = processes[0] if blend and processes else None

    def run(self) -> bool:
        """Go on until the study has `trials` trials; False if Ctrl-C ended it before.

        Raises UserError if no trial gave a usable predictor.
        """
        if not self.is_worker:
            self._restore()
        finished = count_finished(self.study)
        with tqdm(total=self.settings.trials, initial=finished, unit="trial", desc="Searching") as bar:
            try:
                with self.interruption.listening():
                    if not self.is_worker:
                        self._begin(bar)
                    self.crew.work(self.settings.trials, self._try, lambda: self._look(bar))  # beside others
                    if not self.is_worker:
                        self._restore()  # what others found
                complete = True
            except KeyboardInterrupt:
                self.close()  # they are at trials that nobody waits for
                complete = False
        if self._unsaved:
            self._write()
        if self.best() is None and not complete and self.to_beat is None:
            raise UserError("stopped before the first trial was finished, so there is no model yet")
        if self.best() is None and complete:
            raise UserError(
                f"{self.objective.name} could not be computed in any trial, so there is no model; are all scores of "
                f"the {self.objective.subset} images the same? If not, try lower --max_log_lr"
            )
        return complete

    def _begin(self, bar: tqdm) -> None:
        """Whatever can be done before anybody else is there; a pruner compares trials in the study itself."""
        first = known_good(self.settings.ranges, len(self.data.rows("train")))
        if not self._compares:
            self._work_ahead(bar, first)
        elif not self.study.get_trials(deepcopy=False):
            for each in first:
                self.study.enqueue_trial(each)

    @property
    def _compares(self) -> bool:
        """Whether one of Optuna's pruners compares each trial with the others while it is trained."""
        return self.settings.pruner not in ("none", "quarters")

    def _work_ahead(self, bar: tqdm, first: Sequence[Mapping[str, Any]]) -> None:
        """Without anybody else, in several processes."""
        ranges, left = self.settings.ranges, self.settings.trials - count_finished(self.study)

        def take(number: int, value: float, tried: Tried, parameters: Mapping[str, Any]) -> None:
            if np.isfinite(value) and self._is_among_the_best(value, number):
                predictor = tried.predictor or self._train(parameters)
                self._keep(Member(number, value, predictor, parameters, tried.metrics))
            self._show(bar, self.members[0].value if self.members else None, int(bar.n) + 1)

        def suggested(trial: Trial) -> dict[str, Any]:
            return suggest(trial, ranges, self.data.config)

        if left <= 0 or self.study.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING)):
            return
        ahead = Ahead(self.study, self.objective.name, suggested, first, self.settings.pruner == "quarters", take)
        on_gpu = self.data.inputs.device.type != "cpu"
        if on_gpu and (self.settings.jobs or 1) > 1:
            note("note: --jobs makes no difference on a GPU, where one process trains; --parallel_trials does")
        together = self.settings.parallel_trials or (SIDE_BY_SIDE if on_gpu else 1)
        components = 0 if self.data.config.hidden_states_mode == "weight" else max(ranges.components)
        self.team = Team(0 if on_gpu else self._jobs(left) - 1, self.trainer, components)
        ahead.work(self.settings.trials, self.trainer, self.team, together, self.interruption)
        # Samplers know one study, and that was the twin.
        self.study.sampler = make_sampler(self.settings.sampler, own_seed(self.settings.seed), beside_others=True)
        if ahead.asked:  # others came, and the team is still at trials that nobody waits for any more
            self.close()

    def _jobs(self, left: int) -> int:
        return min(left, self.settings.jobs or min(available_cores(), max(1, left // TRIALS_A_PROCESS)))

    def best(self) -> optuna.trial.FrozenTrial | None:
        """The best trial so far, None before the first."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return self.study.best_trial if done else None

    def held_out(self, predictor: Predictor) -> tuple[np.ndarray, np.ndarray]:
        """Model scores and errors (N,) by `predictor`, the best that is kept; with folds, those of all images but the
        test split by networks of the same metaparameters that were not trained on them.
        """
        scores, errors = predictor.predict(self.data.inputs.cpu())
        for fold in self.predict_unseen("Training folds again") if self.data.folds is not None else ():
            scores[fold.rows], errors[fold.rows] = fold.networks, fold.errors
        return scores, errors

    def predict_unseen(self, description: str, process: bool = False) -> list[Unseen]:
        """What networks of the best trials' metaparameters say of images that they were not trained on.

        description: of the bar. process: whether a Gaussian process is asked, too.
        """
        members = [member.parameters for member in self.members]
        return predict_unseen(members, self.settings.seed, process, self.trainer, self.team, description)

    def close(self) -> None:
        """End the processes that train beside this one."""
        self.team.close()

    def _restore(self) -> None:
        """The study's best trials, from this run's model file or its workers'; trained once more where they are in
        none, as a file is gone or another's.
        """
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        best = sorted(done, key=lambda trial: self._rank(trial.value, trial.number))[: self.settings.ensemble]
        if [trial.number for trial in best] == [member.trial for member in self.members]:
            return
        kept = self.files.kept()
        found = {**self.files.kept_by_workers(), **kept}
        self.members = []
        for trial in best:
            predictor = found[trial.number] if trial.number in found else self._train(trial.params)
            value = float("nan") if trial.value is None else trial.value
            metrics = {name: metric for name, metric in trial.user_attrs.items() if name not in OWN_ATTRIBUTES}
            self.members.append(Member(trial.number, value, predictor, trial.params, metrics))
        if list(kept) != [trial.number for trial in best]:
            self._save()

    def _rank(self, value: float | None, trial: int) -> tuple[float, int]:
        """Sorts the best first, and of equals the earlier."""
        sign = -1 if self.objective.direction == "maximize" else 1
        return float("inf") if value is None else sign * value, trial

    def _is_among_the_best(self, value: float, trial: int) -> bool:
        if len(self.members) < self.settings.ensemble:
            return True
        last = self.members[-1]
        return self._rank(value, trial) < self._rank(last.value, last.trial)

    def _keep(self, member: Member) -> None:
        """Take it in among the best, and write them down."""
        members = sorted([*self.members, member], key=lambda each: self._rank(each.value, each.trial))
        self.members = members[: self.settings.ensemble]
        self._save()

    def _save(self) -> None:
        """Write the best down; where that can't be done now, go on: it is tried again after each trial."""
        try:
            self._write()
            self._unsaved = False
        except UserError as error:
            if not self._unsaved:
                tqdm.write(f"note: {error}; the search goes on, and tries again", file=sys.stderr)
            self._unsaved = True

    def _write(self) -> None:
        networks = combine([member.predictor for member in self.members])
        if self.process is None:
            self.write(networks)
        elif self.data.folds is None:
            blend = Blend(self.process, networks)
            self.blended = self.trainer.measure(blend, self.objective.subset)[self.objective.name]
            if self.to_beat is None or better(self.objective, self.blended, self.to_beat.value):
                self.write(blend)

    def write(self, predictor: Predictor) -> None:
        """Put what the best trials are, or are part of, on disk as the run's model."""
        best, metrics = self.members[0], self.members[0].metrics
        about: dict[str, Any] = {}
        if len(self.members) > 1:
            about = {"trials": [member.trial for member in self.members]}
        if (
            predictor is not best.predictor and self.data.folds is None
        ):  # with folds, the first member's stand for all
            metrics = self.trainer.measure(predictor, *SUBSETS, self.objective.subset)
            about["single_best_metrics"] = dict(sorted(best.metrics.items()))
        if isinstance(predictor, Blend):
            about["blend_share"] = predictor.share
        self.files.save(predictor, best.trial, best.parameters, metrics, about)

    def _try(self, trial: Trial) -> float:
        parameters = suggest(trial, self.settings.ranges, self.data.config)
        with self.interruption.safe():
            after_epoch = self._pruning(trial) if self._compares else None
            tried = self.trainer.try_out([TryOut(parameters)], after_epoch)[0]
        for name, metric in tried.metrics.items():
            trial.set_user_attr(name, metric)
        value = tried.metrics[self.objective.name]
        if not np.isfinite(value):
            raise optuna.TrialPruned(f"{self.objective.name} is undefined for this network")
        if self._is_among_the_best(value, trial.number):
            predictor = tried.predictor or self._train(parameters)
            self._keep(Member(trial.number, value, predictor, trial.params, tried.metrics))
        return value

    def _train(self, parameters: Mapping[str, Any]) -> Predictor:
        with self.interruption.safe():
            return self.trainer.train(parameters, self.data)

    def _pruning(self, trial: Trial) -> Callable[[int, Predictor], None]:
        def after_epoch(epoch: int, predictor: Predictor) -> None:
            value = self.trainer.measure(predictor, self.objective.subset)[self.objective.name]
            with self.interruption.safe(False):
                trial.report(value, epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned()

        return after_epoch

    def _look(self, bar: tqdm) -> None:
        """Show what all processes have found."""
        best = self.best()
        self._show(bar, None if best is None else best.value, count_finished(self.study))

    def _show(self, bar: tqdm, best: float | None, finished: int) -> None:
        if self._unsaved:
            self._save()
        if best is not None:
            bar.set_postfix_str(self._standing(best), refresh=False)
        bar.update(finished - bar.n)

    def _standing(self, best: float) -> str:
        """What the bar says: of a blend its own value, as that is what has to beat the first results.

        best: the best network's value.
        """
        name, beat = self.objective.name, "" if self.to_beat is None else f", to beat {self.to_beat.value:.4f}"
        if self.process is None:
            return f"best {name} {best:.4f}{beat}"
        if self.blended is None:  # with folds, only who trained all folds again would know
            return f"best network's {name} {best:.4f}"
        return f"blend's {name} {self.blended:.4f}{beat}"


def suggest(trial: Trial, ranges: MetaparameterRanges, config: PredictorConfig) -> dict[str, Any]:
    """Metaparameters of a trial, each from its range."""
    parameters: dict[str, Any] = {}
    for name in (*WHOLE, *REAL):
        if name == "log_weight_lr" and config.hidden_states_mode != "weight" and config.high_end_fix != "variable":
            continue
        if name == "components" and config.hidden_states_mode == "weight":
            continue
        pick = trial.suggest_int if name in WHOLE else trial.suggest_float
        parameters[name] = pick(name, *getattr(ranges, name))
    return parameters
