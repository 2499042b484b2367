"""A predictor as an ONNX graph, for programs without torch."""

import importlib.util
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from src.errors import UserError
from src.files import replacing
from src.predictor.network import Predictor

OPSET = 17


class _Graph(nn.Module):
    """Features to the model score, and to its error where there is one."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = predictor

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        score, error = self.predictor.score(features)
        return (score, error) if self.predictor.has_error else (score,)


def export_onnx(predictor: Predictor, path: Path) -> None:
    """Write atomically. UserError where the package onnx is missing.

    Input `features`: float32 (images, W), raw as `arrange` gives them; in mode weight (images, L, W). Outputs `score`
    and, of models with one, `error`: (images,), what `Predictor.predict` gives.
    """
    if importlib.util.find_spec("onnx") is None:
        raise UserError("an ONNX file needs the package onnx, which is not here: python -m pip install onnx")
    config = predictor.config
    width = (config.number_of_features,)
    shape = (len(config.widths), *width) if config.hidden_states_mode == "weight" else width
    outputs = ["score", "error"] if predictor.has_error else ["score"]
    with replacing(path) as temporary, warnings.catch_warnings():
        # torch's older exporter: the newer one needs two more packages and seventeen times as long.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Graph(predictor).eval(),
            (torch.zeros(2, *shape),),
            str(temporary),
            dynamo=False,
            opset_version=OPSET,
            input_names=["features"],
            output_names=outputs,
            dynamic_axes={name: {0: "images"} for name in ("features", *outputs)},
        )
