"""Stars of scored images, in their sidecar files; ratings that a person gave stay unless they are to go."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ..common import UserError, number_of
from .settings import HandingOnSettings, StarSettings
from .xmp import persons_rating, sidecars, star_ratings, write_rating
from .xmp_packet import NotXmp

if TYPE_CHECKING:
    from .models import Model, Scored


def check_percentiles(model: "Model", star_settings: StarSettings, handing_on: HandingOnSettings) -> None:
    """UserError where stars, or {percentile} in names, are asked of a model that knows no percentiles."""
    names = handing_on.folder and "{percentile" in handing_on.names
    if (star_settings.write_xmp or names) and model.quantiles is None:
        what = "--write_xmp" if star_settings.write_xmp else "{percentile} in --filename_format"
        raise UserError(f"{what}: {model.path} has no train_score_quantiles in its metadata; train it again")


def write_stars(directory: Path, chosen: "Scored", settings: StarSettings) -> None:
    """xmp:Rating of each image into its sidecars, by its percentile among the train images.

    An image that a person has rated keeps that unless the settings say otherwise; both are listed. All is counted,
    and printed. Of images that share a sidecar, a.jpg and a.png with a.xmp, the best one's rating goes there.
    """
    ratings = star_ratings(chosen.models[0].percentiles(chosen.scores[:, 0]), settings.stars).tolist()
    images = [directory / path for path in chosen.paths]
    counts: Counter[str] = Counter()
    wanted: dict[Path, int] = {}  # sidecar -> rating; 0: it stays
    for image, rating in zip(images, ratings, strict=True):
        may = _may_write(image, rating, settings, counts)
        for sidecar in sidecars(image, settings.xmp_name):
            wanted[sidecar] = max(rating, wanted.get(sidecar, rating)) * (may and wanted.get(sidecar) != 0)
    given: Counter[int] = Counter()
    for sidecar, rating in wanted.items():
        if rating == 0:
            continue
        if what := _write(sidecar, rating, settings.dry_run):
            counts[what] += 1
            given[rating] += 1
    print(_summary(counts, given, settings.dry_run))


def _may_write(image: Path, rating: int, settings: StarSettings, counts: Counter[str]) -> bool:
    """False where the person's own rating is to stay; it is listed either way."""
    own = persons_rating(image)
    if own is None:
        return True
    file, said = own
    way = "overwritten" if settings.overwrite_ratings else "kept"
    counts[way] += 1
    print(f"{file}: your rating {said} {'would be' if settings.dry_run else 'is'} {way}; the model's is {rating}")
    return settings.overwrite_ratings


def _write(sidecar: Path, rating: int, dry_run: bool) -> str | None:
    """What became of a sidecar: "written", "same", or None where it is left alone, which is said."""
    try:
        changed = write_rating(sidecar, rating, dry_run)
    except NotXmp as problem:
        print(f"note: {sidecar}: {problem}; it is left as it is", file=sys.stderr)
        return None
    if dry_run and changed:
        print(f"{'*' * rating:<5} would go into {sidecar}")
    return "written" if changed else "same"


def _summary(counts: Counter[str], given: Counter[int], dry_run: bool) -> str:
    each = ", ".join(f"{given[rating]} with {rating}" for rating in range(5, 0, -1))
    own = [f"{number_of(counts[way], 'rating')} of your own {way}" for way in ("kept", "overwritten") if counts[way]]
    option = "; --overwrite_ratings lets the model's replace them" if counts["kept"] else ""
    written = "would be written" if dry_run else "written"
    sidecars = number_of(counts["written"], "sidecar")
    parts = [
        f"{sidecars} {written}",
        f"{counts['same']} had them already ({each})",
        *own,
    ]
    return f"Stars: {', '.join(parts)}{option}."
