"""Settings of this package: what an analysis looks at and says, and which score files it writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..common import SEED


@dataclass(frozen=True)
class AnalysisSettings:
    """Which images are looked at, and what is said of them.

    include_train_split: look at all images, not at those of the eval split alone. regex: regular expressions; the
    images in whose relative paths one is found have a line by themselves. directories: so have those of each
    sub-folder. confidence: 95 % intervals below each line. threshold: model scores from which an image passes: none,
    one for all models, or one for each in their order. seed: draws the images of the intervals, 0 to 2^32 - 1.
    """

    include_train_split: bool = False
    regex: Sequence[str] = ()
    directories: bool = False
    confidence: bool = False
    threshold: Sequence[float] = ()
    seed: int = SEED


@dataclass(frozen=True)
class SaveSettings:
    """Score files that an analysis writes: .csv or .json in the directory, or absolute; None: that one is not.

    save_scores_and_errors: all that the score file holds, model scores, their differences to the scores, and splits.
    save_model_scorefile: the first model's scores as scores. save_error_scorefile: its score minus the score.
    """

    save_scores_and_errors: str | None = None
    save_model_scorefile: str | None = None
    save_error_scorefile: str | None = None
