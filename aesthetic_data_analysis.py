"""How good is a model? In numbers on the terminal, in pictures on a page.

python aesthetic_data_analysis.py "@arguments.txt" --report=report.html
"""

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine

from src.common import UserError, plain, run
from src.options import LOOK, check_report, comparisons_file, image_directory, one_threshold_each, parse_arguments

if TYPE_CHECKING:
    import numpy as np

    from src.features import FeatureCache
    from src.ratings import ChoiceAgreement
    from src.report import Subset
    from src.scores import ScoreTable
    from src.scoring import ModelScores

DESCRIPTION = "Say how good a model is: statistics, tables of several models, and a page of plots and thumbnails."

SAVES = ("save_scores_and_errors", "save_model_scorefile", "save_error_scorefile")


def main() -> None:
    arguments = parse_arguments(LOOK, DESCRIPTION)
    check(arguments)
    if arguments.study:
        export_study(arguments)
        return
    directory = image_directory(arguments)
    check_plots(arguments.plots, directory)
    find_comparisons(arguments, directory)
    check_savefiles(arguments, directory)
    # Imported only now, so that --help and mistyped options answer at once: these bring torch and transformers.
    from src.report import make_subsets
    from src.scoring import read_all

    cache, table, models, split = read_all(arguments, directory)
    subsets = make_subsets(table.paths, looked_at(arguments, split), arguments.regex, arguments.directories)
    print_lines(arguments, table, models, subsets)
    tables = print_tables(arguments, table, models, subsets)
    choices = agreement_with_choices(arguments, directory, table, models, split, cache)
    print_caution(table)
    write_scorefiles(arguments, directory, table, models, split)
    write_pictures(arguments, directory, table, models, split, subsets, tables, choices)


def check(arguments: argparse.Namespace) -> None:
    """What can't be done is refused before the images are looked at."""
    if (arguments.study in (None, "list")) != (arguments.study_csv is None):
        raise UserError("--study=NAME and --study_csv=FILE go together; --study=list says which studies there are")
    named = arguments.modelpath or arguments.model  # of those without a name there is one
    one_threshold_each(arguments.threshold, max(1, len(named)))
    for name in SAVES:
        text = getattr(arguments, name)
        if text and Path(text).suffix.lower() not in (".csv", ".json"):
            raise UserError(f"--{name}={text}: must end with .csv or .json")
    if arguments.report:
        check_report(arguments.report)


def check_plots(text: str | None, directory: Path) -> None:
    """Plots among the images would be taken for images the next time; hidden folders are not looked into."""
    folder, images = Path(text or ".").expanduser().resolve(), directory.resolve()
    inside = text and folder.is_relative_to(images)
    if inside and not any(part.startswith(".") for part in folder.relative_to(images).parts):
        raise UserError(f"--plots={text}: is in {directory}, where plots would count as images; name another folder")


def check_savefiles(arguments: argparse.Namespace, directory: Path) -> None:
    """A person's scores are not to be lost."""
    from src.scores import find_scorefile, refuse_lost_scores

    scores = find_scorefile(directory, arguments.scores)
    for name in SAVES:
        if text := getattr(arguments, name):
            path = plain(directory / Path(text).expanduser())
            in_use = path.exists() and path.samefile(scores)
            refuse_lost_scores(name, path, arguments.score_column, partial(_is_ours, name, in_use))


def _is_ours(name: str, in_use: bool, columns: set[str]) -> bool:
    if name == "save_scores_and_errors":  # all that the score file holds is written again
        return in_use or any(column.startswith("model_error") for column in columns)
    return columns == {"score", "split"} and not in_use


def find_comparisons(arguments: argparse.Namespace, directory: Path) -> Path | None:
    """The comparisons database, where there is one; UserError where one is named that isn't there."""
    path = comparisons_file(arguments, directory)
    if not path.is_file() and arguments.comparisons:
        raise UserError(f"--comparisons={arguments.comparisons}: there is no {path}; choose first")
    return path if path.is_file() else None


def export_study(arguments: argparse.Namespace) -> None:
    """`--study list`, or a study's trials as CSV."""
    from src.report import list_studies, write_trials

    if arguments.study == "list":
        print("\n".join(list_studies(arguments.database)))
    else:
        path = Path(arguments.study_csv).expanduser()
        print(f"{write_trials(arguments.database, arguments.study, path)} trials are in {path}")


def looked_at(arguments: argparse.Namespace, split: "np.ndarray") -> "np.ndarray":
    """(N,) bool: the eval split alone, or everything."""
    import numpy as np

    if arguments.include_train_split:
        print(f"All {len(split)} images, those that were trained on included.")
        return np.ones(len(split), dtype=bool)
    name = "eval" if (split == "eval").any() else "test"  # models of --folds have no eval split
    wanted = split == name
    if not wanted.any():
        raise UserError(
            "no image is in the eval or test split; look at all with --include_train_split, or give a --split"
        )
    print(f"{wanted.sum()} images of the {name} split; --include_train_split looks at all {len(split)}.")
    return wanted


