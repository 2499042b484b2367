"""What options say of looking at models: their files, and the settings of the two scripts that look."""

import argparse
import sys
from pathlib import Path

from ..scores import SplitSettings
from ..scoring import LookSettings
from .paths import model_paths
from .settings import settings_of


def models_to_look_at(arguments: argparse.Namespace, directory: Path) -> list[Path]:
    """The files of the models; none where `--model_scores` stands alone, as they are the model's then."""
    named = arguments.modelpath or arguments.model
    if arguments.model_scores and not named:
        return []
    if arguments.model_scores:
        print(f"note: --model_scores={arguments.model_scores} is left out, as a --model is given", file=sys.stderr)
    return model_paths(arguments, directory)


def look_settings(arguments: argparse.Namespace) -> LookSettings:
    """Where neither a file nor a model says which split it is, the options do, as in training."""
    seed = arguments.seed if arguments.eval_pick_seed is None else arguments.eval_pick_seed
    drawn = settings_of(SplitSettings, arguments, eval_pick_seed=seed, folds=None, group_column=None)
    return settings_of(LookSettings, arguments, drawn=drawn)
