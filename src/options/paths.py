"""What options say of folders and files, as paths; what is not there is said at once."""

import argparse
from pathlib import Path

from ..common import UserError, check_writable, plain
from ..features import is_remote
from .option import DEFAULT_MODEL, MODEL_SUFFIXES

COMPARISONS = "comparisons.sqlite"  # in the directory, where --comparisons names none


def image_directory(arguments: argparse.Namespace) -> Path:
    """The folder of `--directory`; UserError where it is missing."""
    if arguments.directory is None:
        raise UserError("--directory is missing: name the folder of your images, such as --directory=photos")
    directory = Path(arguments.directory).expanduser()
    if not directory.is_dir():
        quoted = arguments.directory[:1] in "\"'"
        hint = "write it without quotes" if quoted else "name the folder of your images"
        raise UserError(f"--directory={arguments.directory}: no such folder; {hint}")
    return directory


def place_of_images(arguments: argparse.Namespace) -> tuple[Path, str]:
    """The folder of `--directory`, and ""; where that is an address (s3://bucket/folder), this folder, and that."""
    if arguments.directory and is_remote(arguments.directory):
        return Path(), arguments.directory
    return image_directory(arguments), ""


def model_path(arguments: argparse.Namespace, directory: Path) -> Path:
    """The model file of `--modelpath`, else of `--model` in the directory."""
    option = "modelpath" if arguments.modelpath else "model"
    text = getattr(arguments, option)
    path = plain(Path(text).expanduser() if arguments.modelpath else directory / text)
    if path.suffix != ".safetensors":
        raise UserError(f"--{option}={text}: a model file ends with .safetensors")
    if not path.parent.is_dir():
        raise UserError(f"--{option}={text}: there is no folder {path.parent}; make it first")
    return path


def comparisons_file(arguments: argparse.Namespace, directory: Path) -> Path:
    """The file of `--comparisons`, whether it is there or not."""
    return directory / Path(arguments.comparisons or COMPARISONS).expanduser()


def report_path(text: str | None, directory: Path) -> Path | None:
    """The page of `--report`, in the directory; UserError where it names none, or where none can be written."""
    if not text:
        return None
    path = plain(directory / Path(text).expanduser())
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--report={text}: must end with .html")
    check_writable("report", path)
    return path


def model_paths(arguments: argparse.Namespace, directory: Path) -> list[Path]:
    """The existing model files of each `--modelpath`, else of each `--model`: in the directory, else from here."""
    option = "modelpath" if arguments.modelpath else "model"
    return [existing_model(text, option, directory) for text in getattr(arguments, option) or [DEFAULT_MODEL]]


def existing_model(text: str, option: str, directory: Path) -> Path:
    """The model file that an option names: in the directory, else from here; UserError where there is none."""
    path = Path(text).expanduser()
    if path.suffix.lower() not in MODEL_SUFFIXES:
        raise UserError(f"--{option}={text}: a model file ends with .safetensors (others' also with .pth or .pt)")
    places = [path] if option == "modelpath" else [directory / path, path]
    for place in places:
        if place.is_file():
            return plain(place)
    elsewhere = "" if option == "modelpath" else f" in {directory}, nor"
    raise UserError(
        f"--{option}={text}: no such model{elsewhere} at {path}; train one with aesthetic_predictor_training.py"
    )
