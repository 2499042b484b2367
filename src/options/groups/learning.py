"""Options of learning: the network, what training minimises, and the number that decides."""

from ..kinds import BALANCE, ON_OFF, TEXT, choice, number, whole
from ..option import METRICS, Group, option

NETWORK = Group(
    "Network",
    (
        option(
            "--high_end_fix",
            "a second network, of the same sizes, which speaks where the first finds an image good",
            ON_OFF,
            False,
        ),
        option("--variable_high_end_fix", "the same, and where and how much it speaks is trained too", ON_OFF, False),
    ),
)

LEARNING = Group(
    "Loss and metrics",
    (
        option("--loss_model", "what training minimises", choice("mse", "wmse", "ab", "nll", "choices"), "mse"),
        option(
            "--weight_by_error",
            "images of uncertain score count for less, by the score file's column score_error (loss mse or wmse)",
            ON_OFF,
            False,
        ),
        option(
            "--balance",
            "bring groups of train images to one size: some are repeated or left out",
            BALANCE,
            "none",
        ),
        option("--balance_by", "what the groups are: score (in bins), folder, or a column", TEXT, "score"),
        option("--balance_bins", "equal steps of the score that are groups", whole(2), 10, needs=("balance",)),
        option(
            "--normalise_weights",
            "scale the weight column to mean 1 (loss wmse)",
            ON_OFF,
            False,
            needs=("loss_model=wmse",),
        ),
        option(
            "--set_for_scoring",
            "the images that decide which trial is best",
            choice("eval", "train", "full", "test"),
            "eval",
        ),
        option("--metric_for_scoring", "the number that decides (default: that of the loss)", choice(*METRICS)),
        option(
            "--accuracy_divider",
            "accuracy asks: on the right side of this score? (default: the median)",
            number(),
        ),
        *(option(f"--calculate_{metric}", f"record {metric} of every trial", ON_OFF, True) for metric in METRICS),
    ),
)
