"""What a sitting is made of: screens, answers, steps that can be taken back, finished batches."""

from dataclasses import dataclass, field

from ..ratings import Batch, Bools, Ints, Ratings


@dataclass(frozen=True)
class Screen:
    """Images to choose between, by row, left to right. repeat_of: the comparison that it silently repeats."""

    id: str
    rows: Ints
    repeat_of: int | None = None


@dataclass(frozen=True)
class Step:
    """Something that Backspace takes back: the comparison `id`, or the exclusion, event `id`, of `image`.

    screen: what was shown; without images where that isn't known.
    """

    kind: str
    id: int
    screen: Screen
    image: int = 0

    @property
    def name(self) -> str:
        return f"{self.kind} {self.id}"


@dataclass(frozen=True)
class Answer:
    """What the page says of a screen. winner: an id, None for ties and skips. client_id: the page's name for it."""

    screen: str
    shown: tuple[int, ...]
    kind: str
    winner: int | None
    seconds: float | None
    client_id: str


@dataclass
class Start:
    """Where a batch began: its place in the history of steps, and the ratings there."""

    place: int
    ratings: Ratings


@dataclass
class Closed:
    """A finished batch: its number in this session, its statistics, the ratings after it.

    orders: how right the order was after each batch of the session, this one last: the expected Spearman, nan where
    the ratings can't say or it is too early.
    """

    number: int
    batch: Batch
    ratings: Ratings
    allowed: Bools
    orders: list[float] = field(default_factory=list)
