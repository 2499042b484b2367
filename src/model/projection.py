"""From features to principal components of them, in which each hidden state counts alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common import draw_landmarks, principal_components, standardisation, weighing_alike

Floats = NDArray[np.float64]
WHOLE_UP_TO = 2000  # images; of more, so many at random say what the components are
BLOCK = 4096  # images that are projected at once


@dataclass(frozen=True)
class Projection:
    """z(x) = (x − shift) / scale @ components.T. shift, scale: (W,). components: (p, W), orthonormal rows."""

    shift: Floats
    scale: Floats
    components: Floats

    def of(self, inputs: np.ndarray) -> NDArray[np.float32]:
        """(N, p) of raw features (N, W)."""
        parts = np.array_split(inputs, max(1, len(inputs) // BLOCK))
        return np.concatenate([((x - self.shift) / self.scale) @ self.components.T for x in parts]).astype(np.float32)


def fit_projection(inputs: np.ndarray, widths: Sequence[int], count: int, seed: int) -> Projection:
    """The `count` leading components of standardised features (N, W), fewer of few images; all features where those
    are fewer. widths: columns of each hidden state, which weigh alike together. seed: draws images, of many.
    """
    shift, scale = standardisation(inputs)
    scale = scale * weighing_alike(widths)
    some = (inputs[draw_landmarks(len(inputs), WHOLE_UP_TO, WHOLE_UP_TO, seed)] - shift) / scale
    wanted = min(count, len(some) - 1)
    if wanted >= some.shape[1]:
        return Projection(shift, scale, np.eye(some.shape[1]))
    return Projection(shift, scale, principal_components(some, wanted))
