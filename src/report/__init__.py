"""Numbers -> text, pictures and pages: how good is a model?"""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .analysis import FEWEST_IMAGES, Subset, bootstrap, combinations, make_subsets
    from .full_report import Material, write_plots, write_report
    from .layer_sweep import check_eval, check_extractor, report_layers
    from .run_record import about, announce, comparable
    from .spotlight_data import write_data
    from .study_export import list_studies, write_trials
    from .text import (
        aligned,
        choices_lines,
        combinations_table,
        error_lines,
        errors_counted_line,
        interval_line,
        models_table,
        score_line,
    )
    from .training_results import Found, as_on_disk, report_results, write_results
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
