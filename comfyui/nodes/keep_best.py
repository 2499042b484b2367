"""Keep Best: some of the images, by their scores, with the latents and masks that belong to them."""

from collections.abc import Callable, Sequence
from typing import Any

from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..keeping import EVERYTHING, ORDERS, best, others
from ..latents import each_latent, latent_batches
from ..pictures import check_count, each_of, in_batches
from .common import CATEGORY, one, or_nothing, scores_input, threshold_input


class AestheticKeepBest(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AestheticKeepBest",
            display_name="Keep Best",
            category=CATEGORY,
            description="The best images of all that come, whatever batches and lists they come in.",
            inputs=[
                io.Image.Input("images"),
                scores_input(),
                io.Int.Input("k", default=1, min=0, max=4096, tooltip="so many of the best; 0: all"),
                threshold_input("only images of at least this score; -10000: all"),
                io.Combo.Input("order", options=list(ORDERS), default=ORDERS[0], tooltip="of what is kept"),
                io.Latent.Input("latents", optional=True),
                io.Mask.Input("masks", optional=True),
            ],
            outputs=[
                io.Image.Output("kept_images", display_name="images", is_output_list=True),
                io.Latent.Output("kept_latents", display_name="latents", is_output_list=True),
                io.Mask.Output("kept_masks", display_name="masks", is_output_list=True),
                io.Float.Output("kept_scores", display_name="scores", is_output_list=True),
                io.String.Output(
                    "indexes", display_name="indexes", tooltip="where the kept ones stood, from 0, such as 4,0"
                ),
                io.Image.Output(
                    "rest",
                    display_name="rest",
                    is_output_list=True,
                    tooltip="the images that are not kept, as they came",
                ),
            ],
            is_input_list=True,
        )

    @classmethod
    def execute(
        cls,
        images: list,
        scores: list,
        k: list,
        order: list,
        threshold: Sequence = (EVERYTHING,),
        latents: list | None = None,
        masks: list | None = None,
    ) -> io.NodeOutput:
        every = each_of(images)
        check_count("scores", len(scores), len(every))
        kept = best(scores, one(k), one(threshold), one(order))
        rest = others(len(every), kept)
        return io.NodeOutput(
            or_nothing(in_batches([every[i] for i in kept])),
            _kept("latents", latents, each_latent, latent_batches, kept, len(every)),
            _kept(
                "masks",
                masks,
                lambda series: [mask for batch in series for mask in batch],
                in_batches,
                kept,
                len(every),
            ),
            or_nothing([scores[i] for i in kept]),
            ",".join(map(str, kept)),
            or_nothing(in_batches([every[i] for i in rest])),
        )


def _kept(
    what: str, series: list | None, apart: Callable, together: Callable, kept: Sequence[int], count: int
) -> Any:
    if series is None:
        return ExecutionBlocker(f"Keep Best: gives {what} only where its input {what} is connected")
    singles = apart(series)
    check_count(what, len(singles), count)
    return or_nothing(together([singles[i] for i in kept]))
