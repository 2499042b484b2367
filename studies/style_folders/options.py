"""What each sub-command takes, and how its command line is read: in pieces of the toolkit's own options."""

import difflib
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from src.common import SEED, UserError
from src.options import BALANCE, ON_OFF, REGEX, TEXT, Kind, Option, Word, choice, expand, number, to_text, whole

SCRIPT = "studies/style_folders.py"
STATES = Kind(
    lambda text: tuple(dict.fromkeys(int(part) for part in text.split(","))),
    "whole numbers with commas between, such as 0,1",
)


class Command(NamedTuple):
    """A sub-command. run: what its output folders are called, before their number; "" where it makes none."""

    help: str
    run: str
    options: tuple[Option, ...]


def opt(name: str, help: str, kind: Kind, default: object = None) -> Option:
    return Option((f"--{name}",), help, kind, default)


RUNS = opt("runs", "the folder that output folders go into (default: that of the images and _runs)", TEXT)
CACHE = opt(
    "cache_directory", "where features are kept (default: .aesthetic_cache in the folder of the images)", TEXT
)
EXTRACTOR = opt(
    "feature_extractor_model", "the image model: embedded, or one by hub name or folder", TEXT, "embedded"
)
DEVICE = opt("device", "where networks run", choice("auto", "cpu", "cuda", "mps"), "auto")
EXCLUDE = opt("exclude", "leave out folders and files of this name or relative path; * is any text", TEXT)
SEED_ = opt("seed", "where all random numbers start", whole(0, 2**32 - 1), SEED)
FOUND = (
    RUNS,
    CACHE,
    DEVICE,
    EXCLUDE,
    SEED_,
    opt("fraction_for_val", "share of each style's images that choose the best epoch", number(0.01, 0.9), 0.15),
    opt("fraction_for_test", "share of each style's images that are looked at once", number(0.01, 0.9), 0.2),
    opt("group_regex", "images for which this finds the same text in their paths stay on one side of a split", REGEX),
    opt("limit_per_class", "so many images of each style, drawn at random", whole(1)),
)
TRAINED = (
    opt("resume", "go on with the newest output folder of this sub-command", ON_OFF, False),
    opt("log", "write what is printed to a numbered text file too, the configuration first", ON_OFF, False),
    opt("batch_size", "images a step", whole(1), 16),
)
HEADS = choice("linear", "mlp", "conv")
MODEL = "the output folder to use, by its name there or as a path (default: the newest)"
COMMANDS = {
    "classify": Command(
        "train a network that tells the styles apart",
        "classify",
        (
            *FOUND,
            EXTRACTOR,
            opt("hidden_states_used", "layers of the image model (default: its best)", STATES),
            opt("head", "what is trained: linear, mlp (features) or conv (pixels)", HEADS, "mlp"),
            opt("resample", "bring every style to one number of train images", BALANCE, "none"),
            opt("test_resample", "the same of the test images", BALANCE, "none"),
            opt("sampler", "exact: an epoch sees each image of the list once; weighted: drawn, styles equally likely",
                choice("exact", "weighted"), "exact"),
            opt("epochs", "passes over the train images", whole(1), 20),
            opt("learning_rate", "of AdamW, falling to 0 in a cosine (default: as suits the head)", number(1e-7, 1)),
            opt("hidden", "width of the mlp's hidden layer", whole(1), 256),
            opt("dropout", "of the features, and of the hidden layer", number(0, 0.95), 0.5),
            opt("weight_decay", "of AdamW", number(0, 100), 0.05),
            opt("size", "conv: images are this many pixels wide and high", whole(16, 512), 64),
            *TRAINED,
        ),
    ),
    "predict": Command(
        "write path, style and probability of each image of a folder",
        "",
        (
            opt("model", "the output folder of classify, as a path", TEXT),
            opt("outfile", "the CSV file to write (default: styles.csv in the model's folder)", TEXT),
            CACHE,
            DEVICE,
            EXCLUDE,
        ),
    ),
    "autoencode": Command(
        "train a network that squeezes an image into a short vector and draws it again",
        "ae",
        (
            *FOUND,
            opt("size", "images are this many pixels wide and high, a power of 2", whole(16, 512), 64),
            opt("latent", "numbers that stand for an image", whole(2), 128),
            opt("activation", "what follows a convolution", choice("relu", "tanh", "gelu"), "relu"),
            opt("epochs", "passes over the train images", whole(1), 15),
            opt("learning_rate", "of AdamW, falling to 0 in a cosine", number(1e-7, 1), 0.0005),
            opt("weight_decay", "of AdamW", number(0, 100), 0.01),
            opt("toy", "does it run at all? 16 pixels, 16 numbers, 20 images a style, 2 epochs", ON_OFF, False),
            opt("grids", "a picture of originals and reconstructions after each epoch", ON_OFF, False),
            *TRAINED,
        ),
    ),
    "plot": Command(
        "show where images lie, by style and by clusters, and how far the two agree",
        "plot",
        (
            *FOUND,
            EXTRACTOR,
            opt("hidden_states_used", "layers of the image model (default: its best)", STATES),
            opt("space", "latent: the vectors of autoencode; features: those of the image model",
                choice("latent", "features"), "features"),
            opt("model", MODEL, TEXT),
            opt("k", "clusters (default: as many as styles)", whole(2)),
        ),
    ),
    "embed": Command(
        "learn a vector for each style, from which the frozen decoder draws what its images share",
        "embed",
        (
            RUNS,
            DEVICE,
            SEED_,
            opt("model", "that of autoencode, by its name or as a path (default: the newest)", TEXT),
            opt("epochs", "passes over the train images", whole(1), 3),
            opt("learning_rate", "of AdamW, falling to 0 in a cosine", number(1e-7, 1), 0.02),
            *TRAINED,
        ),
    ),
    "transfer": Command(
        "draw images in other styles: a style's vector sets scale and shift in the decoder",
        "transfermodel",
        (
            RUNS,
            DEVICE,
            SEED_,
            opt("model", "that of embed, by its name or as a path (default: the newest)", TEXT),
            opt("epochs", "passes over the train images, each in a style that is drawn", whole(1), 6),
            opt("learning_rate", "of AdamW, falling to 0 in a cosine", number(1e-7, 1), 0.002),
            opt("style_weight", "of the distance to the style's statistics", number(0), 1.0),
            opt("content_weight", "of the distance to the image's own taps", number(0), 1.0),
            opt("layers", "blocks of efficientnet-lite0 to compare; content: the last", STATES, (0, 2, 4)),
            opt("statistics", "moments: mean and deviation of each channel; gram: products of channels",
                choice("moments", "gram"), "moments"),
            opt("single_image", "compare one image in every style: its path, as run.json has it", TEXT),
            *TRAINED,
        ),
    ),
}  # fmt: skip


