"""predict: path, style and probability of each image of a folder, by what classify learnt."""

from argparse import Namespace
from pathlib import Path

from src.common import UserError, check_writable, number_of, pick_device
from src.features import find_images

from ..common.learning import write_csv
from ..common.looking import Seen, cache_of, features_of, load_image_model, pixels_of
from ..common.runs import BEST, fill, find_run, load_weights, read_configuration
from ..common.splitting import name_unreadable
from .classify import build, probabilities_of

COLUMNS = ("path", "style", "probability")


def main(arguments: Namespace) -> Path:
    """Write a CSV file, which is returned: a row for each image that can be read, and a column for each style."""
    if not arguments.model:
        raise UserError(
            "--model is missing; name an output folder of classify, such as --model=photos_runs/classify1"
        )
    model = find_run(arguments.root, "classify", arguments.model)
    identity = read_configuration(model)["identity"]
    outfile = Path(arguments.outfile or model / "styles.csv").expanduser()
    if outfile.suffix.lower() != ".csv":  # it could be an image
        raise UserError(f"--outfile={outfile}: must end with .csv")
    if outfile.is_file() and not outfile.read_bytes().startswith(b",".join(map(str.encode, COLUMNS))):
        raise UserError(f"--outfile={outfile}: holds something else than styles, which would be lost; name another")
    check_writable("outfile", outfile)
    network = build(identity)
    fill(network, load_weights(model / BEST, identity)[0], model / BEST)
    network.to(pick_device(arguments.device))
    seen = _see(arguments, identity)
    name_unreadable(seen.unreadable)
    if not seen.paths:
        raise UserError(f"{arguments.root}: holds no image that can be read; give a folder of images")
    probabilities = probabilities_of(network, seen.x)
    names = identity["styles"]
    rows = [
        [path, names[row.argmax()], float(row.max()), *map(float, row)]
        for path, row in zip(seen.paths, probabilities, strict=True)
    ]
    write_csv(outfile, [[*COLUMNS, *(f"p({name})" for name in names)], *rows])
    print(f"the styles of {number_of(len(rows), 'image')} are in {outfile}")
    return outfile


def _see(arguments: Namespace, identity: dict) -> Seen:
    paths = find_images(arguments.root, [arguments.exclude] if arguments.exclude else [])
    if identity["head"] == "conv":
        return pixels_of(arguments.root, paths, identity["size"])
    extractor = load_image_model(identity["image_model"], arguments.device)
    if extractor.identity != identity["image_model_identity"]:
        raise UserError(f"{identity['image_model']}: is another image model by now than when the styles were learnt")
    return features_of(arguments.root, paths, extractor, tuple(identity["hidden_states"]), cache_of(arguments))
