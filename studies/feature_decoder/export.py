"""A decoder as an ONNX graph, for programs without torch."""

import importlib.util
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.common import UserError, check_writable, replacing

from .decoder import Decoder

OPSET = 17
TOLERANCE = 1e-4  # of pixels in (0, 1)


def export_onnx(decoder: Decoder, path: Path, identity: Mapping[str, Any], features: np.ndarray) -> float:
    """Write atomically, and only what gives torch's pictures of `features` (N, W); returns the largest difference.

    Input `features`: float32 (images, W), raw, hidden states side by side. Output `pictures`: (images, 3, S, S) in
    (0, 1). Raises UserError where onnx or onnxruntime is missing, and where the graph draws something else.
    """
    for package in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"--export_onnx: needs the package {package}, which is not here: pip install {package}")
    if path.suffix.lower() != ".onnx":  # it could be an image
        raise UserError(f"--export_onnx={path}: must end with .onnx")
    check_writable("export_onnx", path)
    decoder = decoder.cpu().eval()
    with replacing(path) as temporary:
        with warnings.catch_warnings():
            # torch's older exporter: the newer one needs two more packages.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                decoder,
                (torch.from_numpy(features[:1]),),
                str(temporary),
                dynamo=False,
                opset_version=OPSET,
                input_names=["features"],
                output_names=["pictures"],
                dynamic_axes={"features": {0: "images"}, "pictures": {0: "images"}},
            )
        _describe(temporary, identity)
        difference = _difference(decoder, temporary, features)
        if not difference <= TOLERANCE:
            raise UserError(
                f"--export_onnx={path}: not written, its pictures differ from torch's by {difference:.1e}"
            )
    return difference


def _describe(path: Path, identity: Mapping[str, Any]) -> None:
    import onnx

    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, {name: json.dumps(value) for name, value in identity.items()})
    onnx.save(graph, path)


def _difference(decoder: Decoder, path: Path, features: np.ndarray) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (pictures,) = session.run(["pictures"], {"features": features.astype(np.float32)})
    with torch.no_grad():
        return float(np.abs(pictures - decoder(torch.from_numpy(features)).numpy()).max())
