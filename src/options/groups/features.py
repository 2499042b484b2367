"""Options of features: which image model, at which hidden states, and how these are put together."""

import argparse

from ...common import UserError
from ..kinds import NUMBERS, ON_OFF, STATES, TEXT, choice, whole
from ..option import CHOOSE, TRAIN, Group, of, option, shared

ASSISTED = ("rating=assisted",)  # in choosing

FEATURES = Group(
    "Features",
    (
        of(TRAIN, CHOOSE)(
            "--feature_extractor --feature_extractor_model",
            "the image model: embedded (needs no download; fast:embedded for cameras' JPEGs), or one by hub name or "
            "folder; several with commas between",
            TEXT,
            "ChrisGoringe/vitH16",
            needs=ASSISTED,
        ),
        option("--list_extractors", "print well-known image models, and which are here, and stop", ON_OFF, False),
        shared("--extract_batch_size", "images that go through the image model at once", whole(1), 16),
        of(TRAIN, CHOOSE)("--fp16_features", "run the image model in half precision", ON_OFF, False, needs=ASSISTED),
        option(
            "--aim_batch_norm",
            "AIM only: its head normalises by the statistics of its training (eval) or of each image (batch)",
            choice("eval", "batch"),
            "eval",
        ),
        of(TRAIN, CHOOSE)(
            "--hidden_states_used",
            "layers to take features from, counted from the last one, 0 (default: the image model's best)",
            STATES,
            needs=ASSISTED,
        ),
        option(
            "--hidden_states_mode",
            "how several layers are put together; default: as suits the image model",
            choice("default", "join", "average", "weight"),
            "default",
        ),
        option("--weight_hidden_states", "the same as --hidden_states_mode=weight", ON_OFF, False),
        option(
            "--fixed_hidden_state_weights",
            "mode weight with these weights, one a layer and then, if wanted, the bias, instead of trained ones",
            NUMBERS,
        ),
    ),
)


def hidden_states_mode(arguments: argparse.Namespace, default: str) -> str:
    """The mode that `--hidden_states_mode` and its shorthands ask for; `default` is the extractor's own.

    Raises UserError where they contradict each other, or the fixed weights are not one a state (and a bias).
    """
    mode, used, fixed = (
        arguments.hidden_states_mode,
        arguments.hidden_states_used,
        arguments.fixed_hidden_state_weights,
    )
    if (arguments.weight_hidden_states or fixed) and mode not in ("default", "weight"):
        shorthand = "weight_hidden_states" if arguments.weight_hidden_states else "fixed_hidden_state_weights"
        raise UserError(f"--{shorthand} means --hidden_states_mode=weight, but that is {mode}; take one of them out")
    if fixed and len(fixed) not in (len(used), len(used) + 1):
        raise UserError(
            f"--fixed_hidden_state_weights has {len(fixed)} numbers; {len(used)} hidden states are used, so it needs "
            f"{len(used)}, or {len(used) + 1} with the bias"
        )
    if arguments.weight_hidden_states or fixed:
        return "weight"
    return default if mode == "default" else mode
