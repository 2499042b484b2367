"""Images -> what a decoder is trained on: the features of an image model, and the pixels that they are of."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from src.common import UserError, note
from src.features import EMBEDDED, Extractor, FeatureCache, extract, find_images, near_identical_groups, open_image
from src.scores import merged

from ..common.looking import cache_of, check_memory, features_of, load_image_model, pixels_of
from ..common.splitting import draw, group_names, name_unreadable

FEWEST = 9  # val images: as many are shown
SMALLEST_PART = 0.75  # of an image that is cropped, on a side
CHUNK = 256  # images whose versions are in memory at once


class Material(NamedTuple):
    """features: (N, W) float32 and pixels: (N, 3, S, S) uint8 of `paths`; split: (N,) of train and val.

    widths: of the hidden states, side by side in `features`.
    """

    root: Path
    paths: list[str]
    split: np.ndarray
    features: np.ndarray
    pixels: np.ndarray
    widths: tuple[int, ...]

    def rows(self, split: str) -> np.ndarray:
        """Of the images of one split."""
        return np.flatnonzero(self.split == split)

    def split_by_path(self) -> dict[str, str]:
        """As run.json has it."""
        return dict(zip(self.paths, self.split.tolist(), strict=True))


def see(arguments: Namespace, extractor: Extractor, states: tuple[int, ...]) -> Material:
    """A folder's images. Raises UserError where too few are left to train on, or to judge by."""
    paths, features, pixels, widths = looked_at(arguments, arguments.root, extractor, states, arguments.size)
    groups = near_identical_groups(arguments.root, paths, cache_of(arguments))
    if arguments.group_regex:
        groups = merged(groups, np.array(group_names(paths, arguments.group_regex)))
    shares = {"val": arguments.fraction_for_val}
    split = draw(paths, np.zeros(len(paths), dtype=np.int64), groups, shares, arguments.seed)
    if (count := int((split == "val").sum())) < FEWEST:
        raise UserError(
            f"{arguments.root}: {count} images are left for val, of {len(paths)}, and {FEWEST} are needed; give more "
            "images, a larger --fraction_for_val, or other groups"
        )
    if count == len(paths):
        raise UserError(f"{arguments.root}: no image is left to train on; give more images, or other groups")
    return Material(arguments.root, paths, split, features, pixels, widths)


class Looked(NamedTuple):
    """features (N, W), pixels (N, 3, S, S) of the images that can be read; widths: of the hidden states."""

    paths: list[str]
    features: np.ndarray
    pixels: np.ndarray
    widths: tuple[int, ...]


def looked_at(
    arguments: Namespace,
    root: Path,
    extractor: Extractor,
    states: tuple[int, ...],
    size: int,
    paths: list[str] | None = None,
) -> Looked:
    """The images of a folder, or those of `paths`; ones that can't be read are named. UserError where none can."""
    paths = paths or find_images(root, [arguments.exclude] if arguments.exclude else [])
    if not paths:
        raise UserError(f"{root}: holds no images; give a folder that does")
    seen = features_of(root, paths, extractor, states, cache_at(root, arguments))
    pixels = pixels_of(root, seen.paths, size)
    name_unreadable({**seen.unreadable, **pixels.unreadable})
    kept = [row for row, path in enumerate(seen.paths) if path not in pixels.unreadable]
    if not kept:
        raise UserError(f"{root}: holds no image that can be read; give a folder of images")
    return Looked(pixels.paths, seen.x[kept], pixels.x, seen.widths)


def cache_at(root: Path, arguments: Namespace) -> FeatureCache:
    """Where features of this folder's images are kept."""
    return cache_of(Namespace(cache_directory=arguments.cache_directory, root=root))


def versions_of(
    material: Material, extractor: Extractor, states: tuple[int, ...], count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features (V, T, W) and pixels (V, T, 3, S, S) of the train images' versions, V = `count`.

    Version 0 is the image itself, 1 mirrored, from 2 on a part of it, drawn by seed, every other one mirrored.
    """
    rows = material.rows("train")
    size = material.pixels.shape[-1]
    bytes_each = 4 * material.features.shape[1] + 3 * size * size
    check_memory(count * len(rows) * bytes_each, f"--augment={count}: so many versions", "fewer, or a smaller size")
    features, pixels = [material.features[rows]], [material.pixels[rows]]
    for version in range(1, count):
        generator = np.random.default_rng([seed, version])
        found, drawn = [], []
        for part in np.array_split(rows, max(1, len(rows) // CHUNK)):
            images = list(_versions(material, part, version, generator))
            found.append(side_by_side(extract(images, extractor, states), states))
            drawn += [np.asarray(ImageOps.fit(image, (size, size))).transpose(2, 0, 1) for image in images]
        features.append(np.concatenate(found))
        pixels.append(np.stack(drawn))
    return np.stack(features), np.stack(pixels)


def _versions(
    material: Material, rows: np.ndarray, version: int, generator: np.random.Generator
) -> Iterator[Image.Image]:
    for row in rows.tolist():
        image = open_image(material.root / material.paths[row])
        if version > 1:
            part = generator.uniform(SMALLEST_PART, 1)
            width, height = (max(1, round(part * side)) for side in image.size)
            x, y = (int(generator.integers(0, whole - own + 1)) for whole, own in
                    ((image.width, width), (image.height, height)))  # fmt: skip
            image = image.crop((x, y, x + width, y + height))
        yield ImageOps.mirror(image) if version % 2 else image


def load_decoded(arguments: Namespace) -> tuple[Extractor, tuple[int, ...]]:
    """The image model whose features are decoded, and its hidden states. UserError where the perceptor is it."""
    extractor = load_image_model(arguments.feature_extractor_model, arguments.device)
    states = tuple(arguments.hidden_states_used or extractor.default_hidden_states)
    extractor.check_hidden_states(states)
    if arguments.perceptor == extractor.name:
        other = next(name for name in EMBEDDED if name != extractor.name)
        raise UserError(
            f"--perceptor={arguments.perceptor}: is the image model whose features are decoded, and would be fooled "
            f"by what only it sees; take another one, such as {other}"
        )
    if arguments.perceptor in extractor.name.split("__"):
        note(f"note: {arguments.perceptor} is one of the image models that are decoded: figures in it flatter")
    return extractor, states


def load_again(identity: dict[str, Any], device: str) -> Extractor:
    """The image model whose features a decoder was trained on. Raises UserError where it has become another."""
    extractor = load_image_model(identity["image_model"], device)
    if extractor.identity != identity["image_model_identity"]:
        raise UserError(
            f"{identity['image_model']}: is another image model by now than when the decoder was trained; train again"
        )
    return extractor


def side_by_side(found: dict[int, np.ndarray], states: Sequence[int]) -> np.ndarray:
    """(N, sum W) of what `extract` gives."""
    return np.concatenate([found[k] for k in states], axis=1)


def identity_of(
    arguments: Namespace, extractor: Extractor, states: tuple[int, ...], widths: tuple[int, ...]
) -> dict[str, Any]:
    """What the weights of a decoder are of."""
    return {
        "image_model": extractor.name,
        "image_model_identity": extractor.identity,
        "hidden_states": states,
        "widths": widths,
        "size": arguments.size,
        "decoder": arguments.decoder,
        "normalise_features": arguments.normalise_features,
        "critic": arguments.adversarial_weight > 0,
    }
