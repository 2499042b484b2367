"""Models and folders of images -> model scores, and what is done with them: files, copies, stars, watching."""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .gallery import Gallery, check_gallery, show_page
    from .handing_on import check_handing_on, hand_on, may_be_over, not_handed_on, what_is_left
    from .held_out import held_out_correlation
    from .merging import check_suffix, merge
    from .model_scores import ModelScores
    from .models import Model, Scored, load_models, score_images
    from .on_ray import Parts, check_ray, parts_of, score_on_ray
    from .output import (
        best_first,
        check_names,
        check_outfile,
        check_readable,
        local_outfile,
        place_of,
        summarise,
        table_head,
        table_lines,
        upload,
        write_rows,
        write_scores,
    )
    from .scored_images import ScoredImages, score_and_split
    from .scorer import Scorer, Scores, load_scorer
    from .selection import choose, find_wanted, matching, ranks
    from .settings import (
        FillingSettings,
        GallerySettings,
        HandingOnSettings,
        LookSettings,
        ScoringSettings,
        SelectionSettings,
        StarSettings,
    )
    from .shards import MOST_SHARDS, About, Portion, Shard, describe, is_done, write_about
    from .stars import check_percentiles, write_stars
    from .thresholds import one_threshold_each
    from .update import Unfilled, fill_in, read_unfilled
    from .watch import State, keep_watching, states_of
    from .xmp import new_packet, star_ratings
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
