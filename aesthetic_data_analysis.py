"""How good is a model? In numbers on the terminal, in pictures on a page.

python aesthetic_data_analysis.py "@arguments.txt" --report=report.html
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine

from src.common import UserError, number_of, run_script, working
from src.options import (
    LOOK,
    after_looking,
    comparisons_file,
    image_directory,
    look_settings,
    models_to_look_at,
    parse_arguments,
    report_path,
    settings_of,
)
from src.report import AnalysisSettings, SaveSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from src.ratings import ChoiceAgreement
    from src.report import Subset, Table
    from src.scoring import ScoredImages

DESCRIPTION = "Say how good a model is: statistics, tables of several models, and a page of plots and thumbnails."


def main() -> None:
    arguments = parse_arguments(LOOK, DESCRIPTION)
    check(arguments)
    if arguments.study:
        return export_study(arguments)
    directory = image_directory(arguments)
    analysis, saves = settings_of(AnalysisSettings, arguments), settings_of(SaveSettings, arguments)
    comparisons = check_files(arguments, directory, saves)
    # Imported only now, so that --help and mistyped options answer at once: these bring torch and transformers.
    from src.features import FeatureCache, default_folder
    from src.scores import read_scored_images

    cache = FeatureCache(Path(arguments.cache_directory or default_folder(directory)))
    table = read_scored_images(directory, arguments.scores, arguments.score_column, arguments.exclude)
    with working("Loading torch"):
        from src.report import (
            print_caution,
            print_choices,
            print_held_out,
            print_lines,
            print_tables,
            subsets_of,
            write_scorefiles,
        )
        from src.scoring import score_and_split
    files = models_to_look_at(arguments, directory)
    images = score_and_split(directory, table, files, cache, look_settings(arguments))
    subsets = subsets_of(images, analysis)
    print_lines(images, subsets, analysis)
    tables = print_tables(images, subsets, analysis)
    choices = print_choices(comparisons, arguments.rater, directory, images, cache) if comparisons else []
    if comparisons:
        exclude, settings = arguments.exclude, look_settings(arguments)
        print_held_out(comparisons, arguments.rater, directory, exclude, files, cache, settings)
    print_caution(images.table)
    write_scorefiles(directory, images, saves)
    if arguments.report or arguments.plots:
        write_pictures(arguments, directory, images, subsets, tables, choices)
    print(after_looking(directory, files), end="")


def check(arguments: argparse.Namespace) -> None:
    """What can't be done is refused before the images are looked at."""
    from src.report import check_save_names
    from src.scoring import one_threshold_each

    if (arguments.study in (None, "list")) != (arguments.study_csv is None):
        raise UserError("--study=NAME and --study_csv=FILE go together; --study=list says which studies there are")
    named = arguments.modelpath or arguments.model  # of those without a name there is one
    one_threshold_each(arguments.threshold, max(1, len(named)))
    check_save_names(settings_of(SaveSettings, arguments))


def export_study(arguments: argparse.Namespace) -> None:
    """`--study list`, or a study's trials as CSV."""
    from src.report import list_studies, write_trials

    if arguments.study == "list":
        print("\n".join(list_studies(arguments.database)))
    else:
        path = Path(arguments.study_csv).expanduser()
        print(f"{number_of(write_trials(arguments.database, arguments.study, path), 'trial', 'is')} in {path}")


def check_files(arguments: argparse.Namespace, directory: Path, saves: SaveSettings) -> Path | None:
    """Refuse to write among the images, or over a person's scores. The comparisons database, if there is one."""
    from src.report import check_plots, check_savefiles

    check_plots(arguments.plots, directory)
    report_path(arguments.report, directory)
    comparisons = comparisons_file(arguments, directory)
    if not comparisons.is_file() and arguments.comparisons:
        raise UserError(f"--comparisons={arguments.comparisons}: there is no {comparisons}; choose first")
    check_savefiles(directory, arguments.scores, arguments.score_column, saves)
    return comparisons if comparisons.is_file() else None


def write_pictures(
    arguments: argparse.Namespace,
    directory: Path,
    images: "ScoredImages",
    subsets: "Sequence[Subset]",
    tables: "Sequence[Table]",
    choices: "Sequence[ChoiceAgreement]",
) -> None:
    """The plots of `--plots`, and the page of `--report`."""
    from src.ratings import known_consistency
    from src.report import Material, choices_lines, write_plots, write_report

    material = Material(
        directory,
        *images,
        chosen=subsets,
        database=arguments.database,
        seed=arguments.seed,
        tables=tables,
        choices=choices_lines(choices[0]) if choices else [],
        consistency=known_consistency(choices[0].repeats) if choices else float("nan"),
    )
    if arguments.plots:
        print(f"{len(write_plots(material, Path(arguments.plots)))} plots are in {arguments.plots}")
    if page := report_path(arguments.report, directory):
        write_report(material, page)
        print(f"The report is {page}")


if __name__ == "__main__":
    run_script(main)
