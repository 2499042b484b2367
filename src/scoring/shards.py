"""One process's share of the images: `--shard=i/n`. Many processes, none of which knows of the others, do them all.

Which share an image is in depends on its name alone, so that all agree on it however many images there are.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..common import UserError, first_line, write_text

MOST_SHARDS = 500  # shards: to merge them, all are open at once, and systems allow a thousand files or so
SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Shard:
    """number: 1 to count."""

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> "Shard":
        """Of "3/64". Raises ValueError where it is something else."""
        number, count = map(int, text.split("/"))
        if not 1 <= number <= count <= MOST_SHARDS or not text.replace("/", "").isascii():
            raise ValueError(text)
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def has(self, path: str) -> bool:
        """Whether this image is in it. path: relative, with `/`."""
        digest = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1

    def file(self, outfile: Path) -> Path:
        """Where this shard's scores are, beside what they all become."""
        return outfile.with_name(f"{outfile.stem}.shard-{self.number}-of-{self.count}{outfile.suffix}")


class Portion:
    """Counts images, and says which of them are in the shard. listed: all of them. own: those in it."""

    def __init__(self, shard: Shard) -> None:
        self.shard, self.listed, self.own = shard, 0, 0

    def __call__(self, path: str) -> bool:
        self.listed += 1
        is_own = self.shard.has(path)
        self.own += is_own
        return is_own


@dataclass(frozen=True)
class About:
    """What is known of a shard; beside its scores as JSON.

    listed: images named for all shards together. own: those of them that are in this one. images: these, each counted
    once and without those that are not there, by a digest. asked: models and choices, by a digest. rows, unreadable:
    how many images are in its table, and how many could not be read; -1 until it is done.
    """

    listed: int
    own: int
    images: str
    asked: str
    rows: int = -1
    unreadable: int = -1


def digest(texts: Iterable[str]) -> str:
    """Of texts in their order: 16 hexadecimal characters."""
    state = hashlib.blake2b(digest_size=8)
    for text in texts:
        data = text.encode("utf-8", "surrogateescape")
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()


def describe(portion: Portion, paths: Sequence[str], models: Sequence[Path], asked: object) -> About:
    """What is known before anything is scored. models: their files. asked: what else makes a difference."""
    return About(portion.listed, portion.own, digest(paths), digest_of_files(models, repr(asked)))


def digest_of_files(models: Sequence[Path], text: str) -> str:
    """Of what is in model files, and a text: 16 hexadecimal characters."""
    files = [hashlib.blake2b(model.read_bytes(), digest_size=16).hexdigest() for model in models]
    return digest([*files, text])


def about_file(file: Path) -> Path:
    """Where it is written what a shard's file holds."""
    return file.with_suffix(".about.json")


def write_about(file: Path, about: About) -> None:
    """Before the scores themselves: these make the shard done."""
    write_text(about_file(file), json.dumps(asdict(about)) + "\n")


def read_about(file: Path) -> About:
    """UserError where it is missing, or something else."""
    try:
        return About(**json.loads(about_file(file).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{about_file(file)}: does not say what {file.name} holds ({first_line(error)}); delete {file.name}, and "
            "run that shard again"
        )


def is_done(file: Path, now: About) -> bool:
    """Whether this shard was scored before; UserError where what lies there is of other images or models."""
    if not file.exists():
        return False
    was = read_about(file)
    if was.asked != now.asked:
        raise UserError(
            f"{file}: holds what another model or other choices gave; delete it, or give another --outfile"
        )
    if (was.listed, was.own, was.images) != (now.listed, now.own, now.images):
        raise UserError(
            f"{file}: holds scores of other images, {was.own} of {was.listed}, now {now.own} of {now.listed}; delete "
            "it, or give another --outfile"
        )
    return True
