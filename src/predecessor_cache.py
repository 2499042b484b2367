"""Features that the predecessor kept, `featurecache.<model>_<state>.safetensors` beside the images, taken over.

Its files say neither which weights made them nor of what content the images were, so nothing of them is believed
unseen: an image counts only if it is older than the cache file, and a few images are extracted anew and must agree.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from src.feature_cache import FeatureCache
from src.images import Stamp

CHECKED = 3  # images
# Of the length of the features: float16 on a GPU is within a hundredth, another layer or other weights far outside.
TOLERANCE = 0.05

# (relative paths, hidden states) -> {path: {k: (W_k,)}} anew from the extractor, without the images it can't read
Extract = Callable[[Sequence[str], Sequence[int]], Mapping[str, Mapping[int, np.ndarray]]]


def cache_file(directory: Path, extractor_name: str, hidden_state: int) -> Path:
    """Where the predecessor keeps this extractor's features at this hidden state."""
    name = f"{extractor_name}_{hidden_state}".replace("/", "_").replace(":", "_")
    return directory / f"featurecache.{name}.safetensors"


def take_over(
    directory: Path,
    extractor_name: str,
    identity: str,
    missing: Mapping[str, str],
    stamps: Mapping[str, Stamp],
    hidden_states: Sequence[int],
    cache: FeatureCache,
    extract: Extract,
) -> None:
    """Put into our cache what the predecessor knows of images that lack features. Says so in one line a file.

    missing: {relative path: content hash}.
    """
    for state in hidden_states:
        file = cache_file(directory, extractor_name, state)
        if not missing or not file.is_file():
            continue
        try:
            found = _read(file, [path for path in missing if _older(stamps.get(path), file)])
        except (SafetensorError, OSError, ValueError) as error:
            _say(file, f"can't be read ({error}); its features are extracted anew")
            continue
        if not found:
            continue
        checked = sorted(found)[:: max(1, len(found) // CHECKED)][:CHECKED]
        anew = extract(checked, [state])
        if wrong := [path for path in checked if path in anew and not _agree(found[path], anew[path][state])]:
            _say(file, f"its features of {wrong[0]} are not those of {extractor_name} as it is here; not used")
            continue
        cache.add(identity, [missing[path] for path in found], {state: np.stack(list(found.values()))})
        cache.flush()
        _say(
            file,
            f"features of {len(found)} images taken over; {len(anew)} of them were extracted again and agree, that the "
            "others are of these images and this image model cannot be verified",
        )


def _older(stamp: Stamp | None, file: Path) -> bool:
    """Whether the image was last changed before the cache was written."""
    return stamp is not None and stamp.mtime_ms <= file.stat().st_mtime * 1000


def _read(file: Path, paths: Sequence[str]) -> dict[str, np.ndarray]:
    """{path: (W,) float32} of those that are in it; it names images by paths with the separators of its machine."""
    with safe_open(file, framework="pt") as tensors:
        names = {name.replace("\\", "/"): name for name in tensors.keys()}  # noqa: SIM118
        rows = {path: tensors.get_tensor(names[path]).float().numpy().ravel() for path in paths if path in names}
    widths = {len(row) for row in rows.values()}
    if len(widths) > 1 or not all(np.isfinite(row).all() for row in rows.values()):
        raise ValueError("it holds features of several widths, or no numbers")
    return rows


def _agree(kept: np.ndarray, anew: np.ndarray) -> bool:
    return kept.shape == anew.shape and bool(np.linalg.norm(kept - anew) <= TOLERANCE * np.linalg.norm(anew))


def _say(file: Path, what: str) -> None:
    print(f"note: {file.name}: {what}", file=sys.stderr)
