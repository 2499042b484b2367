"""The networks: plain heads, the high-end fix, ensembles. Inputs are what `arrange` gives."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from ..common import UserError
from .config import PredictorConfig, arrange, read_features
from .losses import SMALLEST_ERROR

# weight_fn(p) = 1 + tanh(5 p - 3): nothing below the score scale's 0, almost 2 above 1.2; docs/high-end-fix.md.
STEEPNESS, PLACE = 5.0, 0.6
MEMBERS = ("member_layers", "member_dropout_rates")  # what the file of an ensemble says of each


def plain_head(config: PredictorConfig) -> nn.Sequential:
    """Dropout, Linear, ReLU for each hidden layer; then Dropout, Linear."""
    parts: list[nn.Module] = []
    sizes = (config.number_of_features, *config.layers)
    for dropout, (size, following) in zip(config.dropouts[:-1], pairwise(sizes), strict=True):
        parts += [nn.Dropout(dropout), nn.Linear(size, following), nn.ReLU()]
    return nn.Sequential(*parts, nn.Dropout(config.dropouts[-1]), nn.Linear(sizes[-1], config.output_channels))


class HighEndHead(nn.Module):
    """Two plain heads, the second of which speaks where the first says that an image is good."""

    def __init__(self, config: PredictorConfig) -> None:
        super().__init__()
        self.primary, self.high_end = plain_head(config), plain_head(config)
        self.weight_fn = nn.Sequential(nn.Linear(1, 1), nn.Tanh(), nn.Linear(1, 1))
        start = (STEEPNESS, -STEEPNESS * PLACE, 1.0, 1.0)
        for parameter, value in zip(self.weight_fn.parameters(), start, strict=True):
            nn.init.constant_(parameter, value)
        self.weight_fn.requires_grad_(config.high_end_fix == "variable")

    def forward(self, features: Tensor) -> Tensor:
        """(N, W) -> (N, C); the error's channel, where there is one, is weighted alike."""
        primary = self.primary(features)
        return primary + self.high_end(features) * self.weight_fn(primary[:, :1]) * 0.5


