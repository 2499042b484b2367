"""reconstruct: draw what features hold: of images, of their mean, on the way between two, or as a model likes it."""

from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from src.common import UserError, number_of, replacing
from src.features import Extractor, extract

from ..common.pictures import as_image, draw_sheet
from ..common.runs import Log, find_run, new_run, options_of, runs_folder
from .decoder import Decoder, as_pixels, drawn
from .export import export_onnx
from .judging import psnr_each
from .options import COMMANDS
from .seeing import load_again, looked_at, side_by_side
from .steering import STOPS, Taste, walk
from .train import load_decoder, load_space

MOST_SHOWN = 30  # pairs in the sheet
MOST_WALKED = 9
COLUMNS = 10


class Given(NamedTuple):
    """features: (N, W). pixels: (N, 3, S, S) uint8 of the images that they are of; None for features from a file."""

    names: list[str]
    features: np.ndarray
    pixels: np.ndarray | None


class Drawing(NamedTuple):
    """What draws, what of, and where to."""

    arguments: Namespace
    run: Path
    decoder: Decoder
    identity: dict[str, Any]
    extractor: Extractor
    given: Given
    folder: Path
    log: Log


def main(arguments: Namespace) -> Path:
    """Write pictures, a sheet and a log into a numbered folder of the run, which is returned."""
    _check_options(arguments)
    run = find_run(runs_folder(arguments), "decoder", arguments.model)
    decoder, configuration = load_decoder(run, arguments.device, arguments.weights)
    identity = configuration["identity"]
    extractor = load_again(identity, arguments.device)
    given = _given(arguments, identity, extractor)
    _check(arguments, given)
    taste = _taste(arguments, extractor, identity)
    folder = new_run(run, "reconstruction")
    log = Log(folder, True, {"options": options_of(arguments)})
    drawing = Drawing(arguments, run, decoder, identity, extractor, given, folder, log)
    if arguments.average or arguments.interpolate:
        _draw_between(drawing)
    if taste:
        _draw_liked(drawing, taste)
    if not (arguments.average or arguments.interpolate or taste):
        _draw_each(drawing)
    if arguments.export_onnx:
        path = Path(arguments.export_onnx).expanduser()
        difference = export_onnx(decoder, path, identity, given.features)
        log.say(f"{path}: draws as torch does, to {difference:.1e}")
    if learnt := _learnt_from(arguments.root, configuration, given):
        log.say(f"learnt from: {learnt} of {len(given.names)}, which are drawn better than new ones")
    log.say(f"pictures and log1.txt are in {folder}")
    return folder


def _learnt_from(root: Path, configuration: dict[str, Any], given: Given) -> int:
    """How many of these are train images of the run."""
    if str(root.resolve()) != configuration["options"]["root"]:
        return 0
    return sum(configuration["split"].get(name) == "train" for name in given.names)


def _given(arguments: Namespace, identity: dict[str, Any], extractor: Extractor) -> Given:
    if _is_array(arguments.root):
        return _from_file(arguments, identity)
    states = tuple(identity["hidden_states"])
    if arguments.images and (gone := [path for path in arguments.images if not (arguments.root / path).is_file()]):
        raise UserError(f"--images: there is no {gone[0]} in {arguments.root}; name images by their paths from there")
    paths = list(arguments.images) if arguments.images else None
    found = looked_at(arguments, arguments.root, extractor, states, identity["size"], paths)
    return Given(found.paths, found.features, found.pixels)


