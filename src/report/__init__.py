"""Numbers -> text, pictures and pages: how good is a model?"""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .analysis import Subset
    from .announcement import first_lines, learning_lines, split_line, study_line, until_line
    from .destinations import check_plots, check_save_names, check_savefiles, write_scorefiles
    from .drawings import write_plots
    from .full_report import write_report
    from .held_out_choices import print_held_out
    from .layer_sweep import check_eval, check_extractor, report_layers
    from .material import Material
    from .settings import AnalysisSettings, SaveSettings
    from .spotlight_data import write_data
    from .study_export import list_studies, write_trials
    from .terminal import Table, print_caution, print_choices, print_lines, print_tables, subsets_of
    from .text import choices_lines
    from .training_results import report_results, write_results
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
