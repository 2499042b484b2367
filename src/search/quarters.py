"""Trials that look hopeless are given up: at quarters of their epochs, beside what those that went on were by then.

A network's learning rate falls to zero at its last epoch, whatever their number, so trials are compared at the same
share of their epochs.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from optuna.trial import FrozenTrial, TrialState

QUARTERS = (25, 50, 75)  # percent of a trial's epochs: the steps of its intermediate values
ENOUGH = 5  # trials that were trained to their end, before any is given up

Limits = Mapping[int, float]  # {quarter: value of the objective}; whoever is worse then is given up


def quarter_of(epoch: int, epochs: int) -> int | None:
    """The quarter that ends with this epoch, from 1, of so many; None with the last epoch, and within quarters."""
    ended = [quarter for quarter in QUARTERS if epoch == -(-epochs * quarter // 100) and epoch < epochs]
    return ended[-1] if ended else None


def limits_of(trials: Sequence[FrozenTrial]) -> Limits:
    """The medians of those of `trials` that were trained to their end; none where these are few."""
    courses = [
        trial.intermediate_values
        for trial in trials
        if trial.state == TrialState.COMPLETE and set(trial.intermediate_values) <= set(QUARTERS)  # not of a pruner
    ]
    values = {quarter: [course[quarter] for course in courses if quarter in course] for quarter in QUARTERS}
    return {quarter: float(np.median(each)) for quarter, each in values.items() if len(each) >= ENOUGH}
