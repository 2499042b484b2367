"""Several extractors at once, as one: their features stand side by side."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from ...common import UserError, all_of, by_place, number, place_and_state, write_states
from .base import Extractor, stable_text

SEPARATOR = "__"  # between their names, in model files


class SeveralExtractors(Extractor):
    """Hidden states are numbered by place, as src/hidden_states.py says; the cache keeps each part's as its own."""

    def __init__(self, parts: Sequence[Extractor]) -> None:
        self.parts = list(parts)
        self.name = SEPARATOR.join(part.name for part in parts)
        self.heedless = set.intersection(*(set(part.heedless) for part in parts))
        self.identity = stable_text(several=[part.identity for part in parts])
        self.default_hidden_states = tuple(
            number(place, k) for place, part in enumerate(parts) for k in part.default_hidden_states
        )
        modes = {part.default_hidden_states_mode for part in parts if len(part.default_hidden_states) > 1}
        self.default_hidden_states_mode = modes.pop() if len(modes) == 1 else "join"
        self.n_hidden_states = sum(part.n_hidden_states for part in parts)

    @property
    def in_words(self) -> str:
        return all_of([part.in_words for part in self.parts])

    @property
    def hidden_states(self) -> list[int]:
        return [number(place, k) for place, part in enumerate(self.parts) for k in part.hidden_states]

    def stored_as(self, hidden_state: int) -> tuple[str, int]:
        place, own = place_and_state(hidden_state)
        return self.parts[place].stored_as(own)

    def prepare(self, image: Image.Image) -> np.ndarray:
        """(parts,) of arrays, what each of them needs."""
        return self.prepare_file(lambda _: image)

    def prepare_file(self, open_it: Callable[[int], Image.Image]) -> np.ndarray:
        """As `prepare`; the file is opened once for all parts that want it in the same way."""
        images = {least: open_it(least) for least in {part.least for part in self.parts}}
        prepared = np.empty(len(self.parts), dtype=object)
        for place, part in enumerate(self.parts):
            prepared[place] = part.prepare(images[part.least])
        return prepared

    def __call__(self, prepared: list[np.ndarray], hidden_states: Sequence[int]) -> dict[int, np.ndarray]:
        features: dict[int, np.ndarray] = {}
        for place, numbers in by_place(hidden_states).items():
            own = [place_and_state(one)[1] for one in numbers]
            found = self.parts[place]([of_all[place] for of_all in prepared], own)
            features |= {one: found[k] for one, k in zip(numbers, own, strict=True)}
        return features

    def check_hidden_states(self, hidden_states: Sequence[int]) -> None:
        """Raise UserError unless each part has at least one, and those it is asked for exist."""
        groups = by_place(hidden_states)
        if list(groups) != list(range(len(self.parts))):
            example = write_states(self.default_hidden_states)
            raise UserError(
                f"hidden states {write_states(hidden_states)} are those of {len(groups)} image models, but these are "
                f"{len(self.parts)}: {', '.join(part.name for part in self.parts)}; give each its own, such as "
                f"--hidden_states_used={example}"
            )
        for part, numbers in zip(self.parts, groups.values(), strict=True):
            part.check_hidden_states([place_and_state(one)[1] for one in numbers])
