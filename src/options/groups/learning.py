"""Options of learning: the network, what training minimises, and the number that decides."""

import argparse

from ...common import METRIC_NAMES
from ...scores import BalanceSettings
from ...search import ObjectiveSettings, TrainingSettings
from ..kinds import BALANCE, ON_OFF, TEXT, choice, number, whole
from ..option import NO_SEARCH, Group, option
from ..settings import settings_of

NETWORK = Group(
    "Network",
    (
        option(
            "--high_end_fix",
            "a second network, of the same sizes, which speaks where the first finds an image good",
            ON_OFF,
            False,
            idle_with=(*NO_SEARCH, "variable_high_end_fix"),
        ),
        option(
            "--variable_high_end_fix",
            "the same, and where and how much it speaks is trained too",
            ON_OFF,
            False,
            idle_with=NO_SEARCH,
        ),
    ),
)

LEARNING = Group(
    "Loss and metrics",
    (
        option(
            "--loss_model",
            "what training minimises",
            choice("mse", "wmse", "ab", "nll", "choices"),
            TrainingSettings.loss_model,
            idle_with=NO_SEARCH,
        ),
        option(
            "--weight_by_error",
            "images of uncertain score count for less, by the score file's column score_error (loss mse or wmse)",
            ON_OFF,
            TrainingSettings.weight_by_error,
        ),
        option(
            "--balance",
            "bring groups of train images to one size: some are repeated or left out",
            BALANCE,
            BalanceSettings.balance,
        ),
        option(
            "--balance_by",
            "what the groups are: score (in bins), folder, or a column",
            TEXT,
            BalanceSettings.balance_by,
        ),
        option(
            "--balance_bins",
            "equal steps of the score that are groups",
            whole(2),
            BalanceSettings.balance_bins,
            needs=("balance",),
        ),
        option(
            "--normalise_weights",
            "scale the weight column to mean 1 (loss wmse)",
            ON_OFF,
            TrainingSettings.normalise_weights,
            needs=("loss_model=wmse",),
        ),
        option(
            "--set_for_scoring",
            "the images that decide which trial is best",
            choice("eval", "train", "full", "test"),
            ObjectiveSettings.set_for_scoring,
        ),
        option("--metric_for_scoring", "the number that decides (default: that of the loss)", choice(*METRIC_NAMES)),
        option(
            "--accuracy_divider",
            "accuracy asks: on the right side of this score? (default: the median)",
            number(),
            needs=("calculate_accuracy=on", "metric_for_scoring=accuracy"),
        ),
        *(
            option(f"--calculate_{metric}", f"record {metric} of every trial", ON_OFF, True)
            for metric in METRIC_NAMES
        ),
    ),
)


def high_end_fix(arguments: argparse.Namespace) -> str:
    """The high-end fix that is asked for: none, fixed, variable."""
    if arguments.variable_high_end_fix:
        return "variable"
    return "fixed" if arguments.high_end_fix else "none"


def training_settings(arguments: argparse.Namespace) -> TrainingSettings:
    """How every network of the search is trained."""
    model_seed = arguments.seed if arguments.model_seed is None else arguments.model_seed
    balance = settings_of(BalanceSettings, arguments)
    return settings_of(TrainingSettings, arguments, balance=balance, model_seed=model_seed)


def objective_settings(arguments: argparse.Namespace) -> ObjectiveSettings:
    """Which trial is best, and the metrics of --calculate_... ."""
    recorded = tuple(name for name in METRIC_NAMES if getattr(arguments, f"calculate_{name}"))
    return settings_of(ObjectiveSettings, arguments, recorded=recorded)