def read_command(command_line: Sequence[str]) -> Namespace:
    """`command`, `root`, and an attribute for each option of that sub-command.

    The words are COMMAND FOLDER and options, --name=value or --name value, or lines of files named by @. Options of
    other sub-commands may stand in a file. Raises UserError, naming the nearest, for what there is not.
    """
    words = _in_pairs(expand(command_line))
    bare = [word for word in words if not word.text.startswith("-")]
    command = _command(bare)
    if len(bare) != 2:
        extra = f"'{bare[2].text}' is one word too many" if len(bare) > 2 else "the folder is missing"
        raise UserError(f"{extra}; write: python {SCRIPT} {command} FOLDER [--option=value ...]")
    options = {option.dest: option for option in COMMANDS[command].options}
    values = {name: option.default for name, option in options.items()}
    for word in words:
        if word.text.startswith("-"):
            name, _, text = word.text[2:].partition("=")
            if name in options:
                values[name] = _read(options[name], word, text, "=" in word.text)
            else:
                _refuse(command, word, name)
    return Namespace(command=command, root=Path(bare[1].text).expanduser(), **values)


def _in_pairs(words: Sequence[Word]) -> list[Word]:
    """--name value as --name=value, wherever an option needs one."""
    needing = {f"--{o.dest}" for command in COMMANDS.values() for o in command.options if o.kind.bare is None}
    found: list[Word] = []
    for word in words:
        if found and found[-1].text in needing and not word.where and not word.text.startswith("--"):
            found[-1] = Word(f"{found[-1].text}={word.text}", found[-1].where)
        else:
            found.append(word)
    return found


def _command(bare: Sequence[Word]) -> str:
    known = ", ".join(COMMANDS)
    if not bare:
        raise UserError(f"say what to do, one of {known}; --help says what each is")
    if (name := bare[0].text) in COMMANDS:
        return name
    nearest = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    raise UserError(f"there is no sub-command {name}; " + (f"did you mean {nearest[0]}?" if nearest else known))


def _read(option: Option, word: Word, text: str, has_value: bool) -> object:
    if not has_value and option.kind.bare is None:
        raise UserError(f"{word.where}--{option.dest}: its value is missing; write --{option.dest}=VALUE")
    try:
        return option.kind.read(text if has_value else option.kind.bare or "")
    except (ValueError, OverflowError, RecursionError):
        raise UserError(f"{word.where}--{option.dest}={text[:200]}: must be {option.kind.allowed}")


def _refuse(command: str, word: Word, name: str) -> None:
    others = [other for other, one in COMMANDS.items() if name in (option.dest for option in one.options)]
    if others and word.where:
        return
    if others:
        raise UserError(f"--{name} is for {', '.join(others)}; with {command} it does nothing, leave it out")
    known = [option.dest for option in COMMANDS[command].options]
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    meant = f"did you mean --{nearest[0]}?" if nearest else f"python {SCRIPT} {command} --help lists them"
    raise UserError(f"{word.where}there is no option --{name[:200]}; {meant}")


def help_text(command: str | None) -> str:
    """The sub-commands, or the options of one."""
    lines = [f'python {SCRIPT} COMMAND FOLDER ["@arguments.txt"] [--option=value ...]', ""]
    if command is None:
        return "\n".join([*lines, *(f"  {name:<12}{one.help}" for name, one in COMMANDS.items())])
    lines += [f"{command}: {COMMANDS[command].help}", ""]
    for option in COMMANDS[command].options:
        allowed = f" ({option.kind.allowed})" if option.kind.allowed and option.kind is not TEXT else ""
        default = f" [{to_text(option.default)}]" if option.default is not None else ""
        lines.append(f"  --{option.dest:<26}{option.help}{allowed}{default}")
    return "\n".join(lines)
