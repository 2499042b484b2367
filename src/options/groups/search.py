"""Options of the search: how many trials, and from which metaparameters."""

import argparse
from dataclasses import fields

from ...search import MetaparameterRanges, SearchSettings, StudySettings
from ..kinds import ON_OFF, choice, number, whole
from ..option import NO_SEARCH, Group, option, span
from ..settings import settings_of
from .learning import objective_settings, training_settings

IN_A_BLEND = 5  # networks, where it isn't said
PRUNERS = ("median", "percentile", "hyperband", "successive_halving")
# Trials of such a search are trained one after the other.
ONE_BY_ONE = (*NO_SEARCH, "worker", *(f"pruner={name}" for name in PRUNERS))

SEARCH = Group(
    "Search",
    (
        option(
            "--trials",
            "networks to try, those of a resumed study included; 0: only prepare features",
            whole(0),
            SearchSettings.trials,
        ),
        option(
            "--details",
            "end with the metaparameters and a line of statistics for each split, p-values too",
            ON_OFF,
            False,
        ),
        option(
            "--sampler",
            "how the search picks metaparameters",
            choice("tpe", "CmaEs", "gp", "random", "QMC"),
            SearchSettings.sampler,
            idle_with=NO_SEARCH,
        ),
        option(
            "--pruner",
            "which trials are given up early; quarters: those that are worse at a quarter, half or three quarters "
            "of their epochs than half of the others; not with folds",
            choice("none", "quarters", *PRUNERS),
            SearchSettings.pruner,
            idle_with=NO_SEARCH,
        ),
        option(
            "--jobs",
            "processes that train at once, on a CPU (default: as many as cores, but one for each 10 trials)",
            whole(1),
            idle_with=ONE_BY_ONE,
        ),
        option(
            "--parallel_trials",
            "networks that one process trains side by side as one (default: 1, on a GPU 16)",
            whole(1),
            idle_with=(*ONE_BY_ONE, "folds"),
        ),
        option(
            "--ensemble",
            "keep so many of the best networks as one model, which gives their mean (default: 5 in a blend, else 1)",
            whole(1),
            idle_with=NO_SEARCH,
        ),
        option(
            "--resume",
            "go on with the newest study of this name",
            ON_OFF,
            StudySettings.resume,
            idle_with=NO_SEARCH,
        ),
        option(
            "--worker",
            "join the search of the same command without it, on this machine or another; --trials counts for all",
            ON_OFF,
            StudySettings.worker,
            idle_with=(*NO_SEARCH, "resume"),
        ),
        option(
            "--collect",
            "try nothing more: put the best model that workers found in its place",
            ON_OFF,
            StudySettings.collect,
            idle_with=(*NO_SEARCH, "resume", "worker"),
        ),
        option(
            "--layer_sweep",
            "which layer knows best? each by itself, on the eval images: by ridge regression (quick), or also by "
            "the best trial's network; alone: network",
            choice("off", "ridge", "network", bare="network"),
            "off",
        ),
        option(
            "--model_seed",
            "starts the networks' weights (default: --seed)",
            whole(0, 2**32 - 1),
            idle_with=NO_SEARCH,
        ),
        option(
            "--model_type",
            "what is trained: mlp, networks; gp, a Gaussian process, and ridge, ridge regression, which need no "
            "search; blend, networks and the Gaussian process together",
            choice("mlp", "gp", "blend", "ridge"),
            "blend",
        ),
    ),
)

METAPARAMETERS = Group(
    "Metaparameters",
    (
        *span("train_epochs", "passes over the train split", whole(1), MetaparameterRanges.train_epochs),
        *span(
            "warmup_ratio",
            "share of the steps in which the learning rate rises",
            number(0, 1),
            MetaparameterRanges.warmup_ratio,
        ),
        *span("log_lr", "log10 of the learning rate", number(-10, 1), MetaparameterRanges.log_lr),
        *span(
            "log_weight_lr",
            "log10 of the learning rate of hidden state weights",
            number(-10, 1),
            MetaparameterRanges.log_weight_lr,
            needs=("hidden_states_mode=weight", "weight_hidden_states"),
            idle_with=(*NO_SEARCH, "fixed_hidden_state_weights"),
        ),
        *span("batch_size", "images a step", whole(1), MetaparameterRanges.batch_size),
        *span("first_layer_size", "size of the first hidden layer", whole(1), MetaparameterRanges.first_layer_size),
        *span(
            "second_layer_size", "size of the second hidden layer", whole(1), MetaparameterRanges.second_layer_size
        ),
        *span("dropout", "dropout before the second layer", number(0, 0.99), MetaparameterRanges.dropout),
        *span("input_dropout", "dropout of the features", number(0, 0.99), MetaparameterRanges.input_dropout),
        *span(
            "components",
            "principal components of the features that networks are trained on, 0: on all features",
            whole(0),
            MetaparameterRanges.components,
            idle_with=(*NO_SEARCH, "hidden_states_mode=weight"),
        ),
        *span("output_dropout", "dropout before the output", number(0, 0.99), MetaparameterRanges.output_dropout),
    ),
)


def ensemble(arguments: argparse.Namespace) -> int:
    """How many networks are one model."""
    if arguments.ensemble is not None:
        return int(arguments.ensemble)
    return IN_A_BLEND if arguments.model_type == "blend" else SearchSettings.ensemble


def search_settings(arguments: argparse.Namespace) -> SearchSettings:
    """What the search tries, and what it is after."""
    ranges = {
        one.name: (getattr(arguments, f"min_{one.name}"), getattr(arguments, f"max_{one.name}"))
        for one in fields(MetaparameterRanges)
    }
    return settings_of(
        SearchSettings,
        arguments,
        ensemble=ensemble(arguments),
        ranges=MetaparameterRanges(**ranges),
        training=training_settings(arguments),
        objective=objective_settings(arguments),
    )
