"""What options there are, how argument files and command lines are read, and the settings that they become."""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .arguments import (
        check_report,
        comparisons_file,
        existing_model,
        image_directory,
        model_path,
        model_paths,
        one_threshold_each,
        parse_arguments,
        write_arguments,
    )
    from .table import CHOOSE, LOOK, SCORE, SPOTLIGHT, TRAIN
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
