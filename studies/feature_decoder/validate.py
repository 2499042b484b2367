"""validate: how near do reconstructions come, as the decoded image model and the perceptor see it?"""

import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from src.common import UserError, working, write_text
from src.features import Extractor, extract

from ..common.learning import write_csv
from ..common.looking import features_of, load_image_model, pixels_of
from ..common.pictures import as_image, draw_sheet
from ..common.runs import find_run, new_run, runs_folder
from .decoder import as_pixels, drawn
from .judging import FEW, Judged, chance, judge, psnr_each
from .page import Pair, validation_page
from .seeing import FEWEST, cache_at, load_again, looked_at, side_by_side
from .train import SHOWN, load_decoder, load_space

FULL = 224  # pixels on a side at which dB are measured, or more where more are drawn
MOST_IN_THE_PAGE = 300
RECONSTRUCTION = "reconstruction"


class Looked(NamedTuple):
    """What is judged. features: (N, W) of the image model; pixels, pictures: (N, 3, S, S) uint8."""

    root: Path
    paths: list[str]
    features: np.ndarray
    pixels: np.ndarray
    pictures: np.ndarray


class Report(NamedTuple):
    """judged: {image model: {what is judged: how near it comes}}. decibels: {what is judged: (N,)}."""

    looked: Looked
    judged: Mapping[str, Mapping[str, Judged]]
    decibels: Mapping[str, np.ndarray]


def main(arguments: Namespace) -> Path:
    """Write text, CSV, JSON, a page and a sheet into a numbered folder of the run, which is returned."""
    run = find_run(runs_folder(arguments), "decoder", arguments.model)
    report = validate(arguments, run)
    folder = new_run(run, "validation")
    text = _table(report)
    print(text)
    _write(folder, report, text)
    print(f"\nthe same in figures and pictures, page.html among them, is in {folder}")
    return folder


def validate(arguments: Namespace, run: Path) -> Report:
    """Draw the images from their features, and look how near that comes."""
    decoder, configuration = load_decoder(run, arguments.device, arguments.weights)
    extractor = load_again(configuration["identity"], arguments.device)
    looked = _look(arguments, configuration, extractor)
    pictures = as_pixels(drawn(decoder, torch.from_numpy(looked.features))).numpy()
    looked = looked._replace(pictures=pictures)
    with working("Looking at what is drawn"):
        judged = _judged(arguments, configuration, extractor, looked)
        decibels = _decibels(looked, load_space(run, configuration["identity"])["mean_image"])
    return Report(looked, judged, decibels)


def _look(arguments: Namespace, configuration: Mapping[str, Any], extractor: Extractor) -> Looked:
    """The val images of the run, or all of --set; nothing drawn yet."""
    identity = configuration["identity"]
    if arguments.set:
        root = Path(arguments.set).expanduser()
        paths = None
    else:
        root = arguments.root
        paths = sorted(path for path, split in configuration["split"].items() if split == "val")
        if gone := [path for path in paths if not (root / path).is_file()]:
            raise UserError(
                f"{root}: there is no {gone[0]}, which the run knew; give the folder that it was trained on"
            )
    found = looked_at(arguments, root, extractor, tuple(identity["hidden_states"]), identity["size"], paths)
    if len(found.paths) < FEWEST:
        raise UserError(f"{root}: {len(found.paths)} images are too few to judge by; give {FEWEST} or more")
    return Looked(root, found.paths, found.features, found.pixels, found.pixels)


def _judged(
    arguments: Namespace, configuration: Mapping[str, Any], extractor: Extractor, looked: Looked
) -> dict[str, dict[str, Judged]]:
    """{image model: {what is judged: how near it comes}}: in A, the one that is decoded, and in the perceptor."""
    at_size = f"original at {looked.pixels.shape[-1]} pixels"
    shown = {RECONSTRUCTION: looked.pictures, at_size: looked.pixels}
    perceptor = load_image_model(configuration["options"]["perceptor"], arguments.device)
    of_perceptor = features_of(looked.root, looked.paths, perceptor, (0,), cache_at(looked.root, arguments)).x
    models = (
        (extractor, tuple(configuration["identity"]["hidden_states"]), looked.features),
        (perceptor, (0,), of_perceptor),
    )
    found: dict[str, dict[str, Judged]] = {}
    for place, (model, states, originals) in zip(("A", "B"), models, strict=True):
        centre = originals.mean(axis=0)
        name = f"{place}: {model.name}, hidden states {','.join(map(str, states))}"
        found[name] = {
            what: judge(originals, side_by_side(extract(_images(x), model, states), states), centre)
            for what, x in shown.items()
        }
    return found


def _images(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))  # (N, 3, S, S) -> (N, S, S, 3)


