"""How hidden states are numbered: 0 is an image model's final output, 1 the layer before it, …

Where several image models are used at once, state k of the model at place i (from 0) has the number 1000 · i + k, so
that numbers stand for themselves wherever one model is used, and nothing but this file knows of the places.
"""

from collections.abc import Iterable

PLACE = 1000


def number(place: int, state: int) -> int:
    """The number of a state of the image model at this place."""
    return PLACE * place + state


def place_and_state(number: int) -> tuple[int, int]:
    """The image model's place and its own state, of a number."""
    return divmod(number, PLACE)


def by_place(numbers: Iterable[int]) -> dict[int, list[int]]:
    """{place: the numbers of that image model, in their order}, places rising."""
    places: dict[int, list[int]] = {}
    for one in numbers:
        places.setdefault(place_and_state(one)[0], []).append(one)
    return dict(sorted(places.items()))


def read_states(text: str) -> tuple[int, ...]:
    """Numbers from what a person writes: "0,2" for one image model, "0,2;1" for two. ValueError for anything else."""
    numbers = []
    for place, group in enumerate(text.split(";")):
        states = [int(part) for part in group.split(",")]
        if min(states) < 0 or max(states) >= PLACE or len(set(states)) < len(states):
            raise ValueError(text)
        numbers += [number(place, state) for state in states]
    return tuple(numbers)


def write_states(numbers: Iterable[int]) -> str:
    """What a person would have written for these numbers."""
    groups = by_place(numbers).values()
    return ";".join(",".join(str(place_and_state(one)[1]) for one in group) for group in groups)
