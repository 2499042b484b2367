"""What an option is: its names, what it means, what is allowed, its default, and the scripts that take it."""

import re
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
OTHER_MODELS = (".pth", ".pt")  # how other people's model files end
MODEL_SUFFIXES = (".safetensors", *OTHER_MODELS)

NO_SEARCH = (
    "model_type=ridge",
    "model_type=gp",
)  # what options of networks and of the search for one do nothing beside

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
    # Each an option that is given, or option=value; those of other scripts don't count.
    needs: tuple[str, ...] = ()  # without one of these it does nothing
    idle_with: tuple[str, ...] = ()  # beside one of these it does nothing
    alone: tuple[str, ...] | None = None  # beside this option all others do nothing but these; None: they count

    @property
    def dest(self) -> str:
        return self.names[-1].lstrip("-")


@dataclass(frozen=True)
class Group:
    """Options that belong together, under one heading."""

    title: str
    options: tuple[Option, ...] = field(default_factory=tuple)


def names(text: str, option: Option) -> bool:
    """Whether this word begins with a name of the option: --model=a, --model, -m, -ma."""
    return any(
        text.split("=", 1)[0] == name or (not name.startswith("--") and re.match(rf"{name}[^-]", text))
        for name in option.names
    )


def of(*scripts: str) -> Callable[..., Option]:
    """How options of these scripts are written down; in those of `repeatable` they may stand several times.

    idle: needs, idle_with, alone.
    """

    def make(
        names: str,
        help: str,
        kind: Kind,
        default: Any = None,
        repeatable: tuple[str, ...] = (),
        **idle: tuple[str, ...] | None,
    ) -> Option:
        each = tuple(names.split()), help, kind, default, frozenset(scripts), frozenset(repeatable)
        return Option(*each, **idle)  # type: ignore[arg-type]

    return make


option = of(TRAIN)
choosing = of(CHOOSE)
scoring = of(SCORE)
looking = of(LOOK)
seeing = of(LOOK, SPOTLIGHT)
trained = of(TRAIN, LOOK, SPOTLIGHT)
with_scores = of(CHOOSE, TRAIN, LOOK, SPOTLIGHT)
paged = of(CHOOSE, SPOTLIGHT)
shared = of(*SCRIPTS)


def span(
    name: str, help: str, kind: Kind, limits: tuple[float, float], **idle: tuple[str, ...]
) -> tuple[Option, Option]:
    """--min_NAME and --max_NAME of one metaparameter of networks."""
    largest = f"{help}: largest value tried (equal to the smallest: fixed)"
    return (
        option(f"--min_{name}", f"{help}: smallest value tried", kind, limits[0], **idle),
        option(f"--max_{name}", largest, kind, limits[1], **idle),
    )