class Predictor(nn.Module):
    """In mode weight hidden states are mixed first; then the head.

    about: what its file says of it beyond its configuration, such as how it was trained; empty once it is loaded.
    """

    def __init__(self, config: PredictorConfig) -> None:
        super().__init__()
        self.config = config
        self.about: dict[str, Any] = {}
        if config.hidden_states_mode == "weight":
            self.weight = nn.Sequential(nn.Linear(len(config.widths), 1), nn.ReLU())
        self.main_process: nn.Module = plain_head(config) if config.high_end_fix == "none" else HighEndHead(config)

    def mix(self, inputs: Tensor) -> Tensor:
        """From what `arrange` gives to (N, number_of_features)."""
        if self.config.hidden_states_mode == "weight":
            inputs = self.weight(inputs.transpose(1, 2)).squeeze(-1)  # (N, L, W) -> (N, W, 1) -> (N, W)
        return normalize(inputs, dim=1) if self.config.input_normalisation == "l2" else inputs

    def forward(self, inputs: Tensor) -> Tensor:
        """Raw output (N, output_channels): the model score; where there is a second, what the error is made of."""
        return self.main_process(self.mix(inputs))

    @property
    def predictors(self) -> "list[Predictor]":
        """Itself; of an ensemble the members, the best first."""
        return [self]

    def described(self) -> dict[str, Any]:
        """What its file says besides the configuration, so that one can be built that its tensors fit into."""
        return {}

    @property
    def has_error(self) -> bool:
        """Whether `predict` gives errors."""
        return self.config.output_channels == 2

    def score(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Model scores (N,) and standard errors (N,), nan for models without, as tensors."""
        outputs, deviation = self(inputs), self.config.score_deviation
        if not self.has_error:
            return outputs[:, 0], torch.full_like(outputs[:, 0], torch.nan)
        if self.config.error_form == "absolute":
            return outputs[:, 0], outputs[:, 1].abs()
        # deviation * softplus(z / deviation), so that the last Linear alone can hold the change of scale
        return outputs[:, 0], softplus(outputs[:, 1], beta=1 / deviation) + SMALLEST_ERROR * deviation

    @torch.inference_mode()
    def predict(
        self, features: Tensor | Mapping[int, np.ndarray] | np.ndarray, batch_size: int = 4096
    ) -> tuple[np.ndarray, np.ndarray]:
        """Model scores (N,) and standard errors (N,), nan for models without, on the score file's scale.

        features: {hidden state: (N, W_k)}, one array (N, W) for a model of one hidden state, or what `arrange` gives.
        Raises UserError where a hidden state is missing, or of another width.
        """
        inputs = features if isinstance(features, Tensor) else self.inputs(features)
        self._check(inputs)
        self.eval()
        device = next(self.parameters()).device
        parts = [torch.stack(self.score(part.to(device))).cpu() for part in inputs.split(batch_size)]
        scores, errors = torch.cat(parts, dim=1) if parts else torch.empty(2, 0)  # (2, N)
        return scores.double().numpy(), errors.double().numpy()

    def inputs(self, features: Mapping[int, np.ndarray] | np.ndarray) -> Tensor:
        """What the network takes in, of features as `predict` takes them; others than its hidden states are left out.

        Raises UserError where a hidden state is missing.
        """
        used = self.config.hidden_states_used
        states = read_features(features, used[0])
        if missing := [k for k in used if k not in states]:
            raise UserError(
                f"features: there is no hidden state {missing[0]}; the model takes {', '.join(map(str, used))} of "
                f"{self.config.feature_extractor_model or 'the images'}, and {', '.join(map(str, states))} are given"
            )
        for k, width in zip(used, self.config.widths, strict=True):
            if states[k].shape[1] != width:
                raise self._misfit(width, states[k].shape[1])
        return arrange(states, used, self.config.hidden_states_mode)

    def _check(self, inputs: Tensor) -> None:
        weighs, width = self.config.hidden_states_mode == "weight", self.config.number_of_features
        shape = (len(self.config.widths), width) if weighs else (width,)
        if tuple(inputs.shape[1:]) != shape:
            raise self._misfit(width, inputs.shape[-1])

    def _misfit(self, width: int, given: int) -> UserError:
        return UserError(
            f"the model takes {width} features, and {self.config.feature_extractor_model} gives {given}: it was made "
            "for another image model, or for other hidden states"
        )


class Ensemble(Predictor):
    """The mean of several predictors of one extractor and its states; config is that of the first, the best."""

    def __init__(self, members: Sequence[Predictor]) -> None:
        nn.Module.__init__(self)
        self.config = members[0].config
        self.about = {}
        self.members = nn.ModuleList(members)

    @property
    def predictors(self) -> list[Predictor]:
        """The members, the best first."""
        return [member for member in self.members if isinstance(member, Predictor)]

    def described(self) -> dict[str, Any]:
        """The sizes and dropouts of each member."""
        configs = [member.config for member in self.predictors]
        return {MEMBERS[0]: [c.layers for c in configs], MEMBERS[1]: [c.dropouts for c in configs]}

    def forward(self, inputs: Tensor) -> Tensor:
        """Mean of the members' raw outputs, (N, output_channels)."""
        return torch.stack([member(inputs) for member in self.predictors]).mean(dim=0)

    @property
    def has_error(self) -> bool:
        return True

    def score(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and spread of the members. Where they know errors, e: sqrt(variance of scores + mean of e²).

        Lakshminarayanan et al. (2017), "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles".
        """
        found = [member.score(inputs) for member in self.predictors]
        scores, errors = (torch.stack(each) for each in zip(*found, strict=True))  # (M, N) each
        variance = scores.var(dim=0, correction=0)
        if self.config.output_channels == 2:
            variance = variance + errors.square().mean(dim=0)
        return scores.mean(dim=0), variance.sqrt()


def combine(predictors: Sequence[Predictor]) -> Predictor:
    """One predictor as it is, several as an ensemble."""
    return predictors[0] if len(predictors) == 1 else Ensemble(predictors)


@torch.no_grad()
def fold_scaling(predictor: Predictor, shift: Tensor, scale: Tensor, score_shift: float, score_scale: float) -> None:
    """Turn a network of standardised inputs and targets into one of raw features and scores, in place.

    Before: y = f((x - shift) / scale), with shift, scale (number_of_features,). After: score = f'(x), where
    f' = score_shift + score_scale * f on channel 0, score_scale * f on channel 1. score_scale is 0 or more.
    """
    head = predictor.main_process
    if not isinstance(head, HighEndHead):
        _fold_plain(head, shift, scale, score_shift, score_scale)
        return
    _fold_plain(head.primary, shift, scale, score_shift, score_scale)
    _fold_plain(head.high_end, shift, scale, 0.0, score_scale)
    if score_scale > 0:  # weight_fn sees the primary's output: w * (p' - score_shift) / score_scale + b
        weight, bias, *_ = head.weight_fn.parameters()
        weight.div_(score_scale)
        bias.sub_(weight[0] * score_shift)


def first_linears(predictor: Predictor) -> list[tuple[nn.Sequential, nn.Linear]]:
    """The first of each head, and the head."""
    head = predictor.main_process
    found = []
    for plain in (head.primary, head.high_end) if isinstance(head, HighEndHead) else (head,):
        assert isinstance(plain, nn.Sequential)
        assert isinstance(plain[1], nn.Linear)
        found.append((plain, plain[1]))
    return found


@torch.no_grad()
def fold_directions(predictor: Predictor, directions: Tensor, config: PredictorConfig) -> None:
    """Turn a network of K components into one of the W features that `config` says, in place; directions: (W, K)."""
    for plain, first in first_linears(predictor):
        wide = nn.utils.skip_init(nn.Linear, len(directions), len(first.bias), device=first.bias.device)
        wide.weight.copy_(first.weight @ directions.T)
        wide.bias.copy_(first.bias)
        plain[0], plain[1] = nn.Dropout(config.dropouts[0]), wide
    predictor.config = config


def _fold_plain(head: nn.Module, shift: Tensor, scale: Tensor, score_shift: float, score_scale: float) -> None:
    linears = [module for module in head.modules() if isinstance(module, nn.Linear)]
    first, last = linears[0], linears[-1]  # in a head without hidden layers the same
    # In float64, on the CPU, as Apple's GPUs know none.
    weight = first.weight.cpu().double() / scale.cpu().double()  # (first, W)
    first.bias.copy_(first.bias.cpu().double() - weight @ shift.cpu().double())
    first.weight.copy_(weight)
    last.weight.mul_(score_scale)
    last.bias.mul_(score_scale)
    last.bias[0] += score_shift
