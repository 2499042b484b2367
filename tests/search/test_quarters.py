"""Trials that are given up at quarters of their epochs: which, and that nobody else is."""

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from src.search.ahead import WINDOW
from src.search.quarters import ENOUGH, QUARTERS, limits_of, quarter_of
from tests.search.test_search import run, run_on_disk

MANY = "--trials=16", "--sampler=random", "--min_train_epochs=4", "--min_log_lr=-5", "--jobs=1"


def course(*values, state=TrialState.COMPLETE):
    return create_trial(
        value=values[-1] if state == TrialState.COMPLETE else None,
        state=state,
        intermediate_values=dict(zip(QUARTERS, values, strict=False)),
    )


@pytest.mark.parametrize(
    ("epochs", "ends"),
    [(1, {}), (2, {1: 50}), (3, {1: 25, 2: 50}), (4, {1: 25, 2: 50, 3: 75}), (50, {13: 25, 25: 50, 38: 75})],
)
def test_an_epoch_ends_a_quarter_but_for_the_last(epochs, ends):
    found = {epoch: quarter_of(epoch, epochs) for epoch in range(1, epochs + 1)}
    assert {epoch: quarter for epoch, quarter in found.items() if quarter} == ends


def test_limits_are_medians_of_those_that_came_to_their_end_where_there_are_enough():
    trials = [course(value, value / 2) for value in (5.0, 1.0, 3.0, 2.0)]
    others = [course(0.0, state=TrialState.PRUNED), create_trial(value=0.0, intermediate_values={1: 0.0, 25: 0.0})]
    assert limits_of([*trials, *others]) == {}  # given up, and by epochs, as one of Optuna's pruners has them
    assert len(trials) == ENOUGH - 1
    assert limits_of([*trials, *others, course(4.0)]) == {25: 3.0}
    assert limits_of([*trials, *others, course(4.0, 9.0, 7.0)]) == {25: 3.0, 50: 1.5}


@pytest.mark.parametrize("metric", ["mse", "spearman"])
def test_whoever_is_worse_than_the_median_by_then_is_given_up_and_nobody_else(tmp_path, metric):
    study, best, _ = run(tmp_path, *MANY, f"--metric_for_scoring={metric}")
    sign = 1 if study.direction == optuna.study.StudyDirection.MINIMIZE else -1
    for trial in study.trials:
        limits = limits_of(study.trials[: max(0, trial.number - WINDOW + 1)])
        worse = [
            quarter
            for quarter, value in trial.intermediate_values.items()
            if quarter in limits and sign * value > sign * limits[quarter]
        ]
        given_up = trial.state == TrialState.PRUNED
        assert worse == ([max(trial.intermediate_values)] if given_up else [])
        assert given_up == (not trial.user_attrs)
    assert 0 < sum(trial.state == TrialState.PRUNED for trial in study.trials) < len(study.trials) - ENOUGH
    assert best.kept().keys() == {study.best_trial.number}


def test_a_course_is_what_the_network_is_worth_on_the_images_that_decide(tmp_path):
    whole = run(tmp_path, "--trials=1", "--min_train_epochs=4", "--pruner=median")[0].trials[0]
    study, _, _ = run(tmp_path, "--trials=1", "--min_train_epochs=4")
    (trial,) = study.trials
    epochs = trial.params["train_epochs"]
    at = {quarter: epoch for epoch in range(1, epochs) if (quarter := quarter_of(epoch, epochs))}
    measured = [whole.intermediate_values[at[quarter]] for quarter in QUARTERS]
    np.testing.assert_allclose([trial.intermediate_values[quarter] for quarter in QUARTERS], measured, rtol=1e-5)


def test_a_resumed_search_goes_on_as_if_it_had_not_ended(tmp_path):
    run_on_disk(tmp_path, *MANY[1:], "--trials=12")
    study, _, _ = run_on_disk(tmp_path, *MANY, "--trials=18", "--resume")
    asked = 12  # and by then all of these were told
    limits = limits_of(study.trials[:asked])
    assert limits
    for trial in study.trials[asked : asked + WINDOW]:
        worse = any(trial.intermediate_values[quarter] > limits[quarter] for quarter in trial.intermediate_values)
        assert worse == (trial.state == TrialState.PRUNED)


def test_none_gives_up_nobody_and_looks_at_nothing(tmp_path):
    study, _, _ = run(tmp_path, *MANY, "--pruner=none")
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    assert not any(trial.intermediate_values for trial in study.trials)
