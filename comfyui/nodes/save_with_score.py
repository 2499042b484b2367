"""Save with Score: PNG files with the workflow, as Save Image writes them, and with the scores."""

import math
from collections.abc import Sequence
from functools import partial

import folder_paths
from comfy_api.latest import io, ui

from ..keeping import EVERYTHING, reaches
from ..pictures import check_count, each_of, pictures
from ..saving import check_asked, marks_of, save, star_limits
from .common import CATEGORY, advanced, one, scores_input, threshold_input, workflow_texts

STARS = "10,30,60,85"  # as aesthetic_score_from_model.py has them


class AestheticSaveWithScore(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AestheticSaveWithScore",
            display_name="Save with Score",
            category=CATEGORY,
            description="Saves PNGs with the workflow, and with the score in the name, in a text, and as stars.",
            inputs=[
                io.Image.Input("images"),
                scores_input(),
                io.String.Input(
                    "filename_prefix",
                    default="aesthetic/%score%",
                    tooltip="%score%, %rank%, %percentile%, %stars%, and what Save Image knows, such as %year%",
                ),
                scores_input("percentiles", optional=True, tooltip="of Score Images; for %percentile% and stars"),
                io.Boolean.Input("xmp_rating", default=False, optional=True, tooltip="stars in the file, as XMP"),
                threshold_input("save only images of at least this score; -10000: all"),
                advanced(
                    io.String.Input(
                        "stars",
                        default=STARS,
                        optional=True,
                        tooltip="the percentiles where 2, 3, 4 and 5 stars begin",
                    )
                ),
            ],
            outputs=[],
            is_input_list=True,
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        images: list,
        scores: list,
        filename_prefix: list,
        percentiles: list | None = None,
        xmp_rating: Sequence = (False,),
        threshold: Sequence = (EVERYTHING,),
        stars: Sequence = (STARS,),
    ) -> io.NodeOutput:
        every = each_of(images)
        check_count("scores", len(scores), len(every))
        if percentiles is not None:
            check_count("percentiles", len(percentiles), len(every))
        marks = marks_of(scores, percentiles, star_limits(one(stars)))
        check_asked(one(filename_prefix), one(xmp_rating), marks)
        wanted = [i for i, score in enumerate(scores) if math.isnan(score) or reaches(score, one(threshold))]
        place = partial(_place, folder_paths.get_output_directory())
        saved = save(
            [pictures(every[i][None])[0] for i in wanted],
            [marks[i] for i in wanted],
            place,
            one(filename_prefix),
            workflow_texts(cls.hidden),
            one(xmp_rating),
        )
        return io.NodeOutput(ui=ui.SavedImages([ui.SavedResult(*names, io.FolderType.output) for names in saved]))


def _place(output: str, prefix: str, width: int, height: int) -> tuple[str, str, int, str, str]:
    return folder_paths.get_save_image_path(prefix, output, width, height)
