"""Options of splits: what each image is used for."""

from ...scores import SplitSettings
from ..kinds import ON_OFF, TEXT, number, whole
from ..option import Group, option, trained

SPLITS = Group(
    "Splits",
    (
        trained(
            "--fraction_for_eval",
            "share of the images kept for choosing the best trial",
            number(0, 0.9),
            SplitSettings.fraction_for_eval,
            idle_with=("folds",),
        ),
        trained(
            "--fraction_for_test",
            "share of the images looked at once, at the end",
            number(0, 0.9),
            SplitSettings.fraction_for_test,
        ),
        trained("--eval_pick_seed", "draws the split (default: --seed)", whole(0, 2**32 - 1)),
        trained(
            "--ignore_existing_split",
            "draw anew, whatever the score file's split column says",
            ON_OFF,
            SplitSettings.ignore_existing_split,
        ),
        option(
            "--folds",
            "judge trials by cross-validation in so many parts instead of one eval split; near-identical images "
            "stay together",
            whole(2, 100),
            SplitSettings.folds,
        ),
        option(
            "--group_column",
            "with --folds: images of equal value in this column stay together",
            TEXT,
            SplitSettings.group_column,
        ),
        option(
            "--filter_model",
            "train on those images alone that this model passes: a file in the directory, or a path",
            TEXT,
        ),
        option("--filter_threshold", "the --filter_model's score from which an image passes", number()),
    ),
)
