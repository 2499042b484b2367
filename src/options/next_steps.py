"""What comes after a script: the command that goes on where it ended, ready to be copied."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ..common import command_of
from ..features import in_cache
from .paths import COMPARISONS

ROOT = Path(__file__).resolve().parents[2]
CHOOSE_SCRIPT, TRAIN_SCRIPT, SCORE_SCRIPT, LOOK_SCRIPT = (
    "aesthetic_ab_scorer.py",
    "aesthetic_predictor_training.py",
    "aesthetic_score_from_model.py",
    "aesthetic_data_analysis.py",
)
BEST = 100  # images that are copied next, but no more than a quarter of all
# What else was said on the command line of the same images, and is to be said again.
OF_IMAGES = ("--exclude", "--cache_directory")
OF_FEATURES = ("--feature_extractor_model", "--feature_extractor", "--hidden_states_used")
FOLDERS = ("--cache_directory", *OF_FEATURES[:2])  # those that may be a folder


def after_choosing(directory: Path, scores: Path, image_model: str) -> str:
    """The command that trains on the scores. image_model: the one that assists the ratings, or would if it were here.

    Where that is the default, and would have to be downloaded, training gets the embedded one, as choosing did.
    """
    words = _said(*OF_FEATURES)
    if not (any(word.startswith("@") for word in sys.argv) or _said(*OF_FEATURES[:2]) or in_cache(image_model)):
        words = [f"{OF_FEATURES[0]}=embedded"]  # hidden states that were asked for are not this one's
    return _command(TRAIN_SCRIPT, _at(directory), f"--scores={scores.resolve()}", *words, *_said(*OF_IMAGES))


def after_training(arguments: argparse.Namespace, directory: Path, model: Path, new: bool = True) -> str:
    """How to see what the model is worth, and how to use it. arguments: --scores is filled in.

    new: whether there are images that it was not trained on; the analysis looks at those alone.
    """
    use = f"\n{_next('to score images', _gallery(directory, [model]))}"
    if not new:
        return use
    known = _at(directory), f"--modelpath={model.resolve()}", f"--scores={arguments.scores}"
    said = _said("--score_column", *OF_IMAGES)
    look = _command(LOOK_SCRIPT, *known, *said, "--confidence", "--report=report.html")
    return f"\n{_next('to see what it misjudges', look)}{use}"


def after_looking(directory: Path, models: Sequence[Path]) -> str:
    """How to use the models; nothing where there are only scores of some."""
    return f"\n{_next('to score images', _gallery(directory, models))}" if models else ""


def after_scoring(
    arguments: argparse.Namespace, directory: Path, models: Sequence[Path], outfile: Path | None, images: int
) -> str:
    """How to copy the best of so many images; where that is done, to choose between them; with --shard to put shards
    together. Nothing where none went there.
    """
    handed_on = arguments.copy_to or arguments.move_to or arguments.link_to
    if outfile and arguments.shard:
        whole = f"--outfile={Path(arguments.outfile).expanduser().resolve()}"
        return _next("when all shards are there", _command(SCORE_SCRIPT, whole, "--merge", files=False))
    if handed_on:
        folder = Path(handed_on).expanduser()
        if arguments.dry_run or not (folder / "scores.csv").is_file():
            return ""
        links = ["--follow_links"] * bool(arguments.link_to)
        if chosen_from := _chosen_from(folder):
            return _next(
                "to choose on, with them",
                _command(CHOOSE_SCRIPT, *_second_round(chosen_from, models), *links, files=False),
            )
        words = [_at(folder), "--scores=my_scores.csv"]  # scores.csv there says what the models made of them
        return _next("to choose between them", _command(CHOOSE_SCRIPT, *words, *links, files=False))
    best, top = directory.resolve(), max(1, min(BEST, images // 4))
    best = best.with_name(f"{best.name}_best")
    known = _at(directory), *_of(models), *_said_of_models(arguments), *_part_of(arguments)
    words = [*known, f"--top={top}", f"--copy_to={best}"]
    return _next(
        f"to copy the {top} best" if top > 1 else "to copy the best", _command(SCORE_SCRIPT, *words, files=False)
    )


def _chosen_from(folder: Path) -> Path | None:
    """The nearest directory around the folder that choices were made in."""
    return next((around for around in folder.resolve().parents if (around / COMPARISONS).is_file()), None)


def _second_round(directory: Path, models: Sequence[Path]) -> list[str]:
    """The words that choose on in a directory; of one model, new images begin where it thinks that they belong."""
    scores = ["--scores=my_scores.csv"] * (directory / "my_scores.csv").is_file()  # as is proposed for copies
    return [_at(directory), *scores, *([*_of(models), "--new_from_model"] if len(models) == 1 else [])]


def scoring_again(arguments: argparse.Namespace, directory: Path, models: Sequence[Path]) -> str:
    """The command that scores images of the directory by the same models; what to do with them is to follow."""
    words = [_at(directory), *_of(models), *_said_of_models(arguments), *_cache_of(arguments)]
    return _command(SCORE_SCRIPT, *words, files=False)


def _gallery(directory: Path, models: Sequence[Path]) -> str:
    page = f"--gallery={directory.resolve() / 'gallery.html'}"
    return _command(SCORE_SCRIPT, _at(directory), *_of(models), *_said(*OF_IMAGES), page, "--open")


def _at(directory: Path) -> str:
    return f"--directory={directory.resolve()}"


def _of(models: Sequence[Path]) -> list[str]:
    return [f"--modelpath={model.resolve()}" for model in models]


def _said(*names: str) -> list[str]:
    """Options of these names as this script was given them, with a whole path where one is a path."""
    found = []
    for word, following in pairwise([*sys.argv[1:], ""]):
        name, sign, value = word.partition("=")
        if name in names:
            value = value if sign else following
            is_path = name in FOLDERS and (name not in OF_FEATURES or Path(value).expanduser().is_dir())
            found.append(f"{name}={Path(value).expanduser().resolve() if is_path else value}")
    return found


def _said_of_models(arguments: argparse.Namespace) -> list[str]:
    """What scoring was told of its models, in an argument file too, and needs to be told again to give the same."""
    extractor, done = arguments.head_extractor, arguments.head_input
    if extractor and Path(extractor).expanduser().is_dir():
        extractor = Path(extractor).expanduser().resolve()
    words = (f"--head_extractor={extractor}" * bool(extractor), f"--head_input={done}" * bool(done))
    return [*filter(None, words), *["--gate=off"] * (not arguments.gate)]


def _cache_of(arguments: argparse.Namespace) -> list[str]:
    cache = arguments.cache_directory
    return [f"--cache_directory={Path(cache).expanduser().resolve()}"] if cache else []


def _part_of(arguments: argparse.Namespace) -> list[str]:
    """What names a part of the directory's images, where they were not all scored, and where their features are."""
    listed = [f"--list={Path(arguments.list).expanduser().resolve()}"] if arguments.list else []
    texts = [(name, text) for name in ("exclude", "regex") for text in getattr(arguments, name) or ()]
    return [*_cache_of(arguments), *listed, *(f"--{name}={text}" for name, text in texts)]


def next_command(what: str, script: str, *words: str) -> str:
    """The end of a script whose next step is another one, with these words. what: what that is for."""
    return _next(what, _command(script, *words, files=False))


def _next(what: str, command: str) -> str:
    return f"Next, {what}:\n{command}"


def _command(script: str, *options: str, files: bool = True) -> str:
    """A script of the toolkit with these options, behind the argument files that this one was given, by whole paths.

    Bytes of a path that are no text can't be shown, and stand as question marks.
    """
    given = [f"@{Path(word[1:]).resolve()}" for word in sys.argv[1:] if files and word.startswith("@")]
    words = [_python(), str(ROOT / script), *given, *options]
    return command_of(words).encode("utf-8", "replace").decode()


def _python() -> str:
    """The word that starts this Python: the short one, where that is what a shell would find."""
    found = shutil.which("python")
    same = found and Path(found).absolute().parent == Path(sys.executable).absolute().parent
    return "python" if same else sys.executable
