"""Choices -> ratings: the file that keeps every choice, Elo, Bradley-Terry, assisted ratings, which pair is next."""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .agreement import ChoiceAgreement, choice_agreement
    from .assistance import Assistance, Assistant, Task
    from .assisted import AssistedFit
    from .batch import Batch, batch_statistics
    from .choices import Choices, read_choices, read_log, read_repeats
    from .database import BROKEN, Comparisons
    from .fit import fit_ratings, speed_weights
    from .fitted import Ratings, choices_alone
    from .guesses import Guesses, ModelPrior, guess, no_guesses
    from .held_out import foreseen, headline, turn, values_of
    from .log import KINDS, Bools, Floats, Ints, Log, Start, make_log
    from .named import NamedRatings, rate
    from .pairing import HiddenRepeats, next_screen
    from .progress import Progress, progress_of
    from .rescale import rescale_to, rescaled, standardise
    from .rows import Registered, check_screen
    from .settings import METHODS, MOST_AT_ONCE, PAIRINGS, SCALES, PairingSettings, RatingSettings
    from .similarity import Similarity, make_similarity
    from .starting import start_from
    from .statistics import (
        ENOUGH_REPEATS,
        GOOD_ORDER,
        Share,
        ceiling,
        consistency,
        extremes,
        known_consistency,
        predicted_winner,
        too_early,
    )
    from .stats_file import append_batch
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
