"""Other people's predictors: the predecessor's files, LAION's heads, plain linear heads.

Each becomes our own configuration and our own tensors; `file` refuses what does not fit wholly.
docs/predictor-files.md says what is taken from where.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from ..common import UserError
from .config import INPUT_NORMALISATIONS, PredictorConfig

OTHER_SUFFIXES = (".pth", ".pt")
WRAPPERS = ("module.", "_orig_mod.")
# What the predecessor's training took unless it was told otherwise, and the one that LAION's heads were trained on.
PREDECESSORS_EXTRACTOR = "ChrisGoringe/vitH16"
LAION_EXTRACTOR = "openai/clip-vit-large-patch14"
LAION_SIZES = (768, 1024, 128, 64, 16, 1)
# Places of the Linears: with Dropouts between them, and with Dropouts and ReLUs.
LAION_LINEAR, LAION_RELU = (0, 2, 4, 6, 7), (0, 3, 6, 9, 11)


class NotUnderstood(Exception):
    """Why a file can't be loaded, without its name."""


@dataclass(frozen=True)
class Unsaid:
    """What to take where a file does not say it: the extractor's name, and what is done with features (none, l2)."""

    extractor: str | None = None
    input_normalisation: str | None = None


def unasked(unsaid: Unsaid, configs: Sequence[PredictorConfig]) -> list[str]:
    """A sentence on each of --head_extractor and --head_input that does nothing, as all models say their own."""
    given = {
        "head_extractor": (unsaid.extractor, [config.feature_extractor_model for config in configs]),
        "head_input": (unsaid.input_normalisation, [config.input_normalisation for config in configs]),
    }
    return [
        f"note: --{option}={value} does nothing: each --model says its own ({', '.join(dict.fromkeys(own))})"
        for option, (value, own) in given.items()
        if value is not None and value not in own
    ]


def read_pickled(path: Path) -> dict[str, Tensor]:
    """The tensors of a .pth file; anything else in it, code above all, is refused unopened."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises whatever its code stumbles over
        other = re.search(r"Unsupported global: GLOBAL (\S+)", str(error))
        reason = f"it holds {other[1]}" if other else "it is damaged, or something else"
        raise UserError(
            f"{path}: is no file of tensors alone ({reason}); only such are opened, as others could run code: have "
            "the model's state_dict() saved alone"
        )
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise UserError(f"{path}: is no state dict of tensors by name; save the model's state_dict() alone")
    odd = next((str(name) for name, tensor in content.items() if not _is_plain(tensor)), None)
    if odd is not None:
        raise UserError(
            f"{path}: {odd[:60]} is no plain tensor of numbers (sparse, quantised or without values); save the "
            "model's state_dict() with to_dense() and float()"
        )
    return {str(name): tensor for name, tensor in content.items()}


def _is_plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_quantized and tensor.device.type == "cpu"


def read_foreign(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str], unsaid: Unsaid
) -> tuple[PredictorConfig, dict[str, Tensor]]:
    """Our configuration and our tensors of another's predictor. Raises NotUnderstood."""
    tensors = _without_wrapper(tensors)
    names = [re.sub(r"^parallel_blocks\.0\.", "main_process.", name) for name in tensors]
    renamed = dict(zip(names, tensors.values(), strict=True))
    if len(renamed) == len(tensors) and any(name.startswith("main_process.") for name in names):
        return _predecessor(renamed, metadata, unsaid)
    if _places(tensors, "layers.") in (LAION_LINEAR, LAION_RELU):
        return _laion(tensors, unsaid)
    stem = next((name.removesuffix("weight") for name in names if name.rpartition(".")[2] == "weight"), "")
    if set(names) in ({f"{stem}weight"}, {f"{stem}weight", f"{stem}bias"}):
        return _plain(tensors, metadata, unsaid)
    raise NotUnderstood(
        "is no predictor of this toolkit, nor of a kind that it knows: the predecessor's (main_process.*), "
        f"LAION's (layers.*) or one Linear; its tensors are {', '.join(sorted(tensors)[:4]) or 'none'}"
    )


