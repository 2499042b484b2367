"""The part that all extractors on torch share: the device, the threads, and a network loaded when first needed."""

import abc
from collections.abc import Sequence
from threading import Lock

import numpy as np
import torch
from torch import Tensor, nn

from src.devices import pick_device, torch_threads
from src.extractors.base import Extractor, available_cores


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
    def _features(self, network: nn.Module, prepared: Tensor, hidden_states: Sequence[int]) -> dict[int, Tensor]:
        """{k: (B, W_k)} of a batch of prepared images, on `self.device`."""

    def __call__(self, prepared: list[np.ndarray], hidden_states: Sequence[int]) -> dict[int, np.ndarray]:
        self.check_hidden_states(hidden_states)
        with torch.inference_mode(), torch_threads(self._threads):
            with self._loading:
                self._network = self._network or self._load().eval()
            batch = torch.from_numpy(np.stack(prepared)).to(self.device)
            features = self._features(self._network, batch, hidden_states)
            return {k: features[k].float().cpu().numpy() for k in hidden_states}
