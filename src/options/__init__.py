"""What options there are, how argument files and command lines are read, and the settings that they become.

Only here, and in the scripts, is argparse known: all other packages take settings.
"""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .command_line import parse_arguments
    from .files import Word, argument_folders, expand, to_text, write_arguments
    from .groups.learning import high_end_fix
    from .groups.search import search_settings
    from .kinds import BALANCE, ON_OFF, REGEX, STATES, TEXT, Kind, choice, number, whole
    from .looking import look_settings, models_to_look_at
    from .next_steps import (
        after_choosing,
        after_looking,
        after_scoring,
        after_training,
        next_command,
        scoring_again,
    )
    from .option import CHOOSE, LOOK, SCORE, SPOTLIGHT, TRAIN, Option
    from .page import options_page
    from .paths import (
        comparisons_file,
        existing_model,
        image_directory,
        model_path,
        model_paths,
        place_of_images,
        report_path,
    )
    from .settings import settings_of
    from .training import check_columns, complete, filter_of, output_paths, study_name
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
