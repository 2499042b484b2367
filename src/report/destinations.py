"""Files that an analysis writes beside its page: refused before the work where they would harm, written after it."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common import UserError, check_writable, number_of, plain
from ..scores import find_scorefile, new_table, refuse_lost_scores, write_scorefile
from .settings import SaveSettings

if TYPE_CHECKING:
    from ..scoring import ScoredImages


def check_plots(text: str | None, directory: Path) -> None:
    """Plots among the images would be taken for images the next time; hidden folders are not looked into.

    UserError there, and where no plot can be written.
    """
    folder, images = Path(text or ".").expanduser().resolve(), directory.resolve()
    inside = text and folder.is_relative_to(images)
    if text:
        above = next(path for path in (folder, *folder.parents) if path.exists())
        check_writable("plots", above / "plot.png")
    if inside and not any(part.startswith(".") for part in folder.relative_to(images).parts):
        raise UserError(f"--plots={text}: is in {directory}, where plots would count as images; name another folder")


def check_save_names(settings: SaveSettings) -> None:
    """UserError for a name that says no form of score file."""
    for name, text in asdict(settings).items():
        if text and Path(text).suffix.lower() not in (".csv", ".json"):
            raise UserError(f"--{name}={text}: must end with .csv or .json")


def check_savefiles(directory: Path, scores: str | None, score_column: str, settings: SaveSettings) -> None:
    """A person's scores are not to be lost. scores, score_column: the score file, and its column of scores."""
    scorefile = find_scorefile(directory, scores)
    for name, text in asdict(settings).items():
        if text:
            path = plain(directory / Path(text).expanduser())
            check_writable(name, path)
            in_use = path.exists() and path.samefile(scorefile)
            refuse_lost_scores(name, path, score_column, partial(_is_ours, name, in_use))


def _is_ours(name: str, in_use: bool, columns: set[str]) -> bool:
    if name == "save_scores_and_errors":  # all that the score file holds is written again
        return in_use or any(column.startswith("model_error") for column in columns)
    return columns == {"score", "split"} and not in_use


def write_scorefiles(directory: Path, images: "ScoredImages", settings: SaveSettings) -> None:
    """Write those that are asked for, and say where they are."""
    table, models, split = images
    columns: dict[str, Any] = {}
    for model in models:
        end = "" if len(models) == 1 else f" {model.name}"
        columns |= {f"model_score{end}": model.scores, f"model_error{end}": model.scores - table.scores}
    first = models[0].scores
    for text, content in (
        (settings.save_scores_and_errors, None),
        (settings.save_model_scorefile, first),
        (settings.save_error_scorefile, first - table.scores),
    ):
        if not text:
            continue
        path = plain(directory / Path(text).expanduser())
        if content is None:
            write_scorefile(path, table, {**columns, "split": split})
        else:
            write_scorefile(path, new_table(table.paths, path.name), {"score": content, "split": split})
        print(f"{number_of(len(table.paths), 'image', 'is')} in {path}")
