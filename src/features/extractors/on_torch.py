"""The part that all extractors on torch share: the device, the threads, and a network loaded when first needed."""

import abc
import warnings
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ...common import available_cores, pick_device, torch_threads
from .base import Extractor


class TorchExtractor(Extractor):
    """An extractor whose network is a torch module. device: cpu, cuda or mps, or auto, as `pick_device` takes it."""

    def __init__(self, device: str) -> None:
        self.device = pick_device(device)
        self._network: nn.Module | None = None
        self._threads = available_cores()  # Training has one for its small matrices; an image network wants them all.
        self._loading = Lock()

    @abc.abstractmethod
    def _load(self) -> nn.Module:
        """The network, in evaluation mode, on `self.device`."""

    @abc.abstractmethod
    def _features(self, network: nn.Module, batch: Any, hidden_states: Sequence[int]) -> dict[int, Tensor]:
        """{k: (B, W_k)} of what `_batch` made of B prepared images, on `self.device`."""

    def _batch(self, prepared: Sequence[np.ndarray]) -> Any:
        """Prepared images of one shape as a network takes them: (B, …) on `self.device`."""
        return torch.from_numpy(np.stack(prepared)).to(self.device)

    def _groups(self, prepared: Sequence[np.ndarray]) -> list[list[int]]:
        """The rows that can share a batch: those of one shape. Most image models make all images the same."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for row, array in enumerate(prepared):
            groups.setdefault(array.shape, []).append(row)
        return list(groups.values())

    def __call__(self, prepared: list[np.ndarray], hidden_states: Sequence[int]) -> dict[int, np.ndarray]:
        self.check_hidden_states(hidden_states)
        groups = self._groups(prepared)
        with torch.inference_mode(), torch_threads(self._threads):
            with self._loading:
                self._network = self._network or self._load().eval()
            batches = [self._batch([prepared[row] for row in rows]) for rows in groups]
            parts = [self._features(self._network, batch, hidden_states) for batch in batches]
            order = np.argsort(np.concatenate(groups))
            return {k: torch.cat([part[k].float().cpu() for part in parts]).numpy()[order] for k in hidden_states}


def as_tensor(image: Image.Image) -> Tensor:
    """(1, 3, H, W) uint8 of an RGB image, in memory channels last; to be read only.

    An array of one's own would be a second copy, 72 MB of a photograph of 24 megapixels.
    """
    # Asking twice does not add twice; a person's own -W options win.
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable", append=True)
    return torch.from_numpy(np.asarray(image)).permute(2, 0, 1)[None]  # (H, W, 3) -> (1, 3, H, W)
