"""What an image costs from its file to its features, by how it is decoded, and what decoding JPEGs reduced costs.

    python benchmarks/decoding.py ../shared/data/oasis [--rounds 7] [--enlarged 4,8] [--images 900] [--only speed]

The folder holds the OASIS photographs (see oasis_quality.py), which is only read; larger pictures are made of them,
with grain: JPEGs of 2, 12 and 24 megapixels at quality 92, PNGs of 1024 x 1024 as ComfyUI writes them. Prints:

1. speed: CPU milliseconds of an image (one thread, medians of rounds in which all ways take turns): to open and
   prepare it, and in all, with hashing it and its share of a batch in efficientnet-lite0; how many times as fast
   that is as the present way; by how much its prepared pixels differ, of 255 (largest). Libraries that are not
   installed are left out: isal, zlib-ng, pyspng, imagecodecs, opencv-python-headless, simplejpeg.
2. quality: all photographs enlarged so many times, as JPEGs; Spearman of ridge regression and a Gaussian process,
   10-fold, at random and by theme, on features of whole JPEGs, of reduced ones (`fast:`), and learnt on reduced ones
   to predict whole ones, which is what happens to images in memory; cosines between the features.
"""

import argparse
import io
import os
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from sklearn.model_selection import GroupKFold, KFold
from torch.nn.functional import interpolate

from benchmarks.oasis_quality import ridge, targets
from benchmarks.oasis_types import read
from src.common import spearman
from src.features import Extractor, load_extractor, open_image
from src.features.images import content_hash
from src.model import PredictorConfig, fit_gaussian_process

NAME, SIDE = "efficientnet-lite0", 224
STATES, WIDTHS = (0, 1, 3, 7), (1280, 1152, 192, 112)
BATCH = 8
JPEGS = {"JPEG, 2 MP": (1920, 1280), "JPEG, 12 MP": (4240, 2832), "JPEG, 24 MP": (6000, 4000)}
PNG_SIZE = (1024, 1024)
PHOTOS, MADE = 12, 4  # of OASIS as they are, and of each kind that is made
ISAL = "isal.isal_zlib"
STORED = 65_535  # bytes of a deflate block that is not compressed


class Way(NamedTuple):
    """package: what it needs, beside Pillow. open: of the bytes of a file, an image or (H, W, 3) uint8.

    after_isal: isal inflates the pixels before that.
    """

    package: str
    open: Callable[[ModuleType, bytes], Image.Image | np.ndarray]
    after_isal: bool = False


def enlarged(photo: Image.Image, size: tuple[int, int], generator: np.random.Generator) -> Image.Image:
    """With the grain that a camera would have."""
    pixels = np.asarray(photo.convert("RGB").resize(size, Image.Resampling.BICUBIC))
    grain = generator.standard_normal((size[1], size[0], 1), dtype=np.float32) * 4
    return Image.fromarray((pixels + grain).round().clip(0, 255).astype(np.uint8))


