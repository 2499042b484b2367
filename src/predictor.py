"""The predictor: a small network from raw features to model scores, and its file.

A predictor file is a .safetensors whose metadata (all texts) say everything that scoring needs; see
docs/predictor-files.md. Nothing here knows how features are made.
"""

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import softplus

from src.errors import UserError
from src.files import replacing
from src.losses import SMALLEST_ERROR

HIDDEN_STATES_MODES = ("join", "average", "weight")
FORMAT = "aesthetic-predictor-1"


@dataclass(frozen=True)
class PredictorConfig:
    """What a predictor is, saved beside its weights.

    widths: features of each hidden state used, in that order. layers: sizes of the two hidden layers.
    dropouts: before the first, second and last Linear. output_channels: 1, or 2 where the second is the error.
    score_mean, score_deviation: of the scores of the train split, on the score file's own scale.
    """

    feature_extractor_model: str
    hidden_states_used: tuple[int, ...]
    hidden_states_mode: str
    widths: tuple[int, ...]
    layers: tuple[int, int]
    dropouts: tuple[float, float, float] = (0.0, 0.0, 0.0)
    output_channels: int = 1
    score_mean: float = 0.0
    score_deviation: float = 1.0
    extractor_identity: str = ""
    fp16_features: bool = False

    def __post_init__(self) -> None:
        check_mode(self.hidden_states_mode, self.widths)

    @property
    def number_of_features(self) -> int:
        """Width of what enters the first Linear."""
        return sum(self.widths) if self.hidden_states_mode == "join" else self.widths[0]


def check_mode(mode: str, widths: tuple[int, ...]) -> None:
    """Raise UserError where hidden states of these widths can't be put together in this mode."""
    if mode not in HIDDEN_STATES_MODES:
        raise UserError(f"--hidden_states_mode={mode}: must be one of {', '.join(HIDDEN_STATES_MODES)}")
    if mode != "join" and len(set(widths)) > 1:
        raise UserError(
            f"--hidden_states_mode={mode}: the hidden states are {', '.join(map(str, widths))} wide; different "
            "widths can only be joined (--hidden_states_mode=join), or use states of one width"
        )


def choose_mode(arguments: argparse.Namespace, default: str) -> str:
    """The mode that `--hidden_states_mode` and its shorthands ask for; `default` is the extractor's own.

    Raises UserError where they contradict each other, or the fixed weights are not one a state (and a bias).
    """
    mode, used, fixed = (
        arguments.hidden_states_mode,
        arguments.hidden_states_used,
        arguments.fixed_hidden_state_weights,
    )
    if (arguments.weight_hidden_states or fixed) and mode not in ("default", "weight"):
        shorthand = "weight_hidden_states" if arguments.weight_hidden_states else "fixed_hidden_state_weights"
        raise UserError(f"--{shorthand} means --hidden_states_mode=weight, but that is {mode}; take one of them out")
    if fixed and len(fixed) not in (len(used), len(used) + 1):
        raise UserError(
            f"--fixed_hidden_state_weights has {len(fixed)} numbers; {len(used)} hidden states are used, so it needs "
            f"{len(used)}, or {len(used) + 1} with the bias"
        )
    if arguments.weight_hidden_states or fixed:
        return "weight"
    return default if mode == "default" else mode


def arrange(states: Mapping[int, np.ndarray], used: tuple[int, ...], mode: str) -> Tensor:
    """Put hidden states together as a predictor takes them in.

    states: {hidden state: (N, W_k)}. Returns float32 (N, sum W) for join, (N, W) for average, (N, L, W) for weight.
    """
    parts = [torch.from_numpy(np.ascontiguousarray(states[state], dtype=np.float32)) for state in used]
    if mode == "join":
        return torch.cat(parts, dim=1)  # (N, sum W)
    stacked = torch.stack(parts, dim=1)  # (N, L, W)
    return stacked.mean(dim=1) if mode == "average" else stacked


class Dropout(nn.Dropout):
    """torch's dropout; in training on a CPU, where that takes as long as the matrix product after it, a quicker one.

    It draws 16 bits an element: an element is dropped with probability round(65536 p) / 65536.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Same shape as inputs; what is kept is scaled so that the mean stays."""
        dropped = round(65536 * self.p)
        if not (self.training and inputs.is_cpu) or dropped in (0, 65536):
            return super().forward(inputs)
        words = torch.empty(math.ceil(inputs.numel() / 4), dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: inputs.numel()].view(inputs.shape)  # each of -32768...32767 equally likely
        return inputs * ((bits >= dropped - 32768).to(inputs.dtype) * (65536 / (65536 - dropped)))


