"""Principal components of features: what networks are trained on in their place, in a fraction of the time.

A network of K components is one of all W features whose first weights lie in K directions; that is what it becomes
once it is trained. Adam moves each weight by about the learning rate, whatever it weighs, so of W features that
vary together it moves what the network says W / K times as far as of K; and dropout of single features takes less of
that away. Both are made up for, so that metaparameters mean the same with components and without. Turned at random
within their directions, all components vary alike, as features do; Adam goes by axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .config import PredictorConfig
from .network import Predictor, first_linears
from .projection import fit_projection


@dataclass(frozen=True)
class Components:
    """K of them in place of W features.

    shift, scale: (W,), of features. directions: (W, K), by which features so scaled become components.
    values: (N, K), of the images that they were fitted to.
    """

    shift: Tensor
    scale: Tensor
    directions: Tensor
    values: Tensor

    @property
    def features_each(self) -> float:
        """W / K, which is the deviation of `values` as well."""
        return self.directions.shape[0] / self.directions.shape[1]

    def config(self, config: PredictorConfig) -> PredictorConfig:
        """That of a network of components, with as much noise by dropout."""
        first, *others = config.dropouts
        odds = first / (1 - first) / self.features_each
        count = self.directions.shape[1]
        dropouts = (odds / (1 + odds), *others)
        return replace(config, hidden_states_used=(0,), hidden_states_mode="join", widths=(count,), dropouts=dropouts)

    @torch.no_grad()
    def start(self, predictor: Predictor) -> None:
        """First weights that are small enough for such components, for networks that are new."""
        for _, first in first_linears(predictor):
            first.weight.div_(self.features_each)


def fit_components(inputs: Tensor, widths: Sequence[int], count: int, seed: int = 0) -> Components | None:
    """So many components of (N, W) inputs, or N - 1; None where that is not less than W.

    widths: of the hidden states side by side, each of which counts alike, as in a Gaussian process. Source: Jolliffe
    (2002), "Principal Component Analysis".
    """
    count = min(count, len(inputs) - 1)
    if not 0 < count < sum(widths):
        return None
    raw = inputs.cpu().numpy()
    found = fit_projection(raw, widths, count, seed)
    values, count = found.of(raw), len(found.components)
    if count == 0:  # all images have the same features
        return None
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((count, count)))
    turn = turn * (sum(widths) / count / max(float(values.std()), np.finfo(np.float32).tiny))
    parts = found.shift, found.scale, found.components.T @ turn, values @ turn
    return Components(*(torch.from_numpy(part).float().to(inputs.device) for part in parts))
