"""What every extractor is: images in, {hidden state: features} out. Nothing heavy is imported here."""

import abc
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...common import UserError, by_place, write_states
from .resizing import earlier

MEGABYTE = 1 << 20


class Extractor(abc.ABC):
    """A pretrained image network that turns images into features.

    name: as the person gave it. identity: a text that is equal exactly where the features are: family, weights,
    preprocessing, number format; it is known without loading the network. Hidden state 0 is the final output, 1 the
    layer before it, and so on to n_hidden_states - 1; their widths may differ. fp16, aim_batch_norm: as
    `load_extractor` was told, and is to be told again by whoever wants the same features. heedless: those of
    fp16_features and aim_batch_norm that make no difference to it. least: as `open_image` takes it; a part of the
    identity.
    """

    name: str
    identity: str
    default_hidden_states: tuple[int, ...]
    default_hidden_states_mode: str
    n_hidden_states: int
    fp16 = False
    aim_batch_norm = "eval"
    heedless: Collection[str] = ("aim_batch_norm",)
    least = 0

    @property
    def in_words(self) -> str:
        """Its name as a person reads it."""
        return self.name

    @property
    def earlier_identity(self) -> str:
        """What model files of before name it by: of their features it is not known in which order Pillow resized."""
        return earlier(self.identity)

    @property
    def hidden_states(self) -> Sequence[int]:
        """All that there are."""
        return range(self.n_hidden_states)

    def stored_as(self, hidden_state: int) -> tuple[str, int]:
        """The identity and the hidden state under which the cache keeps these features."""
        return self.identity, hidden_state

    @abc.abstractmethod
    def prepare(self, image: Image.Image) -> np.ndarray:
        """What the network needs of one RGB image, in as few bytes as possible. Called from several threads."""

    def prepare_file(self, open_it: Callable[[int], Image.Image]) -> np.ndarray:
        """What `prepare` makes of an image that is not open yet. open_it: is given `least`."""
        return self.prepare(open_it(self.least))

    @abc.abstractmethod
    def __call__(self, prepared: list[np.ndarray], hidden_states: Sequence[int]) -> dict[int, np.ndarray]:
        """Features of B prepared images: {k: (B, W_k) float32} for every k of hidden_states.

        The first call loads the network. Raises UserError for a hidden state that there is not, or weights that
        can't be loaded. Rows do not depend on the other images beyond float rounding (about 1e-6 of their size).
        """

    def shared(self) -> AbstractContextManager[int]:
        """So many threads may call the extractor at once while this lasts."""
        return nullcontext(1)

    def check_hidden_states(self, hidden_states: Sequence[int]) -> None:
        """Raise UserError unless there is at least one hidden state, each exists, and none is named twice."""
        valid = f"{self.name} has hidden states 0 (the final output) to {self.n_hidden_states - 1}"
        if not hidden_states:
            raise UserError(f"no hidden state is asked for; {valid}")
        if len(by_place(hidden_states)) > 1:
            raise UserError(f"hidden states {write_states(hidden_states)} are those of several image models; {valid}")
        for k in hidden_states:
            if k not in self.hidden_states:
                raise UserError(f"hidden state {k} does not exist; {valid}")
        if len(set(hidden_states)) < len(hidden_states):
            raise UserError(f"hidden states {', '.join(map(str, hidden_states))}: one is named twice; {valid}")


def weights_hash(files: Iterable[Path]) -> str:
    """32 hexadecimal characters for weights files, from each one's size, first and last megabyte.

    Both ends of a file hold weights (after the header), so that a fine-tuned copy differs; hashing all of a
    10-gigabyte file at every start would take longer than scoring a folder. Raises UserError if one can't be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                digest.update(size.to_bytes(8, "little"))
                for start in (0, max(0, size - MEGABYTE)):
                    file.seek(start)
                    digest.update(file.read(MEGABYTE))
        except OSError as error:
            raise UserError(f"{path}: can't be read ({error.strerror}); it should hold the extractor's weights")
    return digest.hexdigest()


def stable_text(**parts: Any) -> str:
    """A text for an identity: the same parts give the same text, in whatever order their keys come."""
    return json.dumps(parts, sort_keys=True, default=str)
