"""Features that the predecessor kept, `featurecache.<model>_<state>.safetensors` beside the images, taken over.

Its files say neither which weights made them nor of what content the images were, so nothing of them is believed
unseen: an image counts only if it is older than the cache file, and a few images are extracted anew and must agree.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from ..common import UserError
from .extractors import Extractor
from .feature_cache import FeatureCache
from .images import UnreadableImage, file_stamps, open_image

CHECKED = 3  # images
# Of the length of the features: float16 on a GPU is within a hundredth, another layer or other weights far outside.
TOLERANCE = 0.05


def cache_file(directory: Path, extractor_name: str, hidden_state: int) -> Path:
    """Where the predecessor keeps this extractor's features at this hidden state."""
    name = f"{extractor_name}_{hidden_state}".replace("/", "_").replace(":", "_")
    return directory / f"featurecache.{name}.safetensors"


def take_over(
    directory: Path, paths: Sequence[str], extractor: Extractor, hidden_states: Sequence[int], cache: FeatureCache
) -> None:
    """Put into our cache what the predecessor's knows of images that ours lacks; a line for each file says so."""
    for state in hidden_states:
        file = cache_file(directory, extractor.name, state)
        if not file.is_file():
            continue
        contents, _ = cache.contents(directory, paths)
        # It knew no colour profiles: what is converted by one has other features here.
        keys = {path: content.key for path, content in contents.items() if content.key == content.hash}
        stored = cache.stored(extractor.identity, state).among(list(keys.values()))
        lacking = {path: key for path, key in keys.items() if key not in stored}
        stamps = file_stamps(directory, list(lacking))
        older = [path for path in lacking if path in stamps and stamps[path].mtime_ms <= _written(file)]
        try:
            _say(file, _take_over(file, state, {path: lacking[path] for path in older}, directory, extractor, cache))
        except UserError:
            raise
        except (SafetensorError, OSError, ValueError, UnreadableImage) as error:
            _say(file, f"can't be used ({error}); its features are extracted anew")


def _take_over(
    file: Path, state: int, lacking: Mapping[str, str], directory: Path, extractor: Extractor, cache: FeatureCache
) -> str:
    """lacking: {relative path: key of its content}. Gives what there is to say."""
    found = _read(file, list(lacking))
    if not found:
        return ""
    checked = sorted(found)[:: max(1, len(found) // CHECKED)][:CHECKED]
    prepared = [extractor.prepare_file(partial(open_image, directory / path)) for path in checked]
    anew = extractor(prepared, [state])[state]
    if wrong := [path for path, row in zip(checked, anew, strict=True) if not _agree(found[path], row)]:
        return (
            f"its features of {wrong[0]} are not those of {extractor.in_words} as it is here; all are extracted anew"
        )
    cache.add(extractor.identity, [lacking[path] for path in found], {state: np.stack(list(found.values()))})
    cache.flush()
    return (
        f"features of {len(found)} images taken over; {len(checked)} were extracted again and agree, that the others "
        "are of these images and this image model cannot be verified"
    )


def _written(file: Path) -> float:
    return file.stat().st_mtime * 1000


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
    if what:
        print(f"note: {file.name}: {what}", file=sys.stderr)