def _from_file(arguments: Namespace, identity: dict[str, Any]) -> Given:
    """Rows of an array (N, W), or one row (W,)."""
    path, width = arguments.root, sum(identity["widths"])
    if arguments.images:
        raise UserError(f"--images: {path} holds features, which have no names; leave it out")
    try:
        features = np.atleast_2d(np.load(path, allow_pickle=False)).astype(np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: can't be read as an array of numbers ({str(error)[:100]}); numpy.save writes one")
    if features.ndim != 2 or features.shape[1] != width or not len(features):
        states = ",".join(map(str, identity["hidden_states"]))
        raise UserError(
            f"{path}: is an array of {' x '.join(map(str, features.shape))}; the decoder takes rows of {width}: "
            f"hidden states {states} of {identity['image_model']}"
        )
    if not np.isfinite(features).all():
        raise UserError(f"{path}: holds numbers that are not finite; leave those rows out")
    return Given([f"row {i}" for i in range(len(features))], features, None)


def _check_options(arguments: Namespace) -> None:
    """UserError for what would do nothing, and for features of which nothing says what draws them."""
    defaults = {option.dest: option.default for option in COMMANDS["reconstruct"].options}
    for name in ("towards", "distance"):
        if not arguments.from_model and (value := getattr(arguments, name)) != defaults[name]:
            raise UserError(f"--{name}={value}: is for the walk with --from_model; give a model, or leave it out")
    if _is_array(arguments.root) and not (arguments.model or arguments.runs):
        raise UserError(
            f"{arguments.root}: features alone don't say which decoder draws them; name its output folder, such as "
            "--model=photos_runs/decoder1"
        )


def _is_array(path: Path) -> bool:
    return path.suffix.lower() == ".npy"


def _check(arguments: Namespace, given: Given) -> None:
    if arguments.interpolate and len(given.names) != 2:
        raise UserError(
            f"--interpolate: goes from one image to another, here are {len(given.names)}; name two by --images=A,B"
        )
    if arguments.average and len(given.names) < 2:
        raise UserError("--average: here is only one image; give two or more")


def _taste(arguments: Namespace, extractor: Extractor, identity: dict[str, Any]) -> Taste | None:
    if not arguments.from_model:
        return None
    path, states, widths = Path(arguments.from_model).expanduser(), identity["hidden_states"], identity["widths"]
    return Taste(path, extractor, tuple(states), tuple(widths))


def _pictures(drawing: Drawing, features: np.ndarray) -> np.ndarray:
    """(N, 3, S, S) uint8."""
    return as_pixels(drawn(drawing.decoder, torch.from_numpy(features))).numpy()


def _save(drawing: Drawing, name: str, pixels: np.ndarray) -> None:
    path = drawing.folder / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        Image.fromarray(as_image(pixels)).save(temporary, format="png")


def _draw_each(drawing: Drawing) -> None:
    """A picture of each, and a sheet of pairs."""
    given, pictures = drawing.given, _pictures(drawing, drawing.given.features)
    for name, picture in zip(given.names, pictures, strict=True):
        _save(drawing, f"pictures/{name}", picture)
    nearness = [""] * len(given.names)
    if given.pixels is not None:
        nearness = [f"  {value:.2f} dB" for value in psnr_each(given.pixels, pictures).tolist()]
    drawing.log.say(*(f"{name}{near}" for name, near in zip(given.names, nearness, strict=True)))
    rows, labels = [], []
    for start in range(0, min(MOST_SHOWN, len(given.names)), COLUMNS):
        part = slice(start, min(start + COLUMNS, MOST_SHOWN))
        for label, x in (("image", given.pixels), ("drawn", pictures)):
            if x is not None:
                rows.append([as_image(one) for one in x[part]])
                labels.append(label)
    draw_sheet(drawing.folder / "pairs.png", rows, labels)


def _draw_between(drawing: Drawing) -> None:
    """The mean of all, or the way from the first to the second, ends included."""
    features, names = drawing.given.features, drawing.given.names
    if drawing.arguments.average:
        picture = _pictures(drawing, features.mean(axis=0, keepdims=True))[0]
        _save(drawing, "average", picture)
        drawing.log.say(f"average.png: of the features of {number_of(len(names), 'image')}")
    if count := drawing.arguments.interpolate:
        shares = np.linspace(0, 1, count, dtype=np.float32)
        way = (1 - shares[:, None]) * features[:1] + shares[:, None] * features[1:]
        pictures = _pictures(drawing, way)
        row = [as_image(picture) for picture in pictures]
        titles = [f"{share:.0%}" for share in shares]
        if drawing.given.pixels is not None:
            row = [as_image(drawing.given.pixels[0]), *row, as_image(drawing.given.pixels[1])]
            titles = ["image", *titles, "image"]
        draw_sheet(drawing.folder / "way.png", [row], [""], titles)
        for i, picture in enumerate(pictures):
            _save(drawing, f"way/{i:02}", picture)
        drawing.log.say(f"way.png: from {names[0]} to {names[1]}, in {count} pictures")


def _draw_liked(drawing: Drawing, taste: Taste) -> None:
    """Rows of pictures, from what is there to what the model would like more; below each, two scores."""
    arguments, given = drawing.arguments, drawing.given
    names, start, pixels = given.names[:MOST_WALKED], given.features[:MOST_WALKED], given.pixels
    if arguments.average:
        names, start, pixels = ["average"], given.features.mean(axis=0, keepdims=True), None
    space = load_space(drawing.run, drawing.identity)
    stops = walk(start, taste, space, arguments.towards, arguments.distance)  # (STOPS + 1, N, W)
    with torch.no_grad():
        scores = torch.stack([taste(stop) for stop in stops]).numpy()
    pictures = np.stack([_pictures(drawing, stop.numpy()) for stop in stops])  # (STOPS + 1, N, 3, S, S)
    seen = np.stack([_scores_of(drawing, taste, one) for one in pictures])
    rows, captions = [], []
    for i in range(len(names)):
        rows.append([as_image(one) for one in pictures[:, i]])
        captions.append([f"{own:.2f} / {again:.2f}" for own, again in zip(scores[:, i], seen[:, i], strict=True)])
        if pixels is not None:
            rows[-1].insert(0, as_image(pixels[i]))
            captions[-1].insert(0, "")
    titles = [f"{arguments.distance * i / STOPS:g}" for i in range(STOPS + 1)]
    titles = titles if pixels is None else ["image", *titles]
    labels = [name if len(name) < 30 else f"…{name[-28:]}" for name in names]
    draw_sheet(drawing.folder / f"{arguments.towards}.png", rows, labels, titles, captions)
    for name, picture in zip(names, pictures[-1], strict=True):
        _save(drawing, f"{arguments.towards}/{name}", picture)
    drawing.log.say(
        f"{arguments.towards}.png: deviations walked above, below each picture its features' score and its own",
        *(f"{name}: {' '.join(each)}" for name, each in zip(names, captions, strict=True)),
    )


def _scores_of(drawing: Drawing, taste: Taste, pictures: np.ndarray) -> np.ndarray:
    """What the model says of the pictures themselves, (N,), as the image model sees them."""
    states = tuple(drawing.identity["hidden_states"])
    images = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
    features = side_by_side(extract(images, drawing.extractor, states), states)
    with torch.no_grad():
        return taste(torch.from_numpy(features)).numpy()