def as_comfyui(image: Image.Image, path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    for name in ("prompt", "workflow"):
        texts.add_text(name, '{"1": {"inputs": {}, "class_type": "KSampler"}}' * 400)
    image.save(path, pnginfo=texts, compress_level=4)


# ---- ways ----


def whole(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def box_reduced(_: ModuleType, data: bytes) -> Image.Image:
    """Averages of boxes of pixels, down to no less than twice what is needed."""
    image = whole(data)
    return image.reduce(max(1, min(image.size) // 512))


def compressed(data: bytes) -> tuple[list[bytes], bytes]:
    """All of a PNG but its pixels, and these."""
    kept, pixels, at = [data[:8]], [], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            pixels.append(data[at + 8 : end - 4])
        else:
            kept.append(data[at:end])
        at = end
    return kept, b"".join(pixels)


def unpacked(isal: ModuleType, data: bytes) -> bytes:
    """The same PNG, its pixels inflated by ISA-L and stored as they are; they are still filtered."""
    kept, packed = compressed(data)
    pixels = isal.decompress(packed)
    blocks = [b"\x78\x01"]
    for start in range(0, len(pixels), STORED):
        block = pixels[start : start + STORED]
        blocks += [struct.pack("<BHH", start + STORED >= len(pixels), len(block), len(block) ^ 0xFFFF), block]
    stored = b"IDAT" + b"".join([*blocks, struct.pack(">I", isal.adler32(pixels))])
    chunk = [struct.pack(">I", len(stored) - 4), stored, struct.pack(">I", isal.crc32(stored))]
    return b"".join([*kept[:-1], *chunk, kept[-1]])


def by_opencv(cv2: ModuleType, data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


OPENCV = Way("cv2", by_opencv)
PYSPNG = Way("pyspng", lambda pyspng, data: pyspng.load(data))
IMAGECODECS = Way("imagecodecs", lambda codecs, data: codecs.png_decode(data))
BOTH = {"opencv": OPENCV, "Image.reduce, then resized": Way("PIL", box_reduced)}
PNG_WAYS = {
    "isal, then Pillow": Way("PIL", lambda _, data: whole(data), after_isal=True),
    "pyspng": PYSPNG,
    "isal, then pyspng": PYSPNG._replace(after_isal=True),
    "isal, then opencv": OPENCV._replace(after_isal=True),
    "imagecodecs": IMAGECODECS,
    "isal, then imagecodecs": IMAGECODECS._replace(after_isal=True),
}
JPEG_WAYS = {
    "simplejpeg": Way("simplejpeg", lambda simplejpeg, data: simplejpeg.decode_jpeg(data)),
    "imagecodecs": Way("imagecodecs", lambda codecs, data: codecs.jpeg8_decode(data)),
}


def opened_and_prepared(
    extractor: Extractor, way: Way, module: ModuleType, isal: ModuleType | None, path: Path
) -> np.ndarray:
    data = path.read_bytes()
    return prepared(extractor, way.open(module, unpacked(isal, data) if isal else data))


def prepared(extractor: Extractor, opened: Image.Image | np.ndarray) -> np.ndarray:
    if isinstance(opened, Image.Image):
        return extractor.prepare(opened)
    pixels = torch.from_numpy(opened).permute(2, 0, 1)[None]  # (H, W, 3) -> (1, 3, H, W)
    return interpolate(pixels, (SIDE, SIDE), mode="bicubic", antialias=True)[0].permute(1, 2, 0).numpy()


def ways_for(kind: str, extractor: Extractor, fast: Extractor) -> dict[str, Callable[[Path], np.ndarray]]:
    """The first is the present one."""
    found: dict[str, Callable[[Path], np.ndarray]] = {
        "as it is": lambda path: extractor.prepare_file(partial(open_image, path)),
        "with a copy, as before": lambda path: prepared(extractor, np.array(open_image(path))),
    }
    if "PNG" not in kind:
        found["reduced, fast:"] = lambda path: fast.prepare_file(partial(open_image, path))
    for name, way in (BOTH | (PNG_WAYS if "PNG" in kind else JPEG_WAYS)).items():
        try:
            module, isal = import_module(way.package), import_module(ISAL) if way.after_isal else None
        except ImportError:
            continue
        if way.package == "cv2":
            module.setNumThreads(1)
        found[name] = partial(opened_and_prepared, extractor, way, module, isal)
    return found


# ---- speed ----


def milliseconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return 1000 * (time.process_time() - start)


def speed(oasis: Path, rounds: int) -> None:
    extractor, fast = load_extractor(NAME, "cpu"), load_extractor(f"fast:{NAME}", "cpu")
    extractor([extractor.prepare(Image.new("RGB", (8, 8)))], STATES)  # loads the network
    with tempfile.TemporaryDirectory() as folder:
        for kind, paths in kinds(oasis, Path(folder)):
            table(kind, paths, extractor, ways_for(kind, extractor, fast), rounds)
            if "PNG" in kind:
                parts([path.read_bytes() for path in paths], rounds)


def kinds(oasis: Path, folder: Path) -> Iterator[tuple[str, list[Path]]]:
    photos = [oasis / row["relative_path"] for row in read(oasis / "ratings.csv")]
    yield "OASIS photographs", photos[:: len(photos) // PHOTOS]
    generator = np.random.default_rng(0)
    for kind, size in {**JPEGS, "PNG, 1 MP": PNG_SIZE}.items():
        paths = []
        for i, photo in enumerate(photos[:: len(photos) // MADE][:MADE]):
            picture = enlarged(Image.open(photo), size, generator)
            paths.append(folder / f"{len(list(folder.iterdir()))}-{i}.{'png' if 'PNG' in kind else 'jpg'}")
            if "PNG" in kind:
                as_comfyui(picture, paths[-1])
            else:
                picture.save(paths[-1], quality=92)
        yield kind, paths


def table(
    kind: str, paths: list[Path], extractor: Extractor, ways: dict[str, Callable[[Path], np.ndarray]], rounds: int
) -> None:
    present = {path: ways["as it is"](path) for path in paths}
    batch = [present[path] for path in (paths * BATCH)[:BATCH]]
    hashing, network = [], []
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for path in paths:
            hashing.append(milliseconds(lambda path=path: content_hash(path)))
            for name, way in ways.items():
                times[name].append(milliseconds(lambda path=path, way=way: way(path)))
        network.append(milliseconds(lambda: extractor(batch, STATES)) / BATCH)
    rest = statistics.median(hashing) + statistics.median(network)
    usual = statistics.median(times["as it is"]) + rest
    print(
        f"\n{kind}: hashing {statistics.median(hashing):.1f} ms, network {statistics.median(network):.1f} ms\n"
        f"{'way':<28}{'opened':>8}{'in all':>8}{'times as fast':>15}{'differs by':>12}"
    )
    for name, own in times.items():
        cost = statistics.median(own)
        difference = max(np.abs(ways[name](path).astype(int) - present[path]).max() for path in paths)
        print(f"{name:<28}{cost:>8.1f}{cost + rest:>8.1f}{usual / (cost + rest):>15.2f}{difference:>12}", flush=True)


def parts(pngs: list[bytes], rounds: int) -> None:
    """Of a PNG: inflating its pixels, by each library that is here; pyspng, when that is done."""
    works: dict[str, Callable[[bytes], object]] = {}
    for package in ("zlib", "zlib_ng.zlib_ng", ISAL):
        with suppress(ImportError):
            works[f"inflated by {package}"] = import_module(package).decompress
    given = {name: [compressed(png)[1] for png in pngs] for name in works}
    with suppress(ImportError):
        isal, works["the rest by pyspng"] = import_module(ISAL), import_module("pyspng").load
        given["the rest by pyspng"] = [unpacked(isal, png) for png in pngs]
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name] += [milliseconds(partial(work, data)) for data in given[name]]
    print("; ".join(f"{name} in {statistics.median(own):.1f} ms" for name, own in times.items()), flush=True)


# ---- quality ----


def quality(oasis: Path, factor: int, count: int) -> None:
    rows = read(oasis / "ratings.csv")
    rows = rows[:: max(1, len(rows) // count)][:count]
    y, themes = targets(rows)
    found = features(oasis, rows, factor)
    print(f"\n{len(rows)} photographs {factor} times as large")
    print(f"{'features':<34}{'method':<10}{'random':>8}{'by theme':>10}")
    pairs = {"whole": ("whole",) * 2, "reduced": ("reduced",) * 2, "reduced, predicting whole": ("reduced", "whole")}
    for label, (learnt, new) in pairs.items():
        for method, fit in {"ridge": ridge, "gp": gaussian_process}.items():
            results = [cross_validated(found[learnt], found[new], y, groups, fit) for groups in (None, themes)]
            print(f"{label:<34}{method:<10}{results[0]:>8.4f}{results[1]:>10.4f}", flush=True)
    whole_blocks, blocks = (np.split(block, np.cumsum(WIDTHS)[:-1], axis=1) for block in found.values())
    for state, a, b in zip(STATES, whole_blocks, blocks, strict=True):
        cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        print(f"hidden state {state}: cosine {np.median(cosines):.5f} (smallest {cosines.min():.5f})")


def features(oasis: Path, rows: list[dict[str, str]], factor: int) -> dict[str, np.ndarray]:
    """whole, reduced: (N, W), all states side by side."""
    extractors = {"whole": load_extractor(NAME, "cpu"), "reduced": load_extractor(f"fast:{NAME}", "cpu")}
    generator = np.random.default_rng(1)
    found: dict[str, list[np.ndarray]] = {way: [] for way in extractors}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        for row in rows:
            photo = Image.open(oasis / row["relative_path"])
            enlarged(photo, (factor * photo.width, factor * photo.height), generator).save(path, quality=90)
            for way, extractor in extractors.items():
                own = extractor([extractor.prepare_file(partial(open_image, path))], STATES)
                found[way].append(np.concatenate([own[k][0] for k in STATES]))
    return {way: np.stack(block) for way, block in found.items()}


def gaussian_process(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The product's own."""
    config = PredictorConfig("benchmark", STATES, "join", WIDTHS, (1, 1))
    return fit_gaussian_process(config, torch.from_numpy(x), y).predict(torch.from_numpy(new))[0]


def cross_validated(
    learnt: np.ndarray,
    new: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray | None,
    fit: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> float:
    """Spearman of 10-fold predictions of rows of `new` by what was learnt from others of `learnt`; (N, W) both."""
    folds = (KFold if groups is None else GroupKFold)(10, shuffle=True, random_state=0)
    predicted = np.empty(len(y))
    for train, test in folds.split(learnt, y, groups):
        predicted[test] = fit(learnt[train], y[train], new[test])
    return spearman(y, predicted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--enlarged", default="4,8", help="how many times as large, for the quality")
    parser.add_argument("--images", type=int, default=900, help="photographs, for the quality")
    parser.add_argument("--only", choices=("speed", "quality"), help="one of the two")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.only != "quality":
        speed(arguments.oasis, arguments.rounds)
    if arguments.only != "speed":
        for factor in arguments.enlarged.split(","):
            quality(arguments.oasis, int(factor), arguments.images)


if __name__ == "__main__":
    main()
