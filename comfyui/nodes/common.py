"""What several schemas share."""

import json
from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..keeping import EVERYTHING

CATEGORY = "aesthetic"
Model = io.Custom("AESTHETIC_MODEL")


def advanced(widget: Any) -> Any:
    """Of those that a node shows when it is asked for more; ComfyUI before 0.4 shows them all."""
    widget.extra_dict = {**widget.extra_dict, "advanced": True}
    return widget


def scores_input(name: str = "scores", **more: Any) -> Any:
    """Scores from another node; nobody types them."""
    return io.Float.Input(name, force_input=True, **more)


def threshold_input(tooltip: str) -> Any:
    """The least score; nothing is below the default."""
    return io.Float.Input(
        "threshold",
        default=EVERYTHING,
        min=EVERYTHING,
        max=-EVERYTHING,
        step=0.01,
        optional=True,
        tooltip=tooltip,
    )


def one(values: Sequence[Any]) -> Any:
    """The value of a widget, which a node that takes lists gets as a list."""
    return values[0]


def or_nothing(series: list) -> Any:
    """A series for an output; of an empty one nothing comes after, as ComfyUI can't run a node on no item."""
    return series or ExecutionBlocker(None)


def workflow_texts(hidden: Any) -> dict[str, str] | None:
    """What Save Image writes into a PNG, for the workflow to be loaded from it; None where that is not wanted."""
    from comfy.cli_args import args

    if args.disable_metadata:
        return None
    texts = {"prompt": hidden.prompt, **(hidden.extra_pnginfo or {})}
    return {key: json.dumps(value) for key, value in texts.items() if value is not None}
