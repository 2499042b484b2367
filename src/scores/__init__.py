"""The score table and its files; which images are for training; how much each of them counts."""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .assisted import Counted, assisted_by, caution, errors_counted
    from .balance import Groups, balance_groups, balance_table, balanced, group_size
    from .chosen import ChosenScores, begun_at, chosen_file, holds_assisted, is_behind, is_chosen, write_chosen
    from .document import listing, normal, shown
    from .estimates import estimated, estimates_note
    from .folds import draw_folds, draw_whole_groups, merged
    from .formats import read_document
    from .json_format import json_text
    from .scored_images import read_scored_images
    from .scorefile import (
        ScoreTable,
        add_images,
        column_values,
        find_scorefile,
        new_table,
        read_numbers,
        read_scorefile,
        refuse_lost_scores,
        select,
        write_scorefile,
    )
    from .settings import BalanceSettings, SplitSettings
    from .spelling import match_images
    from .split import SPLITS, assign_split, check_fractions, draw_split, hash_of
    from .weights import check_column, check_loss, error_weights, score_errors
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
