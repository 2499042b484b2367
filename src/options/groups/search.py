"""Options of the search: how many trials, and from which metaparameters."""

from ..kinds import ON_OFF, choice, number, whole
from ..option import Group, option, span

SEARCH = Group(
    "Search",
    (
        option(
            "--trials",
            "networks to try, those of a resumed study included; 0: only prepare features",
            whole(0),
            60,
        ),
        option(
            "--sampler",
            "how the search picks metaparameters",
            choice("tpe", "CmaEs", "gp", "random", "QMC"),
            "tpe",
        ),
        option(
            "--pruner",
            "how hopeless trials are given up early",
            choice("none", "median", "percentile", "hyperband", "successive_halving"),
            "none",
        ),
        option("--ensemble", "keep so many of the best networks as one model, which gives their mean", whole(1), 1),
        option("--resume", "go on with the newest study of this name", ON_OFF, False),
        option(
            "--layer_sweep",
            "which layer knows best? each by itself, on the eval images: by ridge regression (quick), or also by "
            "the best trial's network; alone: network",
            choice("off", "ridge", "network", bare="network"),
            "off",
        ),
        option("--model_seed", "starts the networks' weights (default: --seed)", whole(0, 2**32 - 1)),
        option(
            "--model_type",
            "what is trained: mlp, networks; ridge, ridge regression, which needs no search",
            choice("mlp", "ridge"),
            "mlp",
        ),
    ),
)

METAPARAMETERS = Group(
    "Metaparameters",
    (
        *span("train_epochs", "passes over the train split", whole(1), 5, 50),
        *span("warmup_ratio", "share of the steps in which the learning rate rises", number(0, 1), 0.0, 0.2),
        *span("log_lr", "log10 of the learning rate", number(-10, 1), -4.5, -2.5),
        *span("log_weight_lr", "log10 of the learning rate of hidden state weights", number(-10, 1), -4.5, -2.5),
        *span("batch_size", "images a step", whole(1), 1, 100),
        *span("first_layer_size", "size of the first hidden layer", whole(1), 10, 1000),
        *span("second_layer_size", "size of the second hidden layer", whole(1), 10, 1000),
        *span("dropout", "dropout before the second layer", number(0, 0.99), 0.0, 0.8),
        *span("input_dropout", "dropout of the features", number(0, 0.99), 0.0, 0.8),
        *span("output_dropout", "dropout before the output", number(0, 0.99), 0.0, 0.0),
    ),
)