class Predictor(nn.Module):
    """Two hidden layers, each Dropout, Linear, ReLU; then Dropout, Linear. In mode weight, states are mixed first."""

    def __init__(self, config: PredictorConfig) -> None:
        super().__init__()
        self.config = config
        if config.hidden_states_mode == "weight":
            self.weight = nn.Sequential(nn.Linear(len(config.widths), 1), nn.ReLU())
        first, second = config.layers
        self.main_process = nn.Sequential(
            Dropout(config.dropouts[0]),
            nn.Linear(config.number_of_features, first),
            nn.ReLU(),
            Dropout(config.dropouts[1]),
            nn.Linear(first, second),
            nn.ReLU(),
            Dropout(config.dropouts[2]),
            nn.Linear(second, config.output_channels),
        )

    def linear(self, number: int) -> nn.Linear:
        """The first (0), second (1) or last (2) Linear."""
        module = self.main_process[1 + 3 * number]
        assert isinstance(module, nn.Linear)
        return module

    def mix(self, inputs: Tensor) -> Tensor:
        """From what `arrange` gives to (N, number_of_features)."""
        if self.config.hidden_states_mode != "weight":
            return inputs
        return self.weight(inputs.transpose(1, 2)).squeeze(-1)  # (N, L, W) -> (N, W, 1) -> (N, W)

    def forward(self, inputs: Tensor) -> Tensor:
        """Raw output (N, output_channels): the model score; where there is a second, the error before softplus."""
        return self.main_process(self.mix(inputs))

    @torch.inference_mode()
    def predict(self, inputs: Tensor, batch_size: int = 4096) -> tuple[np.ndarray, np.ndarray]:
        """Model scores (N,) and standard errors (N,), nan for models without, on the score file's scale.

        inputs: what `arrange` gives.
        """
        self.eval()
        device = self.linear(0).weight.device
        parts = [self(part.to(device)).cpu() for part in inputs.split(batch_size)]
        outputs = torch.cat(parts) if parts else torch.empty(0, self.config.output_channels)
        return outputs[:, 0].double().numpy(), self._errors(outputs)

    def _errors(self, outputs: Tensor) -> np.ndarray:
        if self.config.output_channels == 1:
            return np.full(len(outputs), np.nan)
        # deviation * softplus(z / deviation), so that the last Linear alone can hold the change of scale
        deviation = self.config.score_deviation
        error = softplus(outputs[:, 1].double(), beta=1 / deviation) + SMALLEST_ERROR * deviation
        return error.numpy()


@torch.no_grad()
def fold_scaling(predictor: Predictor, shift: Tensor, scale: Tensor, score_shift: float, score_scale: float) -> None:
    """Turn a network of standardised inputs and targets into one of raw features and scores, in place.

    Before: y = f((x - shift) / scale), with shift, scale (number_of_features,). After: score = f'(x), where
    f' = score_shift + score_scale * f on channel 0, score_scale * f on channel 1.
    """
    first, last = predictor.linear(0), predictor.linear(2)
    # In float64, on the CPU, as Apple's GPUs know none.
    weight = first.weight.cpu().double() / scale.cpu().double()  # (first, W)
    first.bias.copy_(first.bias.cpu().double() - weight @ shift.cpu().double())
    first.weight.copy_(weight)
    last.weight.mul_(score_scale)
    last.bias.mul_(score_scale)
    last.bias[0] += score_shift


def save_predictor(path: Path, predictor: Predictor, about: Mapping[str, Any]) -> None:
    """Write atomically. `about` joins the metadata, each value as text (numbers and lists as JSON)."""
    config = {field.name: getattr(predictor.config, field.name) for field in fields(PredictorConfig)}
    known = {"format": FORMAT, **config, "number_of_features": predictor.config.number_of_features}
    metadata = {key: _to_text(value) for key, value in {**known, "final_layer_bias": True, **about}.items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in predictor.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load_predictor(path: Path) -> tuple[Predictor, dict[str, str]]:
    """Read a predictor (on the CPU, in eval mode) and all its metadata.

    Raises UserError if the file is missing, is no predictor, or its tensors contradict its metadata.
    """
    metadata, tensors = _read(path)
    if metadata.get("format") != FORMAT:
        raise UserError(f"{path}: is no predictor of this toolkit (its metadata lack format={FORMAT})")
    predictor = Predictor(_config_from(path, metadata))
    try:
        predictor.load_state_dict(tensors)
    except RuntimeError as error:
        problem = " ".join(str(error).split("\n", 1)[-1].split())
        raise UserError(f"{path}: its tensors contradict its metadata ({problem}); train the model again")
    return predictor.eval(), metadata


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise UserError(f"{path}: no such model; train one with aesthetic_predictor_training.py")
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: is no predictor ({error}); a predictor is a .safetensors file")


def _config_from(path: Path, metadata: Mapping[str, str]) -> PredictorConfig:
    values: dict[str, Any] = {}
    for field in fields(PredictorConfig):
        if field.name not in metadata:
            raise UserError(f"{path}: its metadata lack '{field.name}'; train the model again")
        values[field.name] = _from_text(path, field.name, field.type, metadata[field.name])
    return PredictorConfig(**values)


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else json.dumps(value)


def _from_text(path: Path, name: str, kind: Any, text: str) -> Any:
    if kind is str:
        return text
    if kind is bool:
        return text == "True"
    try:
        value = json.loads(text)
        return tuple(value) if isinstance(value, list) else kind(value)
    except (ValueError, TypeError):
        raise UserError(f"{path}: its metadata say {name}={text!r}, which can't be read; train the model again")
