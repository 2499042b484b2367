"""Images as PNG files with their scores: in their names, their texts, and as stars."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..src.common import UserError, replacing
from .keeping import best

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo

COMPRESSION = 4  # that of ComfyUI's own Save Image
OF_PERCENTILES = ("%percentile%", "%stars%")


@dataclass(frozen=True)
class Marks:
    """What is known of one image. rank: 1 for the best of `count`. percentile, stars: None where nothing says it."""

    score: float
    rank: int
    count: int
    percentile: float | None
    stars: int | None

    def in_name(self, prefix: str) -> str:
        """The prefix of a file name with all that it asks for; ranks have equally many digits."""
        words = {"%score%": f"{self.score:.3f}", "%rank%": f"{self.rank:0{len(str(self.count))}}"}
        if self.percentile is not None:
            words |= {"%percentile%": f"{self.percentile:.0f}", "%stars%": str(self.stars)}
        for word, value in words.items():
            prefix = prefix.replace(word, value)
        return prefix


def marks_of(scores: Sequence[float], percentiles: Sequence[float] | None, limits: Sequence[float]) -> list[Marks]:
    """Of N images; limits: the percentiles at which 2, 3, 4 and 5 stars begin."""
    order = [*best(scores), *(i for i, score in enumerate(scores) if math.isnan(score))]
    ranks = {i: rank for rank, i in enumerate(order, 1)}
    known = [math.nan] * len(scores) if percentiles is None else percentiles
    return [
        Marks(score, ranks[i], len(scores), None if math.isnan(known[i]) else known[i], _stars(known[i], limits))
        for i, score in enumerate(scores)
    ]


def _stars(percentile: float, limits: Sequence[float]) -> int | None:
    import numpy as np

    from ..src.scoring import star_ratings

    return None if math.isnan(percentile) else int(star_ratings(np.array([percentile]), limits)[0])


def star_limits(text: str) -> tuple[float, ...]:
    """Four rising percentiles; UserError for anything else."""
    try:
        limits = tuple(float(part) for part in text.split(","))
    except ValueError:
        limits = ()
    if len(limits) != 4 or list(limits) != sorted(limits) or not all(0 <= limit <= 100 for limit in limits):
        raise UserError(f"stars: {text[:40]!r} are no four rising percentiles; right would be 10,30,60,85")
    return limits


def check_asked(prefix: str, rating: bool, marks: Sequence[Marks]) -> None:
    """UserError where stars or percentiles are asked for, and nothing says them."""
    asked = [word for word in OF_PERCENTILES if word in prefix] + ["the XMP rating"] * rating
    if asked and any(mark.percentile is None for mark in marks):
        raise UserError(
            f"{asked[0]}: not all images have a percentile; connect those of Score Images, of a model that has them"
        )


def save(
    images: "Sequence[Image]",
    marks: Sequence[Marks],
    place: "Callable[[str, int, int], tuple[str, str, int, str, str]]",
    prefix: str,
    texts: Mapping[str, str] | None,
    rating: bool,
) -> list[tuple[str, str]]:
    """Writes each image as PNG; (file name, subfolder) of each.

    place: ComfyUI's get_save_image_path, of prefix, width and height. texts: what else goes into the file; None: it
    gets no texts at all. rating: stars as XMP too.
    """
    saved = []
    for number, (image, mark) in enumerate(zip(images, marks, strict=True)):
        folder, name, counter, subfolder, _ = place(mark.in_name(prefix), image.width, image.height)
        file = _free(Path(folder), name.replace("%batch_num%", str(number)), counter)
        written = None if texts is None else png_texts({**texts, **_scores(mark)}, mark.stars if rating else None)
        with replacing(file) as temporary:
            image.save(temporary, format="PNG", pnginfo=written, compress_level=COMPRESSION)
        saved.append((file.name, subfolder))
    return saved


def _free(folder: Path, name: str, counter: int) -> Path:
    """The next file that isn't there: ComfyUI always counts 1 for a prefix that ends in / or holds %batch_num%."""
    while (file := folder / f"{name}_{counter:05}_.png").exists():
        counter += 1
    return file


def _scores(mark: Marks) -> dict[str, str]:
    return dict.fromkeys(("aesthetic_score", "Score"), f"{mark.score:.6f}")


def png_texts(texts: Mapping[str, str] | None, stars: int | None = None) -> "PngInfo | None":
    """What goes into a PNG beside its pixels: texts by their keys, and a rating. None for no texts at all."""
    from PIL.PngImagePlugin import PngInfo

    if texts is None:
        return None
    info = PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    if stars is not None:
        from ..src.scoring import new_packet

        info.add_itxt("XML:com.adobe.xmp", new_packet(stars))
    return info
