"""What a frozen image model sees of pictures at some of its blocks: what a network that draws is trained by."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from src.common import UserError
from src.features import EMBEDDED, embedded_network


class Observer:
    """An embedded image model, with gradients to the pictures. layers: its blocks, from 0.

    side: pixels on a side of what it looks at. option: what `layers` are called on the command line. Raises UserError
    for another image model, and for blocks that there are not.
    """

    def __init__(self, name: str, layers: Sequence[int], side: int, device: torch.device, option: str) -> None:
        if name not in EMBEDDED:
            raise UserError(
                f"{name}: pictures can't be compared in it, as gradients must pass through it; take one of "
                f"{', '.join(EMBEDDED)}"
            )
        # Channels last is what depthwise convolutions are quickest in: half of the time on a CPU.
        network = embedded_network(name).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network, self.layers, self.side = network.to(device), sorted(set(layers)), side
        if max(layers) >= len(self.network.blocks):
            raise UserError(
                f"--{option}={','.join(map(str, layers))}: the blocks of {name} are 0 to "
                f"{len(self.network.blocks) - 1}"
            )

    def __call__(self, pictures: Tensor) -> list[Tensor]:
        """(B, C, H, W) of each layer, rising, of pictures (B, 3, S, S) in [0, 1]."""
        if pictures.shape[-1] != self.side:
            pictures = interpolate(pictures, size=(self.side, self.side), mode="bilinear")
        return self.network.maps(pictures.contiguous(memory_format=torch.channels_last), self.layers)
