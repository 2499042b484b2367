"""Train a predictor of your own taste: images and their scores in, a small network out.

python aesthetic_predictor_training.py "@arguments.txt"
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine

from src.common import Steps, UserError, claimed, note, number_of, run_script, working
from src.options import (
    TRAIN,
    argument_folders,
    image_directory,
    parse_arguments,
    search_settings,
    settings_of,
    write_arguments,
)

if TYPE_CHECKING:
    import numpy as np
    from optuna import Study

    from src.features import Extractor, FeatureCache, Features
    from src.model import PredictorConfig
    from src.ratings import Share
    from src.scores import ScoreTable
    from src.search import Dataset, Found, Run, RunFiles

DESCRIPTION = "Train a network that scores images by your own taste, from images and their scores."


def main() -> None:
    arguments = parse_arguments(TRAIN, DESCRIPTION)
    if arguments.list_extractors:
        return print_extractors()
    directory = image_directory(arguments)
    # Imported only now, so that --help and what is refused answer at once.
    from src.features import FeatureCache
    from src.options import after_training, check_columns, complete, output_paths, report_path, study_name

    model, savefile = output_paths(arguments, directory)
    with claimed(model, f"the training run '{study_name(arguments, directory)}'"):
        table = read_scores(arguments, directory)
        check_columns(arguments, table)
        with working("Loading torch and the image model"):
            from src.report import report_results, write_results

            extractor = image_model(arguments)
        complete(arguments, directory, extractor)
        cache = FeatureCache(Path(arguments.cache_directory))
        table, behind = pass_filter(arguments, directory, table, cache, model)
        table, features = read_features(arguments, directory, table, extractor, cache)
        if arguments.trials == 0 and arguments.layer_sweep == "off":
            return say_ready(features)
        data = make_dataset(arguments, directory, table, features, extractor, cache)
        finished = True
        if arguments.trials > 0:
            steps = Steps()
            with working("Preparing the search", steps):
                described = describe(arguments, table, data, behind, steps)
            found, finished = train(arguments, described, model)
            report_results(described, table, model, found, repeats_of(arguments, directory), arguments.details)
            print_foreseen(arguments, directory, model, cache)
            files = savefile, report_path(arguments.report, directory)
            write_results(*files, directory, table, described, model, found, arguments.database)
        if finished and arguments.layer_sweep != "off":
            sweep_layers(arguments, directory, table, extractor, cache, data, model)
        list_unreadable(features.unreadable)
        if arguments.trials > 0:
            print(after_training(arguments, directory, model, new=bool((data.split != "train").any())))
    sys.exit(0 if finished else 130)


def print_extractors() -> None:
    """What `--list_extractors` asks for."""
    from src.features import list_extractors

    print(list_extractors())


def read_scores(arguments: argparse.Namespace, directory: Path) -> "ScoreTable":
    """The images that are there and have a score; everything else is said."""
    from src.scores import find_scorefile, read_scored_images

    path = find_scorefile(directory, arguments.scores)
    arguments.scores = str(path.relative_to(directory) if path.is_relative_to(directory) else path)
    return read_scored_images(directory, arguments.scores, arguments.score_column, arguments.exclude)


def image_model(arguments: argparse.Namespace) -> "Extractor":
    """The image model that is asked for."""
    from src.features import load_extractor

    options = arguments.device, arguments.fp16_features, arguments.aim_batch_norm
    return load_extractor(arguments.feature_extractor_model, *options)


def pass_filter(
    arguments: argparse.Namespace, directory: Path, table: "ScoreTable", cache: "FeatureCache", model: Path
) -> "tuple[ScoreTable, dict[str, Any]]":
    """With --filter_model the images which that passes, and what the new model's file says of it; else all."""
    from src.options import filter_of
    from src.scores import SplitSettings
    from src.search import keep_passed

    found = filter_of(arguments, directory, model)
    if found is None:
        return table, {}
    split, batch_size = settings_of(SplitSettings, arguments), arguments.extract_batch_size
    return keep_passed(found, directory, table, split, cache, model, arguments.device, batch_size)


