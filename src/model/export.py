"""A predictor as an ONNX graph, for programs without torch."""

import importlib.util
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..common import UserError, replacing
from .file import describe
from .network import Predictor

OPSET = 17
# What the ONNX file says of the features it takes, and of the scores it gives where the predictor's own file did.
OF_THE_FEATURES = (
    "feature_extractor_model",
    "extractor_identity",
    "fp16_features",
    "aim_batch_norm",
    "hidden_states_used",
    "hidden_states_mode",
    "widths",
)
OF_THE_SCORES = ("score_mean", "score_deviation", "filter_model", "filter_threshold", "filter_hash")


class _Graph(nn.Module):
    """Features to the model score, and to its error where there is one."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = predictor

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        score, error = self.predictor.score(features)
        return (score, error) if self.predictor.has_error else (score,)


def export_onnx(predictor: Predictor, path: Path, metadata: Mapping[str, str]) -> None:
    """Write atomically, with what its user has to know in metadata_props. UserError where onnx is missing.

    metadata: what the predictor's file says. A filter that it names is not in the graph.
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
        _add_metadata(temporary, predictor, metadata)


def _add_metadata(path: Path, predictor: Predictor, metadata: Mapping[str, str]) -> None:
    import onnx

    described = describe(predictor)
    known = {key: described[key] for key in OF_THE_FEATURES}
    known |= {key: metadata[key] for key in OF_THE_SCORES if key in metadata}
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, known)
    onnx.save(graph, path)
