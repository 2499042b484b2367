"""Score Images: what a model says of a batch."""

from typing import Any

from comfy_api.latest import io, ui

from .. import scoring
from .common import CATEGORY, Model, advanced

ROOM = 3 * 2**30  # bytes of a GPU that the largest image models take


class AestheticScoreImages(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AestheticScoreImages",
            display_name="Score Images",
            category=CATEGORY,
            description="Scores of images, as aesthetic_score_from_model.py gives them for the saved files.",
            inputs=[
                Model.Input("model"),
                io.Image.Input("images"),
                advanced(
                    io.Int.Input(
                        "batch_size",
                        default=16,
                        min=1,
                        max=1024,
                        tooltip="images that go through the image model at once",
                    )
                ),
            ],
            outputs=[
                io.Image.Output("same_images", display_name="images"),
                io.Float.Output(
                    "scores",
                    display_name="scores",
                    is_output_list=True,
                    tooltip="on the scale that the model learnt from",
                ),
                io.Float.Output(
                    "percentiles",
                    display_name="percentiles",
                    is_output_list=True,
                    tooltip="where the scores lie among those of the training images, 0 to 100",
                ),
                io.Float.Output(
                    "errors",
                    display_name="errors",
                    is_output_list=True,
                    tooltip="standard errors; nan where the model has none",
                ),
                io.String.Output("text", display_name="text"),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, model: Any, images: Any, batch_size: int = 16) -> io.NodeOutput:
        from comfy.utils import ProgressBar

        _make_room(model)
        said = scoring.score(model, images, batch_size, ProgressBar(len(images)).update)
        text = scoring.in_words(*said)
        return io.NodeOutput(images, *said, text, ui=ui.PreviewText(text))


def _make_room(model: Any) -> None:
    """On a GPU, what ComfyUI has there and needs no more goes, if it is full."""
    from comfy import model_management

    device = model_management.get_torch_device()
    if device.type == getattr(getattr(model.extractor, "device", None), "type", "cpu") != "cpu":
        model_management.free_memory(ROOM, device)
