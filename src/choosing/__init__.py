"""What comes of a person's choices while they choose: scores in the score file, and a model, without any training."""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .chosen_model import ChosenModel, Rated
    from .from_choices import Made, Place, is_from_choices, predictor_of
    from .score_file import ScoreFile, import_scores
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
