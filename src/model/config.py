"""What a predictor is, in words and numbers, and how hidden states are put together for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..common import UserError, by_place

HIDDEN_STATES_MODES = ("join", "average", "weight")
HIGH_END_FIXES = ("none", "fixed", "variable")
INPUT_NORMALISATIONS = ("none", "l2")
ERROR_FORMS = ("softplus", "absolute")


@dataclass(frozen=True)
class PredictorConfig:
    """What a predictor is, saved beside its weights.

    widths: features of each hidden state used, in that order. layers: sizes of the hidden layers, two when we train;
    none is a plain linear head. dropouts: before each Linear. output_channels: 1, or 2 where the second is the error.
    score_mean, score_deviation: of the scores of the train split, on the score file's own scale. high_end_fix: see
    docs/high-end-fix.md. input_normalisation: l2 divides the features of an image by their length. error_form: how
    the second channel becomes an error; other people's models give it as it is.
    """

    feature_extractor_model: str
    hidden_states_used: tuple[int, ...]
    hidden_states_mode: str
    widths: tuple[int, ...]
    layers: tuple[int, ...]
    dropouts: tuple[float, ...] = (0.0, 0.0, 0.0)
    output_channels: int = 1
    score_mean: float = 0.0
    score_deviation: float = 1.0
    extractor_identity: str = ""
    fp16_features: bool = False
    aim_batch_norm: str = "eval"
    high_end_fix: str = "none"
    input_normalisation: str = "none"
    error_form: str = "softplus"

    def __post_init__(self) -> None:
        if not 0 < len(self.widths) == len(self.hidden_states_used):
            raise UserError(
                f"{len(self.hidden_states_used)} hidden states have {len(self.widths)} widths; one each is right"
            )
        if self.hidden_states_mode == "weight" and len(self.widths_by_model) > 1:
            raise UserError(
                "--hidden_states_mode=weight mixes layers of one image model; with several, join or average"
            )
        for widths in self.widths_by_model:
            check_mode(self.hidden_states_mode, widths)
        check = {
            "different hidden states": len(set(self.hidden_states_used)) == len(self.hidden_states_used),
            "dropouts one more than layers": len(self.dropouts) == len(self.layers) + 1,
            "sizes above 0": all(size > 0 for size in (*self.widths, *self.layers)),
            "output_channels of 1 or 2": self.output_channels in (1, 2),
            f"high_end_fix of {', '.join(HIGH_END_FIXES)}": self.high_end_fix in HIGH_END_FIXES,
            "input_normalisation of none or l2": self.input_normalisation in INPUT_NORMALISATIONS,
            "error_form of softplus or absolute": self.error_form in ERROR_FORMS,
            "a score_deviation above 0": 0 < self.score_deviation < float("inf"),
        }
        if wrong := [what for what, right in check.items() if not right]:
            raise UserError(f"a predictor needs {wrong[0]}")

    @property
    def number_of_features(self) -> int:
        """Width of what enters the first Linear."""
        return sum(self.column_blocks)

    @property
    def column_blocks(self) -> list[int]:
        """Widths of the blocks of columns in what enters the first Linear, one for each hidden state or average."""
        joined = self.hidden_states_mode == "join"
        return [width for widths in self.widths_by_model for width in (widths if joined else widths[:1])]

    @property
    def widths_by_model(self) -> list[tuple[int, ...]]:
        """Widths of the hidden states used of each image model, mostly one."""
        width = dict(zip(self.hidden_states_used, self.widths, strict=True))
        return [tuple(width[k] for k in own) for own in by_place(self.hidden_states_used).values()]


def check_mode(mode: str, widths: tuple[int, ...]) -> None:
    """Raise UserError where hidden states of these widths can't be put together in this mode."""
    if mode not in HIDDEN_STATES_MODES:
        raise UserError(f"--hidden_states_mode={mode}: must be one of {', '.join(HIDDEN_STATES_MODES)}")
    if mode != "join" and len(set(widths)) > 1:
        raise UserError(
            f"--hidden_states_mode={mode}: the hidden states are {', '.join(map(str, widths))} wide; different "
            "widths can only be joined (--hidden_states_mode=join), or use states of one width"
        )


def read_features(features: Mapping[int, np.ndarray] | np.ndarray, only: int = 0) -> dict[int, np.ndarray]:
    """{hidden state: (N, W_k) float32} of the same, or of one array (N, W), which is hidden state `only`.

    Raises UserError for anything else, different N, and what is not finite.
    """
    given = features if isinstance(features, Mapping) else {only: features}
    for k in given:
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 0:
            raise UserError(
                f"features: {k!r} is no hidden state; they are whole numbers from 0, as extract gives them"
            )
    states = {k: _numbers(f"features: hidden state {k}", block) for k, block in given.items()}
    rows = {k: len(block) for k, block in states.items()}
    if not states:
        raise UserError("features: there are none; give {hidden state: (N, W)}, or one array (N, W)")
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{n} of hidden state {k}" for k, n in rows.items())
        raise UserError(f"features: the rows are {counts}; each must have a row for each image")
    return states


def _numbers(what: str, block: Any) -> np.ndarray:
    try:
        array = np.asarray(block, dtype=np.float32)
    except (ValueError, TypeError):
        raise UserError(f"{what}: is no array of numbers; it must be (N, W), a row for each image")
    if array.ndim != 2:
        raise UserError(f"{what}: has the shape {array.shape}; it must be (N, W), a row for each image")
    if wrong := int((~np.isfinite(array)).any(axis=1).sum()):
        raise UserError(f"{what}: {wrong} of {len(array)} rows hold what is no finite number; leave them out")
    return array


def arrange(states: Mapping[int, np.ndarray | Tensor], used: tuple[int, ...], mode: str) -> Tensor:
    """Put hidden states together as a predictor takes them in.

    states: {hidden state: (N, W_k)}. Returns float32 (N, sum W) for join, (N, W) for average, (N, L, W) for weight.
    Of several image models, each one's states are averaged, and the averages joined. Gradients go through where
    tensors are given.
    """
    parts = {k: _as_tensor(states[k]) for k in used}
    if mode == "join":
        return torch.cat(list(parts.values()), dim=1)  # (N, sum W)
    if mode == "weight":
        return torch.stack(list(parts.values()), dim=1)  # (N, L, W)
    averages = [torch.stack([parts[k] for k in own], dim=1).mean(dim=1) for own in by_place(used).values()]
    return torch.cat(averages, dim=1)  # (N, W); of several image models (N, sum W)


def _as_tensor(block: np.ndarray | Tensor) -> Tensor:
    if isinstance(block, Tensor):
        return block.float()
    return torch.from_numpy(np.ascontiguousarray(block, dtype=np.float32))
