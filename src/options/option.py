"""What an option is: its names, what it means, what is allowed, its default, and the scripts that take it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .kinds import Kind

TRAIN = "aesthetic_predictor_training.py"
CHOOSE = "aesthetic_ab_scorer.py"
SCORE = "aesthetic_score_from_model.py"
LOOK = "aesthetic_data_analysis.py"
SPOTLIGHT = "aesthetic_spotlight.py"
SCRIPTS = (CHOOSE, TRAIN, SCORE, LOOK, SPOTLIGHT)

# Scripts that take several models.
USING_MODELS = (SCORE, LOOK, SPOTLIGHT)
DEFAULT_MODEL = "model.safetensors"

# What copies, moves or links the chosen images.
WAYS_TO = ("copy_to", "move_to", "link_to")


@dataclass(frozen=True)
class Option:
    """One option; the last of its names is the one shown in messages and written to files."""

    names: tuple[str, ...]
    help: str
    kind: Kind
    default: Any = None
    scripts: frozenset[str] = frozenset({TRAIN})
    repeatable: frozenset[str] = frozenset()  # in these scripts the value is a list of all that were given
    needs: tuple[str, ...] = ()  # without one of these, each an option or option=value, it does nothing

    @property
    def dest(self) -> str:
        return self.names[-1].lstrip("-")


@dataclass(frozen=True)
class Group:
    """Options that belong together, under one heading."""

    title: str
    options: tuple[Option, ...] = field(default_factory=tuple)


def of(*scripts: str) -> Callable[..., Option]:
    """How options of these scripts are written down; in those of `repeatable` they may stand several times."""

    def make(
        names: str,
        help: str,
        kind: Kind,
        default: Any = None,
        repeatable: tuple[str, ...] = (),
        needs: tuple[str, ...] = (),
    ) -> Option:
        return Option(tuple(names.split()), help, kind, default, frozenset(scripts), frozenset(repeatable), needs)

    return make


option = of(TRAIN)
choosing = of(CHOOSE)
scoring = of(SCORE)
looking = of(LOOK)
seeing = of(LOOK, SPOTLIGHT)
trained = of(TRAIN, LOOK, SPOTLIGHT)
paged = of(CHOOSE, SPOTLIGHT)
shared = of(*SCRIPTS)


def span(name: str, help: str, kind: Kind, limits: tuple[float, float]) -> tuple[Option, Option]:
    """--min_NAME and --max_NAME of one metaparameter."""
    return (
        option(f"--min_{name}", f"{help}: smallest value tried", kind, limits[0]),
        option(f"--max_{name}", f"{help}: largest value tried (equal to the smallest: fixed)", kind, limits[1]),
    )
