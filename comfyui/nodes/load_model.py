"""Load Aesthetic Model: a file of models/aesthetic -> a model, for Score Images."""

from comfy_api.latest import io

from ...src.common import UserError
from .. import models
from . import folders
from .common import CATEGORY, Model


class AestheticLoadModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AestheticLoadModel",
            display_name="Load Aesthetic Model",
            category=CATEGORY,
            description="A model of somebody's taste, trained with this toolkit or another that it can read.",
            inputs=[
                io.Combo.Input("model", options=folders.names(), tooltip="files in models/aesthetic"),
                io.Combo.Input(
                    "device",
                    options=list(models.DEVICES),
                    default=models.DEVICES[0],
                    tooltip="where its image model runs; auto: where ComfyUI runs",
                ),
            ],
            outputs=[Model.Output("aesthetic_model", display_name="model")],
        )

    @classmethod
    def validate_inputs(cls, model: str | None) -> bool | str:
        # Instead of ComfyUI's own check, which lists what there is but not where to put one.
        if model is None or folders.path_of(model):  # None: comes from another node
            return True
        if not folders.names():
            return "there is no model yet; put the model.safetensors of a training into ComfyUI/models/aesthetic"
        return f"there is no {model!r} in models/aesthetic; it has {', '.join(folders.names()[:20])}"

    @classmethod
    def fingerprint_inputs(cls, model: str, device: str) -> tuple[str, int, int]:
        return models.state(_path(model))

    @classmethod
    def execute(cls, model: str, device: str) -> io.NodeOutput:
        return io.NodeOutput(models.load(_path(model), _device() if device == "auto" else device))


def _path(model: str) -> str:
    if (path := folders.path_of(model)) is None:
        raise UserError(f"{model}: is no longer in models/aesthetic; put it back, or choose another")
    return path


def _device() -> str:
    """ComfyUI's own, so that --cpu counts here too; of those that only ComfyUI knows, the CPU."""
    from comfy.model_management import get_torch_device

    kind = get_torch_device().type
    return kind if kind in models.DEVICES else "cpu"
