"""What a person may set of choosing: how choices become ratings, and which images come next."""

from dataclasses import dataclass

from ..common import SEED, UserError

METHODS = ("assisted", "bradley_terry", "elo")
SCALES = ("standard", "none")
PAIRINGS = ("near", "random", "classic")
MOST_AT_ONCE = 9


@dataclass(frozen=True)
class RatingSettings:
    """How choices become ratings, and these scores.

    rating: one of METHODS. k: Elo units, 0.001…100, the largest step of one choice; elo only. weight_by_speed: quick
    choices count for more, by `speed_weights`. default_seconds: 0.01 s or more, a choice that takes this long has
    weight 1. weight_min, weight_max: 0.001 or more, what a choice weighs at least and at most; UserError where the
    first is the larger. rescale: one of SCALES; standard: scores have mean 0 and deviation 1 over the compared
    images, none: they are Elo units. new_from_model: images without comparisons start at the model's score.
    """

    rating: str = "assisted"
    k: float = 0.8
    weight_by_speed: bool = False
    default_seconds: float = 1.5
    weight_min: float = 0.5
    weight_max: float = 2.0
    rescale: str = "standard"
    new_from_model: bool = False

    def __post_init__(self) -> None:
        if self.weight_min > self.weight_max:
            raise UserError(
                f"--weight_min={self.weight_min} is above --weight_max={self.weight_max}; "
                "the minimum must not be the larger one"
            )


@dataclass(frozen=True)
class PairingSettings:
    """Which images are shown next. A session keeps them beside its choices, by these names and in this order.

    pairing: one of PAIRINGS, see `next_screen`. number: screens in a batch, 1 or more. number_to_compare: images on a
    screen, 2…MOST_AT_ONCE. low_count_weight: 0…0.99, how much each comparison lowers an image's chance to be drawn;
    classic only. hidden_repeats: 0…0.5, the share of screens that silently repeat an earlier one. held_out_screens:
    0…0.5, the share of images that no fit learns of, and of screens that show those alone. seed: 0…2³² − 1.
    """

    pairing: str = "near"
    number: int = 100
    number_to_compare: int = 2
    low_count_weight: float = 0.4
    hidden_repeats: float = 0.05
    held_out_screens: float = 0.0
    seed: int = SEED