def read_features(
    arguments: argparse.Namespace, directory: Path, table: "ScoreTable", extractor: "Extractor", cache: "FeatureCache"
) -> "tuple[ScoreTable, Features]":
    """The table without the images that could not be read, and the features of the others.

    For --layer_sweep, the features of all hidden states go into the cache on the way.
    """
    from src.features import extract_features, fill_cache
    from src.scores import select

    used, batch_size = arguments.hidden_states_used, arguments.extract_batch_size
    extractor.check_hidden_states(used)
    if arguments.layer_sweep != "off":
        from src.report import check_extractor

        check_extractor(extractor)
        fill_cache(directory, table.paths, extractor, cache, batch_size)
    features = extract_features(directory, table.paths, extractor, used, cache, batch_size)
    if not features.paths:
        list_unreadable(features.unreadable)
        raise UserError("no image with a score could be read; there is nothing to train on")
    readable = set(features.paths)
    return select(table, [row for row, path in enumerate(table.paths) if path in readable]), features


def list_unreadable(unreadable: Mapping[str, str]) -> None:
    """Every image that was left out, with the reason."""
    if unreadable:
        print(f"\n{number_of(len(unreadable), 'image')} could not be read, left out:")
    for path, reason in unreadable.items():
        print(f"  {path}: {reason}")


def say_ready(features: "Features") -> None:
    """What a run without trials has done."""
    print(f"The features of {number_of(len(features.paths), 'image')} are ready; --trials=0 trains nothing.")
    list_unreadable(features.unreadable)


def make_dataset(
    arguments: argparse.Namespace,
    directory: Path,
    table: "ScoreTable",
    features: "Features",
    extractor: "Extractor",
    cache: "FeatureCache",
) -> "Dataset":
    """Features, scores and split, put together for the search."""
    from src.common import pick_device
    from src.model import arrange
    from src.options import comparisons_file
    from src.ratings import read_choices
    from src.scores import BalanceSettings, balance_groups, error_weights, estimates_note, score_errors
    from src.search import Dataset

    split, folds = draw(arguments, directory, table, cache)
    config = predictor_config(arguments, features, extractor)
    inputs = arrange(features.states, config.hidden_states_used, config.hidden_states_mode)
    groups, choices = balance_groups(settings_of(BalanceSettings, arguments), table), None
    if "choices" in (arguments.loss_model, arguments.metric_for_scoring):
        choices = read_choices(comparisons_file(arguments, directory), arguments.rater, directory, table.paths, cache)
    certainty, said = error_weights(table, split == "train") if arguments.weight_by_error else (None, [])
    if note := estimates_note(table):
        said = [note, *said]
    print("\n".join(said), end="\n" if said else "")
    errors = score_errors(table) if arguments.score_column == "score" else None
    known = table.scores, table.weights, split, folds, groups, choices, certainty, errors
    data = Dataset(config, inputs.to(pick_device(arguments.device)), *known)
    if arguments.layer_sweep != "off":
        from src.report import check_eval

        check_eval(data)
    return data


def draw(
    arguments: argparse.Namespace, directory: Path, table: "ScoreTable", cache: "FeatureCache"
) -> "tuple[np.ndarray, np.ndarray | None]":
    """The split (N,) and, where they are asked for, the folds."""
    from src.scores import SplitSettings, draw_folds, draw_split, estimated

    settings = settings_of(SplitSettings, arguments)
    # Behind a filter the split is drawn already.
    anew = settings.ignore_existing_split and not arguments.filter_model
    given = [""] * len(table.paths) if anew else table.splits
    if settings.folds:
        return draw_folds(settings, directory, replace(table, splits=given), cache)
    return draw_split(settings, table.paths, given, ~estimated(table)), None


def predictor_config(
    arguments: argparse.Namespace, features: "Features", extractor: "Extractor"
) -> "PredictorConfig":
    """What every predictor of the search has in common."""
    from src.model import PredictorConfig
    from src.options import high_end_fix

    used = arguments.hidden_states_used
    return PredictorConfig(
        feature_extractor_model=extractor.name,
        hidden_states_used=used,
        hidden_states_mode=arguments.hidden_states_mode,
        widths=tuple(features.states[state].shape[1] for state in used),
        layers=(1, 1),  # each trial has its own
        extractor_identity=extractor.identity,
        fp16_features=arguments.fp16_features,
        aim_batch_norm=arguments.aim_batch_norm,
        high_end_fix=high_end_fix(arguments),
    )


def describe(
    arguments: argparse.Namespace, table: "ScoreTable", data: "Dataset", behind: Mapping[str, Any], steps: Steps
) -> "Run":
    """What describes this run, before anything is trained. behind: the filter before it. steps: how far that is."""
    from src.scores import SplitSettings
    from src.search import describe_run, make_objective

    search, split = search_settings(arguments), settings_of(SplitSettings, arguments)
    objective = make_objective(search, data, table.has_weights)
    others = {"model_type": arguments.model_type, "score_column": arguments.score_column, **behind}
    return describe_run(table, data, objective, search, split, others, steps)


