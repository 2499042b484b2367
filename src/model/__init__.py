"""What a trained model is: from features to model scores; one configuration -> one trained model; its file."""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .about import said_by
    from .blend import Blend, networks_of
    from .components import Components, fit_components
    from .config import PredictorConfig, arrange
    from .conversion import convert
    from .export import export_onnx
    from .file import about_scores, check_extractor, load_predictor, save_converted, save_predictor
    from .fit import fit_gp, fit_predictor
    from .foreign import Unsaid, unasked
    from .gate import Filter, about_filter, find_filter, moved
    from .gp import GaussianProcess
    from .gp_fit import fit_gaussian_process
    from .losses import OUTPUT_CHANNELS
    from .network import Ensemble, Predictor, combine, fold_scaling
    from .training import train, train_population
    from .training_data import Comparisons, TrainingConfig, TrainingData
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
