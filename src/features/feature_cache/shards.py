"""Shards of the feature cache: one safetensors file holds features of one extractor at one hidden state.

Each file says all about itself: which extractor, which hidden state, which image contents. docs/feature-cache.md.
"""

import uuid
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ...common import named_in_text, replacing
from ..images import HASH_BYTES

SUFFIX = ".safetensors"
LARGEST_FLOAT16 = 65504.0
# float16 rounds by at most 2^-11 of a value, but below 6e-5 by an absolute 3e-8: so much smaller must no shard be.
SMALLEST_TYPICAL = 1e-4


class DamagedShard(Exception):
    """A file that is no shard, or not all of one."""


class Shard(NamedTuple):
    """extractor: its identity. hashes: 16 bytes for each row. features: (B, W) float16 or float32, finite."""

    extractor: str
    hidden_state: int
    hashes: bytes
    features: np.ndarray


def read_shard(path: Path) -> Shard:
    """Raises FileNotFoundError if there is no such file, DamagedShard if it can't be used or is not as written."""
    try:
        # Closed at the end of the block: a file that is kept open can't be replaced on Windows.
        with named_in_text(path) as named, safe_open(named, framework="numpy") as file:
            about = file.metadata() or {}
            hashes, features = file.get_tensor("hashes"), file.get_tensor("features")
        shard = Shard(about["extractor"], int(about["hidden_state"]), hashes.tobytes(), features)
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise DamagedShard(str(error) or type(error).__name__)
    if features.ndim != 2 or hashes.shape != (len(features), HASH_BYTES):
        raise DamagedShard(f"{features.shape} features for {hashes.shape} hashes")
    if about.get("checksum", _checksum(shard)) != _checksum(shard):
        raise DamagedShard("it holds other numbers than were written")
    if "checksum" not in about and not np.isfinite(features).all():  # of an early version; what is written now is
        raise DamagedShard("it holds something else than finite numbers")
    return shard


def write_shard(folder: Path, shard: Shard) -> str:
    """Write it, atomically, to a new file in `folder`; returns the file's name. Raises UserError if it can't."""
    name = uuid.uuid4().hex + SUFFIX
    tensors = {"features": shard.features, "hashes": np.frombuffer(shard.hashes, np.uint8).reshape(-1, HASH_BYTES)}
    about = {"extractor": shard.extractor, "hidden_state": str(shard.hidden_state), "checksum": _checksum(shard)}
    data = save(tensors, about)
    with replacing(folder / name) as part:
        part.write_bytes(data)
    return name


def _checksum(shard: Shard) -> str:
    """CRC-32 of everything in it, so that rows that stand at others' hashes are noticed too."""
    value = zlib.crc32(f"{shard.hidden_state} {shard.extractor}".encode())
    value = zlib.crc32(shard.hashes, value)
    return f"{zlib.crc32(np.ascontiguousarray(shard.features).data, value):08x}"


def split_hashes(hashes: bytes) -> list[bytes]:
    """The 16 bytes of each row."""
    return [hashes[i : i + HASH_BYTES] for i in range(0, len(hashes), HASH_BYTES)]


def merged(shards: list[Shard]) -> Shard:
    """One shard of several of the same use; where two hold the same content, the earlier row stays. Values stay."""
    rows: dict[bytes, np.ndarray] = {}
    dtype = np.result_type(*(shard.features for shard in shards))
    for shard in shards:
        for key, row in zip(split_hashes(shard.hashes), shard.features.astype(dtype), strict=True):
            rows.setdefault(key, row)
    return Shard(shards[0].extractor, shards[0].hidden_state, b"".join(rows), np.stack(list(rows.values())))


def compact(features: np.ndarray) -> np.ndarray:
    """Features (B, W) float32 as float16 if that holds them, else as they are."""
    largest = np.abs(features).max(initial=0)
    typical = np.linalg.norm(features) / max(1, features.size) ** 0.5  # root mean square
    if largest == 0 or (largest <= LARGEST_FLOAT16 and typical >= SMALLEST_TYPICAL):  # False for nan
        return features.astype(np.float16)
    return features


def as_kept(features: np.ndarray) -> np.ndarray:
    """Features (B, W) float32 as they come back from the cache."""
    return compact(features).astype(np.float32)