def train(arguments: argparse.Namespace, run: "Run", model: Path) -> "tuple[Found, bool]":
    """The best model, on disk as soon as it is found; False if Ctrl-C ended the search for it.

    Before any search the better one of ridge regression and a Gaussian process is there.
    """
    from src.report import until_line
    from src.search import RunFiles, best_of, count_finished, found_first, search_networks, write_first

    alone = {first.name: first for first in run.firsts}.get(arguments.model_type)
    if alone:
        files = RunFiles(model, run.data, run.about)
        begin(arguments, run, files, None)
        write_first(alone, run, files)
        return found_first(alone, files), True
    with the_study(arguments, run) as (study, address):
        files = RunFiles(model, run.data, run.about, study)
        begin(arguments, run, files, address)
        asked, blends = search_settings(arguments), arguments.model_type == "blend"
        asked = replace(asked, trials=count_finished(study)) if arguments.collect else asked
        if run.firsts:
            first = best_of(run.objective, run.firsts)
            write_first(first, run, files)
            print(until_line(first, run.objective, blends))
        return search_networks(asked, run, files, blends, arguments.worker)


@contextmanager
def the_study(arguments: argparse.Namespace, run: "Run") -> "Iterator[tuple[Study, str | None]]":
    """The study of the search, and the address where it can be watched; says how far it came where it was stopped."""
    from src.search import StudySettings, count_finished, dashboard, open_study

    search = search_settings(arguments)
    folders = (Path(arguments.directory).expanduser(), *argument_folders(sys.argv[1:]))
    settings = settings_of(StudySettings, arguments, other_folders=folders)
    study = open_study(settings, search, run.objective.direction, run.comparable)
    with dashboard(arguments.server, arguments.database, study._study_id) as address:
        yield study, address
    if (done := count_finished(study)) < search.trials and not arguments.collect:
        print(f"\nStopped by Ctrl-C after {done} of {search.trials} trials; go on with --resume.")


def print_foreseen(arguments: argparse.Namespace, directory: Path, model: Path, cache: "FeatureCache") -> None:
    """How many of the choices between images that were held out the model foresees, where there are any."""
    from src.options import comparisons_file
    from src.report import print_held_out
    from src.scoring import LookSettings

    comparisons = comparisons_file(arguments, directory)
    if not comparisons.is_file():
        return
    settings = settings_of(LookSettings, arguments)
    try:
        print_held_out(comparisons, arguments.rater, directory, arguments.exclude, [model], cache, settings)
    except UserError as error:  # the model is there, whatever the file of comparisons is
        note(f"note: {error}")


def begin(arguments: argparse.Namespace, run: "Run", files: "RunFiles", address: str | None) -> None:
    """Say what is about to happen, and where it can be watched; what lay in its place is kept."""
    from src.choosing import is_from_choices
    from src.report import first_lines, learning_lines, split_line, study_line
    from src.scores import SplitSettings

    split, search = settings_of(SplitSettings, arguments), search_settings(arguments)
    print("\n".join([split_line(run, split), *learning_lines(run, search, arguments.rater), *first_lines(run)]))
    if files.study:
        print(study_line(files.study.study_name, arguments.database, files.path))
    if is_from_choices(files.path):  # what it took the place of, if anything, is the previous one still
        print(f"{files.path.name} was the A/B scorer's model of your choices; this run's takes its place.")
    elif previous := files.keep_previous(bool(files.study) and (arguments.resume or arguments.collect)):
        print(f"The model that lay there is kept as {previous.name}.")
    if address:
        print(f"Watch the search at {address}")
    write_arguments(files.arguments, TRAIN, arguments)


def repeats_of(arguments: argparse.Namespace, directory: Path) -> "Share | None":
    """How often this rater chose the same again, where there are choices."""
    from src.options import comparisons_file
    from src.ratings import read_repeats

    return read_repeats(comparisons_file(arguments, directory), arguments.rater)


def sweep_layers(
    arguments: argparse.Namespace,
    directory: Path,
    table: "ScoreTable",
    extractor: "Extractor",
    cache: "FeatureCache",
    data: "Dataset",
    model: Path,
) -> None:
    """The table and the picture of --layer_sweep."""
    from src.report import report_layers

    training = search_settings(arguments).training if arguments.layer_sweep == "network" else None
    batch_size, seed = arguments.extract_batch_size, arguments.seed
    report_layers(directory, table.paths, extractor, cache, data, model, batch_size, seed, training)


if __name__ == "__main__":
    run_script(main)