def print_lines(
    arguments: argparse.Namespace, table: "ScoreTable", models: list["ModelScores"], subsets: list["Subset"]
) -> None:
    """A line per subset and model."""
    from src.report import FEWEST_IMAGES, bootstrap, error_lines, errors_counted_line, interval_line, score_line
    from src.scores import errors_counted

    for model in models:
        print(f"\nModel {model.name}" if len(models) > 1 else "")
        for subset in subsets:
            scores, model_scores = table.scores[subset.rows], model.scores[subset.rows]
            print(score_line(subset.name, scores, model_scores))
            if counted := errors_counted(table, model.scores, subset.rows):
                print(errors_counted_line(counted))
            for line in error_lines(scores, model_scores, model.errors[subset.rows]):
                print(line)
            if arguments.confidence and len(scores) >= FEWEST_IMAGES:
                print(interval_line(bootstrap(scores, model_scores, arguments.seed)))
            elif arguments.confidence and len(scores) >= 3:
                print(f"      95 % intervals: none, {len(scores)} images are too few ({FEWEST_IMAGES} are needed)")


def print_tables(
    arguments: argparse.Namespace, table: "ScoreTable", models: list["ModelScores"], subsets: list["Subset"]
) -> list[tuple[str, list[list[str]]]]:
    """Several models beside each other, and who passes which; the same tables with their headings, for the page."""
    from src.report import aligned, combinations, combinations_table, models_table

    tables = []
    scores = {model.name: model.scores for model in models}
    if len(models) > 1:
        rows_of = {subset.name: subset.rows for subset in subsets}
        tables.append(("Models", models_table(rows_of, table.scores, scores)))
    if arguments.threshold:
        rows = subsets[0].rows
        chosen = {name: values[rows] for name, values in scores.items()}
        found = combinations(table.scores[rows], chosen, one_threshold_each(arguments.threshold, len(models)))
        tables.append(("Who passes which model", combinations_table(list(scores), found)))
    for _, cells in tables:
        print("\n" + aligned(cells))
    return tables


def agreement_with_choices(
    arguments: argparse.Namespace,
    directory: Path,
    table: "ScoreTable",
    models: list["ModelScores"],
    split: "np.ndarray",
    cache: "FeatureCache",
) -> list["ChoiceAgreement"]:
    """Each model against the choices of the comparisons database, where there is one."""
    from src.ratings import choice_agreement, read_log
    from src.report import choices_lines

    path = find_comparisons(arguments, directory)
    if path is None:
        return []
    log, ids = read_log(path, arguments.rater, directory, table.paths, cache)
    unseen = split != "train"
    found = [choice_agreement(log, ids, table.paths, unseen, table.scores, model.scores) for model in models]
    for model, agreement in zip(models, found, strict=True):
        print(f"\nModel {model.name}" if len(models) > 1 else "")
        print("\n".join(choices_lines(agreement)))
    return found


def print_caution(table: "ScoreTable") -> None:
    """What to keep in mind of scores that features assisted."""
    from src.scores import caution

    if text := caution(table):
        print(f"\n{text}")


def write_scorefiles(
    arguments: argparse.Namespace,
    directory: Path,
    table: "ScoreTable",
    models: list["ModelScores"],
    split: "np.ndarray",
) -> None:
    """The files of the --save options, in the directory."""
    from src.scores import new_table, write_scorefile

    first, difference = models[0], models[0].scores - table.scores
    columns: dict[str, Any] = {}
    for model in models:
        end = "" if len(models) == 1 else f" {model.name}"
        columns |= {f"model_score{end}": model.scores, f"model_error{end}": model.scores - table.scores}
    for text, content in (
        (arguments.save_scores_and_errors, None),
        (arguments.save_model_scorefile, first.scores),
        (arguments.save_error_scorefile, difference),
    ):
        if not text:
            continue
        path = plain(directory / Path(text).expanduser())
        if content is None:
            write_scorefile(path, table, {**columns, "split": split})
        else:
            write_scorefile(path, new_table(table.paths, path.name), {"score": content, "split": split})
        print(f"{len(table.paths)} images are in {path}")


def write_pictures(
    arguments: argparse.Namespace,
    directory: Path,
    table: "ScoreTable",
    models: list["ModelScores"],
    split: "np.ndarray",
    subsets: list["Subset"],
    tables: list[tuple[str, list[list[str]]]],
    choices: list["ChoiceAgreement"],
) -> None:
    """The page of `--report`, and the plots of `--plots`."""
    if not (arguments.report or arguments.plots):
        return
    from src.report import Material, choices_lines, write_plots, write_report

    where = {"directory": directory, "database": arguments.database, "seed": arguments.seed}
    said = choices_lines(choices[0]) if choices else []
    repeated = choices[0].repeats.share if choices else float("nan")
    material = Material(
        table=table,
        models=models,
        split=split,
        chosen=subsets,
        tables=tables,
        choices=said,
        consistency=repeated,
        **where,
    )
    if arguments.plots:
        print(f"{len(write_plots(material, Path(arguments.plots)))} plots are in {arguments.plots}")
    if arguments.report:
        write_report(material, Path(arguments.report))
        print(f"The report is {arguments.report}")


if __name__ == "__main__":
    run(main)