def _decibels(looked: Looked, mean_image: np.ndarray) -> dict[str, np.ndarray]:
    """{what: (N,)}, of pictures that are enlarged to the size at which image models look."""
    side = max(FULL, looked.pixels.shape[-1])
    full = pixels_of(looked.root, looked.paths, side).x
    mean = np.broadcast_to(mean_image.round().astype(np.uint8), looked.pixels.shape)
    shown = {
        RECONSTRUCTION: looked.pictures,
        f"original at {looked.pixels.shape[-1]} pixels": looked.pixels,
        "mean image": mean,
    }
    return {name: psnr_each(full, np.stack([_enlarged(one, side) for one in x])) for name, x in shown.items()}


def _enlarged(pixels: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(as_image(pixels)).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image).transpose(2, 0, 1)


def _table(report: Report) -> str:
    looked, judged, decibels = report
    count = len(looked.paths)
    lines = [f"{count} images, drawn from their features at {looked.pixels.shape[-1]} pixels", ""]
    lines.append(f"{'cosine to the original':<40}{'min':>8}{'mean':>8}{'median':>8}{'max':>8}{'as one':>8}")
    for model, rows in judged.items():
        for kind in ("raw", "centred"):
            lines.append(f"{model}, {kind}")
            for what, one in rows.items():
                cosines = getattr(one, kind)
                numbers = [*cosines.summary().values(), cosines.taken_for_same]
                lines.append(f"  {what:<38}" + "".join(f"{value:>8.3f}" for value in numbers))
    lines += [
        "A is the image model that is decoded, B the perceptor; centred: less the mean of all",
        "as one: nearer than 99.9 % of the pairs of different images are to each other",
        "",
    ]
    lines.append(f"{'found among the originals':<40}" + "".join(f"{f'top-{few}':>8}" for few in FEW))
    lines.append(f"  {'chance':<38}" + "".join(f"{chance(few, count):>8.3f}" for few in FEW))
    for model, rows in judged.items():
        lines.append(model)
        for what, one in rows.items():
            lines.append(f"  {what:<38}" + "".join(f"{one.found(few):>8.3f}" for few in FEW))
    lines += ["", f"{'PSNR to the original, dB':<40}{'mean':>8}"]
    lines += [f"  {what:<38}{float(each.mean()):>8.2f}" for what, each in decibels.items()]
    return "\n".join(lines)


def _write(folder: Path, report: Report, text: str) -> None:
    """validation.txt, .json, .csv, page.html and pairs.png."""
    looked, *_ = report
    write_text(folder / "validation.txt", text + "\n")
    write_text(folder / "validation.json", json.dumps(figures_of(report), indent=1) + "\n")
    columns = _columns(report)
    rows = zip(looked.paths, *(column.tolist() for column in columns.values()), strict=True)
    write_csv(folder / "validation.csv", [["path", *columns], *(list(row) for row in rows)])
    pairs = [
        Pair(
            as_image(looked.pixels[row]),
            as_image(looked.pictures[row]),
            f"{looked.paths[row]}: centred cosine {columns['centred_A'][row]:.3f} in A, "
            f"{columns['centred_B'][row]:.3f} in B",
        )
        for row in np.argsort(-columns["centred_A"], kind="stable")[:MOST_IN_THE_PAGE].tolist()
    ]
    write_text(folder / "page.html", validation_page("Drawn from features", text, pairs))
    chosen = shown_of(len(looked.paths))
    sheet = [[as_image(x[row]) for row in chosen] for x in (looked.pixels, looked.pictures)]
    draw_sheet(folder / "pairs.png", sheet, ["image", "drawn"])


def shown_of(count: int) -> list[int]:
    """Rows of the images in a sheet: from all along the list."""
    return np.linspace(0, count - 1, SHOWN).round().astype(int).tolist()


def _columns(report: Report) -> dict[str, np.ndarray]:
    """A number for each image in each, of its reconstruction."""
    columns: dict[str, np.ndarray] = {}
    for model, rows in report.judged.items():
        one, place = rows[RECONSTRUCTION], model[0]
        columns |= {f"cosine_{place}": one.raw.each, f"centred_{place}": one.centred.each, f"rank_{place}": one.ranks}
    return {**columns, "psnr": report.decibels[RECONSTRUCTION]}


def figures_of(report: Report) -> dict[str, Any]:
    """As JSON: under A (what is decoded) and B (the perceptor) each what is judged, and chance, and dB."""
    looked, judged, decibels = report
    count = len(looked.paths)
    found: dict[str, Any] = {"images": count, "size": looked.pixels.shape[-1]}
    found["chance"] = {f"top{few}": chance(few, count) for few in FEW}
    for model, rows in judged.items():
        found[model[0]] = {what: _figures(one) for what, one in rows.items()}
    found["psnr"] = {what: float(each.mean()) for what, each in decibels.items()}
    return found


def _figures(one: Judged) -> dict[str, Any]:
    kinds = {"raw": one.raw, "centred": one.centred}
    cosines = {
        kind: {**found.summary(), "as_one": found.taken_for_same, "threshold": found.threshold}
        for kind, found in kinds.items()
    }
    return {**cosines, **{f"top{few}": one.found(few) for few in FEW}}
