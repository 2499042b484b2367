"""A walk through features to where an aesthetic model's score is higher, or lower."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from src.common import UserError
from src.features import Extractor, extractor_in_words
from src.model import arrange, check_extractor, load_predictor

STOPS = 5  # pictures on the way, after the first
SMALL_STEPS = 20  # from one to the next


class Taste:
    """An aesthetic model, asked about features as a decoder takes them: hidden states side by side."""

    def __init__(self, path: Path, extractor: Extractor, states: tuple[int, ...], widths: tuple[int, ...]) -> None:
        """Raises UserError where the model takes what the decoder does not read."""
        self.predictor, _ = load_predictor(path)
        config = self.predictor.config
        if config.feature_extractor_model != extractor.name:
            raise UserError(
                f"{path}: takes features of {extractor_in_words(config.feature_extractor_model)}, and the decoder "
                f"those of {extractor.in_words}; give a model, or a decoder, of the same image model"
            )
        check_extractor(path, config, extractor.identity, extractor.earlier_identity)
        if lacking := [k for k in config.hidden_states_used if k not in states]:
            used = ",".join(map(str, config.hidden_states_used))
            raise UserError(
                f"{path}: takes hidden state {lacking[0]}, which the decoder does not read; train a decoder with "
                f"--hidden_states_used={used}"
            )
        self.states, self.widths = states, widths
        self.predictor.requires_grad_(False)

    def __call__(self, features: Tensor) -> Tensor:
        """(N, W) -> model scores (N,), with gradients."""
        blocks = dict(zip(self.states, features.split(self.widths, dim=1), strict=True))
        config = self.predictor.config
        return self.predictor.score(arrange(blocks, config.hidden_states_used, config.hidden_states_mode))[0]


def walk(start: np.ndarray, taste: Taste, space: Mapping[str, np.ndarray], towards: str, distance: float) -> Tensor:
    """(STOPS + 1, N, W): features `start` (N, W), and where they get to, the last `distance` deviations away.

    Steps are along the gradient of the score in the directions in which train images differ, each in units of their
    deviation there, and no feature leaves the range that it has among them.
    """
    tensors = {name: torch.from_numpy(x) for name, x in space.items()}
    first = torch.from_numpy(start)
    least, most = torch.minimum(tensors["least"], first), torch.maximum(tensors["most"], first)
    unit = tensors["components"] * tensors["spread"][:, None] * tensors["deviation"]  # (K, W)
    place = torch.zeros(len(start), len(unit))
    step = (1 if towards == "high" else -1) * distance / (STOPS * SMALL_STEPS)
    stops = [first]
    for _ in range(STOPS):
        for _ in range(SMALL_STEPS):
            place.requires_grad_(True)
            score = taste(torch.clamp(first + place @ unit, least, most)).sum()
            gradient = torch.autograd.grad(score, place)[0]
            length = gradient.norm(dim=1, keepdim=True).clamp(min=1e-12)
            place = (place + step * gradient / length).detach()
        stops.append(torch.clamp(first + place @ unit, least, most))
    return torch.stack(stops)
