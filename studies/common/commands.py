"""How a study's command line is read: COMMAND FOLDER and options, in pieces of the toolkit's own."""

import difflib
import shutil
import textwrap
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from src.common import SEED, UserError, working
from src.options import ON_OFF, REGEX, TEXT, Kind, Option, Word, choice, expand, to_text, whole


class Command(NamedTuple):
    """A sub-command. run: what its output folders are called, before their number; "" where it makes none.

    takes: how the word after its name is called.
    """

    help: str
    run: str
    options: tuple[Option, ...]
    takes: str = "FOLDER"


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
GROUP = opt(
    "group_regex", "images for which this finds the same text in their paths stay on one side of a split", REGEX
)
RESUME = opt("resume", "go on with the newest output folder of this sub-command", ON_OFF, False)
LOG = opt("log", "write what is printed to a numbered text file too, the configuration first", ON_OFF, False)


@dataclass(frozen=True)
class Study:
    """script: as a person starts it. commands: by their names, each a file in the script's folder."""

    script: str
    commands: Mapping[str, Command]

    def run(self, words: Sequence[str]) -> None:
        """What these words of a command line ask for."""
        if {"-h", "--help"} & set(words):
            return print(self.help_text(next((word for word in words if word in self.commands), None)))
        arguments = self.read_command(words)
        # Imported only now, so that --help and mistyped options answer at once: these bring torch.
        with working("Loading torch"):
            folder = self.script.removesuffix(".py").replace("/", ".")
            command = import_module(f"{folder}.{arguments.command}")
        command.main(arguments)

    def read_command(self, command_line: Sequence[str]) -> Namespace:
        """`command`, `root`, and an attribute for each option of that sub-command.

        The words are COMMAND FOLDER and options, --name=value or --name value, or lines of files named by @. Options
        of other sub-commands may stand in a file. Raises UserError, naming the nearest, for what there is not.
        """
        words = self._in_pairs(expand(command_line))
        bare = [word for word in words if not word.text.startswith("-")]
        command = self._command(bare)
        if len(bare) != 2:
            takes = self.commands[command].takes
            extra = f"'{bare[2].text}' is one word too many" if len(bare) > 2 else f"the {takes.lower()} is missing"
            raise UserError(f"{extra}; write: python {self.script} {command} {takes} [--option=value ...]")
        options = {option.dest: option for option in self.commands[command].options}
        values = {name: option.default for name, option in options.items()}
        for word in words:
            if word.text.startswith("-"):
                name, _, text = word.text[2:].partition("=")
                if name in options:
                    values[name] = self._read(options[name], word, text, "=" in word.text)
                else:
                    self._refuse(command, word, name)
        return Namespace(command=command, root=Path(bare[1].text).expanduser(), **values)

    def _in_pairs(self, words: Sequence[Word]) -> list[Word]:
        """--name value as --name=value, wherever an option needs one."""
        needing = {
            f"--{o.dest}" for command in self.commands.values() for o in command.options if o.kind.bare is None
        }
        found: list[Word] = []
        for word in words:
            if found and found[-1].text in needing and not word.where and not word.text.startswith("--"):
                found[-1] = Word(f"{found[-1].text}={word.text}", found[-1].where)
            else:
                found.append(word)
        return found

    def _command(self, bare: Sequence[Word]) -> str:
        known = ", ".join(self.commands)
        if not bare:
            raise UserError(f"say what to do, one of {known}; --help says what each is")
        if (name := bare[0].text) in self.commands:
            return name
        nearest = difflib.get_close_matches(name, self.commands, n=1, cutoff=0.5)
        raise UserError(f"there is no sub-command {name}; " + (f"did you mean {nearest[0]}?" if nearest else known))

    @staticmethod
    def _read(option: Option, word: Word, text: str, has_value: bool) -> object:
        if not has_value and option.kind.bare is None:
            raise UserError(f"{word.where}--{option.dest}: its value is missing; write --{option.dest}=VALUE")
        try:
            return option.kind.read(text if has_value else option.kind.bare or "")
        except (ValueError, OverflowError, RecursionError):
            raise UserError(f"{word.where}--{option.dest}={text[:200]}: must be {option.kind.allowed}")

    def _refuse(self, command: str, word: Word, name: str) -> None:
        others = [other for other, one in self.commands.items() if name in (option.dest for option in one.options)]
        if others and word.where:
            return
        if others:
            raise UserError(f"--{name} is for {', '.join(others)}; with {command} it does nothing, leave it out")
        known = [option.dest for option in self.commands[command].options]
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        meant = f"did you mean --{nearest[0]}?" if nearest else f"python {self.script} {command} --help lists them"
        raise UserError(f"{word.where}there is no option --{name[:200]}; {meant}")

    def help_text(self, command: str | None) -> str:
        """The sub-commands, or the options of one."""
        takes = "FOLDER" if command is None else self.commands[command].takes
        lines = [f'python {self.script} {command or "COMMAND"} {takes} ["@arguments.txt"] [--option=value ...]', ""]
        if command is None:
            return "\n".join([*lines, *(_entry(name, 14, one.help) for name, one in self.commands.items())])
        lines += [f"{command}: {self.commands[command].help}", ""]
        for option in self.commands[command].options:
            allowed = f" ({option.kind.allowed})" if option.kind.allowed and option.kind is not TEXT else ""
            default = f" [{to_text(option.default)}]" if option.default is not None else ""
            lines.append(_entry(f"--{option.dest}", 30, f"{option.help}{allowed}{default}"))
        return "\n".join(lines)


def _entry(name: str, column: int, text: str) -> str:
    """A name, and from a column on what is said of it, in lines that the terminal holds."""
    width = max(column + 30, shutil.get_terminal_size().columns - 1)
    return textwrap.fill(
        text, width, initial_indent=f"  {name:<{column - 2}}", subsequent_indent=" " * column, break_on_hyphens=False
    )
