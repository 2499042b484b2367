"""Models and folders of images -> model scores, and what is done with them: files, copies, stars, watching."""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .handing_on import WAYS, carry_out, check_format, check_target, new_name, plan
    from .held_out import held_out_correlation
    from .model_scores import ModelScores, read_all, read_scored_images
    from .models import Model, Scored, load_models, score_images
    from .output import (
        append_line,
        check_names,
        check_outfile,
        columns_of,
        line_for_people,
        rows_of,
        summary_lines,
        terminal_table,
        unreadable_lines,
        write_scores,
    )
    from .selection import choose, matching, ranks
    from .update import beside, fill, find, read_table, write_filled
    from .watch import State, Watch, states_of
    from .xmp import NotXmp, sidecars, stars, write_rating
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