def _without_wrapper(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Without what DataParallel (module.) and torch.compile (_orig_mod.) put before every name."""
    while tensors and (prefix := next((p for p in WRAPPERS if all(n.startswith(p) for n in tensors)), None)):
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _predecessor(
    tensors: dict[str, Tensor], metadata: Mapping[str, str], unsaid: Unsaid
) -> tuple[PredictorConfig, dict[str, Tensor]]:
    """Keys are ours already; a last bias that was trained without is 0, absent metadata have their defaults."""
    places = _places(tensors, "main_process.")
    weights = [_matrix(tensors, f"main_process.{place}.weight") for place in places]
    if not weights:
        raise NotUnderstood("has no main_process.*.weight; it is no whole predictor")
    bias = metadata.get("final_layer_bias")
    name = f"main_process.{places[-1]}.bias"
    if bias in ("True", "False") and (bias == "True") != (name in tensors):
        raise NotUnderstood(f"its metadata say final_layer_bias={bias}, and {name} contradicts that")
    tensors.setdefault(name, torch.zeros(len(weights[-1])))
    used = whole_numbers(metadata, "hidden_states_used", (0,))
    mode = metadata.get("hidden_states_mode", "weight" if "weight.0.weight" in tensors else "join")
    (total,) = whole_numbers(metadata, "number_of_features", (weights[0].shape[1],))
    if mode == "join" and total % len(used):
        raise NotUnderstood(f"its metadata say number_of_features={total} for {len(used)} hidden states of one width")
    width = total // len(used) if mode == "join" else total
    layers = whole_numbers(metadata, "layers", tuple(len(weight) for weight in weights[:-1]))
    (channels,) = whole_numbers(metadata, "output_channels", (len(weights[-1]),))
    return (
        PredictorConfig(
            metadata.get("feature_extractor_model", unsaid.extractor or PREDECESSORS_EXTRACTOR),
            used,
            mode,
            (width,) * len(used),
            layers,
            (0.0,) * (len(layers) + 1),
            channels,
            error_form="absolute",
        ),
        tensors,
    )


def _laion(tensors: Mapping[str, Tensor], unsaid: Unsaid) -> tuple[PredictorConfig, dict[str, Tensor]]:
    """Five Linears. Without anything between them they are one Linear, which is computed here in float64."""
    places = _places(tensors, "layers.")
    shapes: dict[str, tuple[int, ...]] = {}
    for place, (size, following) in zip(places, pairwise(LAION_SIZES), strict=True):
        shapes |= {f"layers.{place}.weight": (following, size), f"layers.{place}.bias": (following,)}
    if shapes != {name: tuple(tensor.shape) for name, tensor in tensors.items()}:
        raise NotUnderstood("has LAION's layers.*, but not its sizes 768, 1024, 128, 64, 16, 1 with a bias each")
    linears = [(tensors[f"layers.{p}.weight"].double(), tensors[f"layers.{p}.bias"].double()) for p in places]
    if places == LAION_LINEAR:
        linears = [_composed(linears)]
    layers = LAION_SIZES[1:-1] if places == LAION_RELU else ()
    extractor = unsaid.extractor or LAION_EXTRACTOR
    return _head(extractor, "l2", linears, layers)


def _plain(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str], unsaid: Unsaid
) -> tuple[PredictorConfig, dict[str, Tensor]]:
    """One Linear under any name."""
    name = next(name for name in tensors if name.rpartition(".")[2] == "weight")
    weight = _matrix(tensors, name)
    bias = tensors.get(f"{name.removesuffix('weight')}bias", torch.zeros(len(weight)))
    extractor = metadata.get("feature_extractor_model", unsaid.extractor)
    normalisation = metadata.get("input_normalisation", unsaid.input_normalisation)
    if extractor is None or normalisation is None:
        raise NotUnderstood(
            "is a plain linear head and does not say what its features are: give --head_extractor, such as "
            f"{LAION_EXTRACTOR}, and --head_input={' or '.join(INPUT_NORMALISATIONS)} (LAION's are l2)"
        )
    return _head(extractor, normalisation, [(weight, bias)], ())


def _head(
    extractor: str, normalisation: str, linears: list[tuple[Tensor, Tensor]], layers: tuple[int, ...]
) -> tuple[PredictorConfig, dict[str, Tensor]]:
    """A head of the extractor's final output."""
    width, channels = linears[0][0].shape[1], len(linears[-1][0])
    config = PredictorConfig(
        extractor,
        (0,),
        "join",
        (width,),
        layers,
        (0.0,) * len(linears),
        channels,
        input_normalisation=normalisation,
        error_form="absolute",
    )
    tensors: dict[str, Tensor] = {}
    for number, (weight, bias) in enumerate(linears):
        tensors |= {f"main_process.{1 + 3 * number}.weight": weight, f"main_process.{1 + 3 * number}.bias": bias}
    return config, tensors


def _composed(linears: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The one Linear that these are, one after the other: W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2)."""
    weight, bias = linears[0]
    for following, its_bias in linears[1:]:
        weight, bias = following @ weight, following @ bias + its_bias
    return weight, bias


def _places(tensors: Mapping[str, Tensor], prefix: str) -> tuple[int, ...]:
    """Numbers of the weights below the prefix, rising."""
    found = (re.fullmatch(re.escape(prefix) + r"(\d{1,4})\.weight", name) for name in tensors)
    return tuple(sorted(int(match[1]) for match in found if match))


def _matrix(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    if tensors[name].ndim != 2 or 0 in tensors[name].shape:
        raise NotUnderstood(f"{name} is {tuple(tensors[name].shape)} and should be a matrix")
    return tensors[name]


def whole_numbers(metadata: Mapping[str, str], name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Whole numbers written as "[606, 491]", "606,491" or "606"."""
    if name not in metadata:
        return default
    text = metadata[name].strip()
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    parts = [part.strip() for part in inner.split(",") if part.strip()]
    single = name in ("number_of_features", "output_channels")
    if not all(re.fullmatch(r"\d{1,9}", part) for part in parts) or (single and len(parts) != 1):
        raise NotUnderstood(f"its metadata say {name}={metadata[name][:60]!r}, which are no whole numbers")
    if not parts and name == "hidden_states_used":
        raise NotUnderstood(f"its metadata say {name}={metadata[name][:60]!r}; one is needed at least")
    return tuple(int(part) for part in parts)
