"""EfficientNet-Lite in ONNX Runtime, which on a CPU takes half of torch's time: convolution and ReLU6 in one pass."""

from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ...common import note

OPSET, IR_VERSION = 17, 8  # old enough for every ONNX Runtime of the last years
FEATURES = "features of hidden state {}"


@cache
def onnx_runtime() -> ModuleType | None:
    """The package onnxruntime, or None, with a note, where it or onnx can't be imported."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        note(f"note: {error}: images take twice as long on a CPU; run: python -m pip install onnx onnxruntime")
        return None
    return onnxruntime


class OnnxNetwork(nn.Module):
    """An `EfficientNet` of `efficientnet.py`, called as that is, by any number of threads; a call takes one core."""

    def __init__(self, network: nn.Module, runtime: ModuleType) -> None:
        super().__init__()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        graph = network_graph(network).SerializeToString()
        self._session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def forward(self, x: Tensor, hidden_states: Sequence[int]) -> dict[int, Tensor]:
        """x: (B, 3, S, S), scaled. Returns {k: (B, W_k)}."""
        names = [FEATURES.format(k) for k in hidden_states]
        features = self._session.run(names, {"x": x.contiguous().numpy()})
        return {k: torch.from_numpy(block) for k, block in zip(hidden_states, features, strict=True)}


def network_graph(network: Any) -> Any:
    """An `EfficientNet` as an onnx.ModelProto: x (B, 3, S, S) to the features (B, W_k) of every hidden state."""
    graph = _Graph()
    x = graph.activated("x", network.stem)
    for k, block in zip(range(len(network.blocks) + 1, 1, -1), network.blocks, strict=True):
        wide = x if block.expand is None else graph.activated(x, block.expand)
        inner = graph.activated(wide, block.depthwise)
        y = graph.convolved(inner, block.project)
        x = graph.node("Add", [y, x]) if block.adds_input else y
        graph.pooled(x, k)
    graph.pooled(inner, 1)
    graph.pooled(graph.activated(x, network.head), 0)
    return graph.model()


class _Graph:
    """Nodes and weights, as they are added; a node's output is named by its number."""

    def __init__(self) -> None:
        import onnx

        self._onnx = onnx
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._outputs: list[str] = []
        self._limits = [self._weight(torch.tensor(limit)) for limit in (0.0, 6.0)]

    def node(self, operator: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        output = output or f"{operator} {len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [output], **attributes))
        return output

    def convolved(self, x: str, layer: nn.Conv2d) -> str:
        weights = [self._weight(tensor) for tensor in (layer.weight, layer.bias)]
        pads = [*layer.padding, *layer.padding]  # before, and after
        return self.node("Conv", [x, *weights], strides=layer.stride, pads=pads, group=layer.groups)

    def activated(self, x: str, layer: nn.Conv2d) -> str:
        return self.node("Clip", [self.convolved(x, layer), *self._limits])  # ReLU6

    def pooled(self, x: str, hidden_state: int) -> None:
        name = FEATURES.format(hidden_state)
        self._outputs.append(self.node("ReduceMean", [x], name, axes=[2, 3], keepdims=0))

    def _weight(self, tensor: Any) -> str:
        name = f"weight {len(self._weights)}"
        self._weights.append(self._onnx.numpy_helper.from_array(tensor.detach().contiguous().numpy(), name))
        return name

    def model(self) -> Any:
        helper, float32 = self._onnx.helper, self._onnx.TensorProto.FLOAT
        x = helper.make_tensor_value_info("x", float32, ["B", 3, "S", "S"])
        outputs = [helper.make_tensor_value_info(name, float32, ["B", None]) for name in self._outputs]
        graph = helper.make_graph(self._nodes, "EfficientNet-Lite", [x], outputs, self._weights)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
