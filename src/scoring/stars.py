"""Stars of scored images, in their sidecar files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..common import UserError
from .settings import HandingOnSettings, StarSettings
from .xmp import NotXmp, sidecars, stars, write_rating

if TYPE_CHECKING:
    from .models import Model, Scored


def check_percentiles(model: "Model", star_settings: StarSettings, handing_on: HandingOnSettings) -> None:
    """UserError where stars, or {percentile} in names, are asked of a model that knows no percentiles."""
    names = handing_on.folder and "{percentile" in handing_on.filename_format
    if (star_settings.write_xmp or names) and model.quantiles is None:
        what = "--write_xmp" if star_settings.write_xmp else "{percentile} in --filename_format"
        raise UserError(f"{what}: {model.path} has no train_score_quantiles in its metadata; train it again")


def write_stars(directory: Path, chosen: "Scored", settings: StarSettings) -> None:
    """xmp:Rating of each image into its sidecars, by its percentile among the train images; how many is printed."""
    changed = same = 0
    ratings = stars(chosen.models[0].percentiles(chosen.scores[:, 0]), settings.stars).tolist()
    for path, rating in zip(chosen.paths, ratings, strict=True):
        for sidecar in sidecars(directory / path, settings.xmp_name):
            if settings.dry_run:
                print(f"{'*' * rating:<5} would go into {sidecar}")
                continue
            try:
                written = write_rating(sidecar, rating)
            except NotXmp as problem:
                print(f"note: {sidecar}: {problem}; it is left as it is", file=sys.stderr)
                continue
            changed, same = changed + written, same + (not written)
    if not settings.dry_run:
        counts = ", ".join(f"{ratings.count(rating)} with {rating}" for rating in range(5, 0, -1))
        print(f"Stars: {changed} sidecars written, {same} had them already ({counts}).")
