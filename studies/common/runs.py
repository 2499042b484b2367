"""Output folders: numbered, each made by one process; run.json, weights in safetensors, a log."""

import json
import re
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from src.common import UserError, named_in_text, replacing, write_text

CONFIGURATION, RESULTS, BEST, LAST = "run.json", "results.json", "best.safetensors", "last.safetensors"
# Options that may differ when a run goes on.
NOT_COMPARED = {"resume", "log", "runs", "device", "cache_directory", "visualize_each_step"}


def runs_folder(arguments: Namespace) -> Path:
    """Beside the images, never among them: pictures that we write would be images of a style."""
    root: Path = arguments.root.resolve()
    return Path(arguments.runs).expanduser() if arguments.runs else root.with_name(f"{root.name}_runs")


def numbered(folder: Path, name: str) -> dict[int, Path]:
    """{number: path} of name1, name2, … in the folder, rising."""
    found = {path: re.fullmatch(rf"{re.escape(name)}(\d+)", path.stem) for path in folder.glob(f"{name}*")}
    return dict(sorted((int(match[1]), path) for path, match in found.items() if match))


def new_run(folder: Path, name: str) -> Path:
    """Make the output folder whose number is the largest there plus 1; two processes at once get two."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = folder / f"{name}{max(numbered(folder, name), default=0) + 1}"
            try:
                path.mkdir()
                return path
            except FileExistsError:  # another process was quicker
                continue
    except OSError as error:
        raise UserError(f"--runs={folder}: can't be made ({error.strerror}); name a folder that is writable")


def find_run(folder: Path, name: str, given: str | None = None) -> Path:
    """An output folder by its path or its name in `folder`; without either the newest."""
    if given:
        there = [path for path in (Path(given).expanduser(), folder / given) if (path / CONFIGURATION).is_file()]
        if not there:
            raise UserError(f"--model={given}: is no output folder with a {CONFIGURATION}; name one of {name}'s")
        if (other := read_configuration(there[0])["command"]) != name:
            raise UserError(f"--model={given}: is an output folder of {other}; name one of {name}'s")
        return there[0]
    finished = [path for path in numbered(folder, name).values() if (path / CONFIGURATION).is_file()]
    if not finished:
        raise UserError(f"{folder}: holds no {name}1 or later; run the sub-command that makes it first")
    return finished[-1]


def write_configuration(path: Path, configuration: Mapping[str, Any]) -> None:
    """Everything that it takes to do the run again."""
    write_text(path / CONFIGURATION, json.dumps(configuration, indent=1, ensure_ascii=False) + "\n")


def read_configuration(path: Path) -> dict[str, Any]:
    """Of an output folder. Raises UserError where it is damaged."""
    try:
        found = json.loads((path / CONFIGURATION).read_text(encoding="utf-8"))
        return {"command": found["command"], "options": found["options"], "split": found["split"], **found}
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path / CONFIGURATION}: is not what this script wrote there; run the sub-command again")


def begin_run(
    arguments: Namespace, name: str, split: Mapping[str, str], identity: Mapping[str, Any], **more: Any
) -> tuple[Path, "Log"]:
    """A new output folder with its run.json, or with --resume the newest one, and the log.

    split: train, val or test, by path. more: what else run.json should say.
    """
    configuration = {
        "command": name,
        "options": options_of(arguments),
        **more,
        "identity": identity,
        "split": split,
        "torch": torch.__version__,
    }
    folder = runs_folder(arguments)
    if arguments.resume:
        path = find_run(folder, name)
        check_same(path, arguments, split)
    else:
        path = new_run(folder, name)
        write_configuration(path, configuration)
    return path, Log(path, arguments.log, configuration)


def options_of(arguments: Namespace) -> dict[str, Any]:
    """The options of a run, as run.json has them."""
    given = {name: value for name, value in vars(arguments).items() if name not in ("root", "resume")}
    return {**given, "root": str(arguments.root.resolve())}


def check_same(path: Path, arguments: Namespace, split: Mapping[str, str]) -> None:
    """UserError where a run that is to go on was another one, of other images, or is finished."""
    configuration = read_configuration(path)
    before, now = configuration["options"], json.loads(json.dumps(options_of(arguments)))
    for name in sorted(now.keys() - NOT_COMPARED):
        if before.get(name) != now[name]:
            raise UserError(
                f"--resume: {path} was run with --{name}={before.get(name)}, not {now[name]}; say the same, or leave "
                "--resume out"
            )
    if configuration["split"] != split:
        raise UserError(f"--resume: images came or went since {path} began; leave --resume out")
    if (path / RESULTS).is_file():
        raise UserError(f"--resume: {path} is finished; leave --resume out")


def save_weights(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Tensors, and what they belong to."""
    metadata = {name: json.dumps(value, ensure_ascii=False) for name, value in about.items()}
    with replacing(path) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary, metadata)


def load_weights(path: Path, identity: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and what was saved about them. Raises UserError unless they are of a network of this identity."""
    try:
        with named_in_text(path) as readable, safe_open(readable, "pt") as file:
            about = {name: json.loads(text) for name, text in (file.metadata() or {}).items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no dict)
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"{path}: can't be read as weights ({str(error)[:100]}); run the sub-command again")
    found, wanted = about.get("identity", {}), json.loads(json.dumps(identity))
    for name in wanted:
        if found.get(name) != wanted[name]:
            said = f"{name} {str(found.get(name))[:60]}, here it is {str(wanted[name])[:60]}"
            raise UserError(f"{path}: are weights of another configuration ({said}); give those of this run")
    return tensors, about


def fill(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Give a network its weights. Raises UserError where they don't fit."""
    try:
        network.load_state_dict({name: tensors[name] for name in network.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise UserError(
            f"{path}: these weights don't fit the network ({str(error)[:100]}); run the sub-command again"
        )


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser remembers, under names such as optimiser.3.exp_avg."""
    state = optimiser.state_dict()["state"]
    return {f"optimiser.{i}.{name}": tensor for i, values in state.items() for name, tensor in values.items()}


def fill_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The other way round, each tensor in the memory order of its weights: a fused step takes them side by side."""
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimiser."):
            _, i, name = key.split(".")
            like = weights[int(i)]
            ordered = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
            state.setdefault(int(i), {})[name] = ordered
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


class Log:
    """Prints lines; where it has a file, those lines go there too, as they come."""

    def __init__(self, path: Path, wanted: bool, configuration: Mapping[str, Any]) -> None:
        self.path = path / f"log{max(numbered(path, 'log'), default=0) + 1}.txt" if wanted else None
        if self.path:
            lines = [f"{name}: {value}" for name, value in configuration["options"].items()]
            self.path.write_text("\n".join([*lines, "", ""]), encoding="utf-8")

    def say(self, *lines: str) -> None:
        print(*lines, sep="\n", flush=True)
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
