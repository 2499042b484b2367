"""Many configurations -> the best model, on disk as soon as it is found."""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .baseline import eval_metrics, ridge_scores
    from .crew import OWN_ATTRIBUTES, count_finished
    from .dataset import Dataset
    from .first_results import First, best_of
    from .first_stage import keep_passed
    from .objective import Objective, make_objective
    from .run import Run, comparison_counts, describe_run
    from .run_files import Found, RunFiles
    from .settings import MetaparameterRanges, ObjectiveSettings, SearchSettings, StudySettings, TrainingSettings
    from .storage import elsewhere, existing_storage, shown_database
    from .study import dashboard, open_study, quiet
    from .trainer import train_again, with_components
    from .training import found_first, search_networks, write_first
    from .worker_files import worker_model
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
