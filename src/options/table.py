"""Every option of the toolkit, in the order of arguments-example.txt.

One argument file serves all scripts, so all of them know all options.
"""

from .groups.analysis import ANALYSIS
from .groups.choosing import CHOOSING, PAGE, RATINGS
from .groups.features import FEATURES
from .groups.learning import LEARNING, NETWORK
from .groups.main import MAIN
from .groups.scoring import SCORING
from .groups.search import METAPARAMETERS, SEARCH
from .groups.splits import SPLITS
from .option import Group

GROUPS: tuple[Group, ...] = (
    MAIN,
    FEATURES,
    SPLITS,
    NETWORK,
    LEARNING,
    SEARCH,
    METAPARAMETERS,
    CHOOSING,
    RATINGS,
    PAGE,
    SCORING,
    ANALYSIS,
)


def groups_of(script: str) -> list[Group]:
    """The option groups of one script, in the order of the example file."""
    chosen = [Group(group.title, tuple(o for o in group.options if script in o.scripts)) for group in GROUPS]
    return [group for group in chosen if group.options]
