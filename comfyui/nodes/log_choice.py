"""Log Choice: what a person picked among images, for the next training."""

import logging

import folder_paths
from comfy_api.latest import io

from ..choices import comparisons_path, log_choice
from ..keeping import indexes
from ..pictures import each_of, pictures
from ..saving import png_texts
from .common import CATEGORY, one, workflow_texts


class AestheticLogChoice(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AestheticLogChoice",
            display_name="Log Choice",
            category=CATEGORY,
            description="Stores which images you picked, where aesthetic_ab_scorer.py and training find it.",
            inputs=[
                io.Image.Input("images"),
                io.String.Input(
                    "picked", default="", tooltip="the better ones, from 0, such as 4,0; empty: nothing is stored"
                ),
                io.String.Input(
                    "comparisons",
                    default="aesthetic/comparisons.sqlite",
                    tooltip="a file below ComfyUI's output folder",
                ),
                io.String.Input("rater", default="me", tooltip="who picks; each rater's choices are rated apart"),
            ],
            outputs=[io.Image.Output("same_images", display_name="images", is_output_list=True)],
            is_input_list=True,
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images: list, picked: list, comparisons: list, rater: list) -> io.NodeOutput:
        every = each_of(images)
        path = comparisons_path(one(comparisons), folder_paths.get_output_directory())
        stored = log_choice(
            [pictures(image[None])[0] for image in every],
            indexes(one(picked), len(every)),
            path,
            one(rater),
            png_texts(workflow_texts(cls.hidden)),
        )
        logging.info("aesthetic: %s: %d comparisons by %s", path, stored, one(rater))
        return io.NodeOutput(images)
