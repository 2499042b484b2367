"""Many configurations -> the best model, on disk as soon as it is found."""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .baseline import baselines, eval_metrics, fit_ridge, held_out_ridge, ridge_predictor, ridge_scores
    from .best_model import BestModel
    from .dataset import Dataset
    from .first_stage import keep_passed
    from .objective import SUBSETS, Objective, make_objective
    from .search import Search, train_again
    from .study import count_finished, dashboard, open_storage, open_study, quiet
    from .training_options import check_columns, output_paths
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
