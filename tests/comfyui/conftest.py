"""A model of the embedded image model, and the nodes on the stand-in of ComfyUI."""

import asyncio
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from src.features import extract, load_extractor
from src.model import fit_predictor, save_predictor
from tests.comfyui import pack, standin


@pytest.fixture(scope="package")
def model(tmp_path_factory):
    """The file of a small model that was trained on a few pictures."""
    folder = tmp_path_factory.mktemp("model")
    generator = np.random.default_rng(0)
    pictures = [Image.fromarray(generator.integers(0, 256, (3 + i, 4, 3), dtype=np.uint8)) for i in range(8)]
    extractor = load_extractor("efficientnet-lite0", "cpu")
    features = extract([picture.resize((64, 48)) for picture in pictures], extractor)
    predictor = fit_predictor(features, np.linspace(-1, 1, 8), extractor=extractor, epochs=5, device="cpu")
    save_predictor(
        folder / "model.safetensors", predictor, {"train_score_quantiles": np.linspace(-2, 2, 101).tolist()}
    )
    return folder / "model.safetensors"


@pytest.fixture
def comfy(monkeypatch, tmp_path):
    """The nodes by their ids, as attributes; `base` is the folder of models/ and output/, `api` newer ComfyUI's."""
    found = standin.put_in(monkeypatch, tmp_path)
    bound = [
        name for name in sys.modules if name.startswith((f"{pack.NAME}.comfyui.nodes", f"{pack.NAME}.comfyui.ext"))
    ]
    for name in bound:  # to the stand-in of another test
        monkeypatch.delitem(sys.modules, name)
    extension = asyncio.run(pack.load_pack().comfy_entrypoint())
    nodes = asyncio.run(extension.get_node_list())
    yield SimpleNamespace(
        base=tmp_path,
        extension=extension,
        latest=found["comfy_api.latest"],
        folder_paths=found["folder_paths"],
        args=found["comfy.cli_args"].args,
        nodes=nodes,
        **{node.__name__: node for node in nodes},
    )
    for name in [
        name for name in sys.modules if name.startswith((f"{pack.NAME}.comfyui.nodes", f"{pack.NAME}.comfyui.ext"))
    ]:
        del sys.modules[name]
