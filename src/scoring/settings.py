"""Settings of this package: with what images are scored, which of them are chosen, and what is done with those."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..scores import SplitSettings


@dataclass(frozen=True)
class ScoringSettings:
    """How models are loaded, and images scored with them.

    threshold: model scores from which an image passes: none, one for all models, or one for each in their order.
    gate: images that the filter of a model fails get the filter's score. head_extractor: the image model of another's
    model file that does not name its own. head_input: what such a file's model is given, where it does not say that:
    the features as they are, "none", or divided by their length, "l2". A plain linear head that says neither is
    refused while these are None. device: where networks run, "auto", "cpu", "cuda" or "mps". extract_batch_size:
    images that go through the image model at once, 1 or more.
    """

    threshold: Sequence[float] = ()
    gate: bool = True
    head_extractor: str | None = None
    head_input: str | None = None
    device: str = "auto"
    extract_batch_size: int = 16


@dataclass(frozen=True)
class SelectionSettings:
    """Which of the scored images are chosen, by the first model's scores.

    minimum_score, maximum_score: in units of the model score, both included; None: no limit. top, bottom: so many of
    the best and of the worst that the other conditions leave, 1 or more; without either, all of them. only_passed:
    those alone that reach every model's threshold.
    """

    minimum_score: float | None = None
    maximum_score: float | None = None
    top: int | None = None
    bottom: int | None = None
    only_passed: bool = False


@dataclass(frozen=True)
class HandingOnSettings:
    """Where chosen images go, and under which names.

    copy_to, move_to, link_to: a folder, of one of the three at most; None: they stay. filename_format: their names
    there, of {rank}, {score}, {percentile}, {name} and {extension}. with_siblings: files that belong to an image by
    their names (captions, sidecars) go along. dry_run: only print what would be done. as_they_come: more images will
    be put there, each by its own score: they have no ranks, and one table says what came from where.
    """

    copy_to: str | None = None
    move_to: str | None = None
    link_to: str | None = None
    filename_format: str = "{rank:05}_{score:.3f}_{name}{extension}"
    with_siblings: bool = True
    dry_run: bool = False
    as_they_come: bool = False

    @property
    def names(self) -> str:
        """The format of their names. Of images that go as they come nobody knows the rank: the usual one lacks it."""
        text = self.filename_format
        is_usual = text == HandingOnSettings.filename_format
        return text.removeprefix("{rank:05}_") if self.as_they_come and is_usual else text

    @property
    def ways(self) -> list[str]:
        """Those of copy, move and link that are asked for."""
        folders = {"copy": self.copy_to, "move": self.move_to, "link": self.link_to}
        return [way for way, folder in folders.items() if folder]

    @property
    def folder(self) -> str | None:
        """Where the images go; None: they stay."""
        return self.copy_to or self.move_to or self.link_to


@dataclass(frozen=True)
class StarSettings:
    """Star ratings in sidecar files.

    write_xmp: whether they are written. stars: four percentiles among the train images' model scores, 0 to 100 and
    rising, at which 2, 3, 4 and 5 stars begin. xmp_name: what a new sidecar of a.jpg is called, "full", a.jpg.xmp, or
    "stem", a.xmp. overwrite_ratings: also where a person's own rating stands, which else stays. dry_run: only print
    what would be written.
    """

    write_xmp: bool = False
    overwrite_ratings: bool = False
    stars: Sequence[float] = (10, 30, 60, 85)
    xmp_name: str = "full"
    dry_run: bool = False


@dataclass(frozen=True)
class GallerySettings:
    """A page of the chosen images.

    gallery: the page, from here; None: none. open: show it in the browser. stars: four percentiles at which 2, 3, 4
    and 5 stars begin.
    """

    gallery: str | None = None
    open: bool = False
    stars: Sequence[float] = (10, 30, 60, 85)


@dataclass(frozen=True)
class FillingSettings:
    """A score file whose images without a score get the model's.

    update_scores: the file, in the directory or from here; None: none. score_column: its column, or key of JSON
    records, that is the score. in_place: the file itself is changed; else the new one lies beside it. dry_run: only
    print what would be done.
    """

    update_scores: str | None = None
    score_column: str = "score"
    in_place: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class LookSettings:
    """With what models, scores and split are looked at.

    model_scores: a score file of model scores, in the directory or from here, where there is no model. split: a file
    that says which images are train, eval, test; None: split.json in the directory, else the score file's column,
    else drawn as in training. drawn: how, as far as a model does not say it. device: where networks run, "auto",
    "cpu", "cuda" or "mps". extract_batch_size: images that go through the image model at once, 1 or more.
    """

    model_scores: str | None = None
    split: str | None = None
    drawn: SplitSettings = SplitSettings()  # noqa: RUF009
    device: str = ScoringSettings.device
    extract_batch_size: int = ScoringSettings.extract_batch_size
