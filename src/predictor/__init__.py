"""The predictor: a small network from raw features to model scores, and its file. Nothing here knows how features
are made."""

from src.predictor.config import PredictorConfig, arrange, check_mode, choose_fix, choose_mode
from src.predictor.file import FORMAT, check_extractor, load_predictor, save_converted, save_predictor
from src.predictor.foreign import Unsaid
from src.predictor.network import Dropout, Ensemble, Predictor, combine, fold_scaling

__all__ = [
    "FORMAT",
    "Dropout",
    "Ensemble",
    "Predictor",
    "PredictorConfig",
    "Unsaid",
    "arrange",
    "check_extractor",
    "check_mode",
    "choose_fix",
    "choose_mode",
    "combine",
    "fold_scaling",
    "load_predictor",
    "save_converted",
    "save_predictor",
]
