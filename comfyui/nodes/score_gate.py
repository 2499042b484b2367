"""Score Gate: images go on, or stop here, by their scores."""

from comfy_api.latest import io

from ..keeping import best, others
from ..pictures import check_count, each_of, in_batches
from .common import CATEGORY, one, or_nothing, scores_input

BELOW = ("stop", "pass")


class AestheticScoreGate(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AestheticScoreGate",
            display_name="Score Gate",
            category=CATEGORY,
            description="Images of at least the threshold pass; those below stop here, or pass too.",
            inputs=[
                io.Image.Input("images"),
                scores_input("score"),
                io.Float.Input("threshold", default=0.0, min=-10000.0, max=10000.0, step=0.01),
                io.Combo.Input(
                    "below",
                    options=list(BELOW),
                    default=BELOW[0],
                    tooltip="what becomes of images below the threshold",
                ),
            ],
            outputs=[
                io.Image.Output("passed", display_name="images", is_output_list=True),
                io.Float.Output("passed_scores", display_name="scores", is_output_list=True),
                io.Image.Output(
                    "under",
                    display_name="below",
                    is_output_list=True,
                    tooltip="those below, whether they pass or not",
                ),
            ],
            is_input_list=True,
        )

    @classmethod
    def execute(cls, images: list, score: list, threshold: list, below: list) -> io.NodeOutput:
        every = each_of(images)
        check_count("score", len(score), len(every))
        reach = best(score, threshold=one(threshold), order="original")
        under = others(len(every), reach)
        passed = reach if one(below) == "stop" else range(len(every))
        return io.NodeOutput(
            or_nothing(in_batches([every[i] for i in passed])),
            or_nothing([score[i] for i in passed]),
            or_nothing(in_batches([every[i] for i in under])),
        )
