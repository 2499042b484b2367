"""Combine Scores: two scores of each image as one."""

from collections.abc import Sequence

from comfy_api.latest import io

from ..keeping import RULES, combine
from .common import CATEGORY, one, scores_input


class AestheticCombineScores(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AestheticCombineScores",
            display_name="Combine Scores",
            category=CATEGORY,
            description="Two scores of each image, of two models or other nodes, as one.",
            inputs=[
                scores_input("a"),
                scores_input("b"),
                io.Combo.Input("rule", options=list(RULES), default="mean"),
                io.Float.Input(
                    "weight", default=0.5, min=0.0, max=1.0, step=0.01, optional=True, tooltip="weighted: that of a"
                ),
                io.Float.Input(
                    "threshold",
                    default=0.0,
                    min=-10000.0,
                    max=10000.0,
                    step=0.01,
                    optional=True,
                    tooltip="a if b over threshold: the b from which a counts; below it b does",
                ),
            ],
            outputs=[io.Float.Output("scores", display_name="scores", is_output_list=True)],
            is_input_list=True,
        )

    @classmethod
    def validate_inputs(cls, rule: str) -> bool:
        return True  # the older tool's names of rules are understood too; `combine` refuses others in a sentence

    @classmethod
    def execute(
        cls, a: list, b: list, rule: list, weight: Sequence = (0.5,), threshold: Sequence = (0.0,)
    ) -> io.NodeOutput:
        return io.NodeOutput(combine(a, b, one(rule), one(weight), one(threshold)))
