"""Images that are in memory, or anywhere, to features: no directory, no cache, nothing printed, no file written."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from ..common import UserError, notes_kept
from .batches import Batches, Prepared, check, finite_rows, pixels_of
from .extractors import Extractor, load_extractor
from .feature_cache import as_kept
from .images import open_image, take_image

# A Pillow image of any mode, an (H, W, 3) array of uint8, or the path of a file.
AnyImage: TypeAlias = Image.Image | np.ndarray | str | os.PathLike[str]
KINDS = "a PIL image, an (H, W, 3) array of uint8, or a path"


@dataclass
class _Image(Prepared):
    """place: how a message names it."""

    place: str


@dataclass(frozen=True)
class _Source:
    """An image that is not opened yet. place: how a message names it. open: in several threads; given `least`."""

    place: str
    open: Callable[[int], Image.Image]


def extract(
    images: Iterable[AnyImage] | np.ndarray,
    extractor: Extractor | str,
    hidden_states: Iterable[int] | None = None,
    batch_size: int = 16,
) -> dict[int, np.ndarray]:
    """Features of N images: {hidden state: (N, W_k) float32}, a row each, in their order.

    images: a list (mixed, if you like) of PIL images of any mode, (H, W, 3) arrays of uint8 and paths, or one
    (N, H, W, 3) array of uint8. They are treated as the scripts treat files: upright by their EXIF orientation,
    transparency on white, 16 bits scaled to 8. extractor: what `load_extractor` gives, or a name, whose network
    is loaded anew in each call. hidden_states: 0 is the final output, 1 the layer before it, …; None for the
    extractor's default ones. batch_size: images in the network at once, 1 or more; it is halved where memory does not
    hold so many.

    The features are those that the scripts work with, to the last bit: like the cache they round to float16 where
    that holds them. Raises UserError for an image that can't be used, naming its path or its place from 0 on.
    """
    with notes_kept():
        network = _network(extractor)
        states = _states(network, hidden_states)
        if not isinstance(batch_size, int | np.integer):
            raise UserError(f"batch_size: {batch_size!r} is no whole number; give 1 or more")
        check(network, states, batch_size)
        sources, rows = sources_of(images)
        return {k: block[rows] for k, block in _features(network, states, sources, batch_size).items()}


def extract_prepared(
    pixels: Sequence[np.ndarray],
    extractor: Extractor,
    hidden_states: Sequence[int],
    batch_size: int = 16,
    beat: Callable[[], None] = lambda: None,
) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """As `extract`, of N images of which another process has made what `pixels_of` gives.

    And (N,) bool: whether all features of an image are finite. beat: called after each batch.
    """
    check(extractor, hidden_states, batch_size)
    images = [Prepared(pixels=one) for one in pixels]
    batches: Batches[Prepared, Prepared] = Batches(
        extractor, lambda image: image, lambda given: given, lambda _: hidden_states, batch_size
    )
    found = []
    with closing(batches.run(images)) as done:
        for _, features in done:
            found.append(features)
            beat()
    finite = np.concatenate([finite_rows(features) for features in found])
    return {k: as_kept(np.concatenate([features[k] for features in found])) for k in hidden_states}, finite


def _features(
    extractor: Extractor, states: Sequence[int], sources: Sequence[_Source], batch_size: int
) -> dict[int, np.ndarray]:
    def prepare(source: _Source) -> _Image:
        pixels, reason = pixels_of(extractor, source.open)
        return _Image(source.place, pixels=pixels, reason=reason)

    found: list[dict[int, np.ndarray]] = []
    with closing(Batches(extractor, prepare, _all_usable, lambda _: states, batch_size).run(sources)) as done:
        for batch, features in done:
            for image, finite in zip(batch, finite_rows(features), strict=True):
                if not finite:
                    raise UserError(f"{image.place}: {extractor.in_words}: no finite features; load it without fp16")
            found.append(features)
    return {k: as_kept(np.concatenate([features[k] for features in found])) for k in states}


def _all_usable(images: Iterable[_Image]) -> Iterator[_Image]:
    for image in images:
        if image.reason is not None:
            raise UserError(f"{image.place}: {image.reason}")
        yield image


def sources_of(images: Any) -> tuple[list[_Source], list[int]]:
    """The different images, and for each image given its position among them.

    One that is given twice goes through the network once, as of files of one content.
    """
    given = _listed(images)
    if not given:
        raise UserError("images: there are none; give a list of at least one")
    places: dict[Any, int] = {}
    sources: list[_Source] = []
    rows = []
    for i, image in enumerate(given):
        key = os.fspath(image) if isinstance(image, str | os.PathLike) else id(image)
        if key not in places:
            places[key] = len(sources)
            sources.append(_source(image, f"images[{i}]"))
        rows.append(places[key])
    return sources, rows


def _listed(images: Any) -> list[Any]:
    if isinstance(images, Image.Image | str | bytes | os.PathLike):
        raise UserError("images: is a single one; put it into a list, as [image]")
    if isinstance(images, np.ndarray) and images.dtype.kind not in "OUT":
        _check_array("images", images, ("N", "H", "W", "3"))
        return list(images)
    try:
        return list(images)
    except TypeError:
        raise UserError(f"images: is {_kind(images)}; give a list of images, each {KINDS}")


def _source(image: Any, place: str) -> _Source:
    if isinstance(image, str | os.PathLike):
        path = Path(os.fsdecode(image)).expanduser()
        return _Source(str(path), lambda least: open_image(path, least))
    if isinstance(image, Image.Image):
        return _Source(place, lambda _: take_image(image))
    if isinstance(image, np.ndarray):
        _check_array(place, image, ("H", "W", "3"))
        return _Source(place, lambda _: take_image(Image.fromarray(np.ascontiguousarray(image))))
    raise UserError(f"{place}: is {_kind(image)}; give {KINDS}")


def _check_array(place: str, array: np.ndarray, wanted: tuple[str, ...]) -> None:
    right = f"({', '.join(wanted)})"
    if array.ndim != len(wanted) or array.shape[-1] != 3 or 0 in array.shape[-3:]:
        raise UserError(f"{place}: is an array of shape {array.shape}; it must be {right}, height, width, colours")
    if array.dtype != np.uint8:
        hint = ", such as (255 * x).round().astype('uint8') of values in [0, 1]" if array.dtype.kind == "f" else ""
        raise UserError(f"{place}: is an array of {array.dtype}; it must be uint8, 0 to 255{hint}")


def _kind(value: Any) -> str:
    return f"of type {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")


def _network(extractor: Any) -> Extractor:
    if isinstance(extractor, str):
        return load_extractor(extractor)
    if isinstance(extractor, Extractor):
        return extractor
    raise UserError(f"extractor: is {_kind(extractor)}; give a name, or what load_extractor gives")


def _states(extractor: Extractor, hidden_states: Any) -> tuple[int, ...]:
    if hidden_states is None:
        return extractor.default_hidden_states
    states = tuple(hidden_states) if isinstance(hidden_states, Iterable) else (hidden_states,)
    if not all(isinstance(k, int | np.integer) and not isinstance(k, bool) for k in states):
        raise UserError(f"hidden_states: {hidden_states!r} are no whole numbers; right would be (0, 1)")
    return tuple(int(k) for k in states)
