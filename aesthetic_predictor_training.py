"""Train a predictor of your own taste: images and their scores in, a small network out.

python aesthetic_predictor_training.py "@arguments.txt"
"""

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine

from src.common import UserError, run
from src.options import TRAIN, image_directory, parse_arguments, write_arguments

if TYPE_CHECKING:
    from src.features import Extractor, FeatureCache, Features
    from src.report import Found
    from src.scores import ScoreTable
    from src.search import BestModel, Dataset, Objective

DESCRIPTION = "Train a network that scores images by your own taste, from images and their scores."


def main() -> None:
    arguments = parse_arguments(TRAIN, DESCRIPTION)
    if arguments.list_extractors:
        return print_extractors()
    directory = image_directory(arguments)
    from src.search import check_columns, output_paths

    model, savefile = output_paths(arguments, directory)
    # Imported only now, so that --help and what is refused answer at once: these bring torch and transformers.
    from src.features import FeatureCache
    from src.report import report_results, write_results
    from src.search import keep_passed, make_objective

    table = read_scores(arguments, directory)
    check_columns(arguments, table)
    extractor = image_model(arguments)
    complete(arguments, directory, extractor)
    cache = FeatureCache(Path(arguments.cache_directory))
    table, behind = keep_passed(arguments, directory, table, cache, model)
    table, features = read_features(arguments, directory, table, extractor, cache)
    if arguments.trials == 0 and arguments.layer_sweep == "off":
        return say_ready(features)
    data = make_dataset(arguments, directory, table, features, extractor, cache)
    finished = True
    if arguments.trials > 0:
        objective = make_objective(arguments, data, table.has_weights)
        train = train_ridge if arguments.model_type == "ridge" else search_networks
        best, found, finished = train(arguments, table, data, objective, model, behind)
        report_results(arguments, table, best, found)
        write_results(arguments, directory, savefile, table, best, found)
    if finished and arguments.layer_sweep != "off":
        sweep_layers(arguments, directory, table, extractor, cache, data, model)
    list_unreadable(features.unreadable)
    sys.exit(0 if finished else 130)


def print_extractors() -> None:
    """What `--list_extractors` asks for."""
    from src.features import list_extractors

    print(list_extractors())


def read_scores(arguments: argparse.Namespace, directory: Path) -> "ScoreTable":
    """The images that are there and have a score; everything else is said."""
    from src.scores import find_scorefile
    from src.scoring import read_scored_images

    path = find_scorefile(directory, arguments.scores)
    arguments.scores = str(path.relative_to(directory) if path.is_relative_to(directory) else path)
    return read_scored_images(arguments, directory)


def image_model(arguments: argparse.Namespace) -> "Extractor":
    """The image model that is asked for."""
    from src.features import load_extractor

    options = arguments.device, arguments.fp16_features, arguments.aim_batch_norm
    return load_extractor(arguments.feature_extractor_model, *options)


def complete(arguments: argparse.Namespace, directory: Path, extractor: "Extractor") -> None:
    """Replace what was left open by what will be used, so that the arguments written down are the real ones."""
    from src.features import default_folder
    from src.model import choose_mode

    arguments.name = arguments.name or directory.resolve().name
    arguments.cache_directory = arguments.cache_directory or str(default_folder(directory))
    arguments.hidden_states_used = arguments.hidden_states_used or extractor.default_hidden_states
    arguments.hidden_states_mode = choose_mode(arguments, extractor.default_hidden_states_mode)
    if arguments.model_type == "ridge" and (arguments.loss_model != "mse" or arguments.ensemble > 1):
        print("Ridge regression is one model, of least squares: --loss_model and --ensemble are for networks.")
    if arguments.model_type == "ridge" and arguments.hidden_states_mode == "weight":
        print("Ridge regression weights every feature by itself: --hidden_states_mode=weight becomes join.")
        arguments.hidden_states_mode, arguments.weight_hidden_states = "join", False
        arguments.fixed_hidden_state_weights = None
    for seed in ("model_seed", "eval_pick_seed"):
        if getattr(arguments, seed) is None:
            setattr(arguments, seed, arguments.seed)


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
        print(f"\n{len(unreadable)} images could not be read and were left out:")
    for path, reason in unreadable.items():
        print(f"  {path}: {reason}")


def say_ready(features: "Features") -> None:
    """What a run without trials has done."""
    print(f"The features of {len(features.paths)} images are ready; --trials=0 trains nothing.")
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
    from src.model import PredictorConfig, arrange, choose_fix
    from src.ratings import read_choices
    from src.scores import balance_groups, draw_folds, draw_split, error_weights
    from src.search import Dataset

    used, mode = arguments.hidden_states_used, arguments.hidden_states_mode
    config = PredictorConfig(
        feature_extractor_model=extractor.name,
        hidden_states_used=used,
        hidden_states_mode=mode,
        widths=tuple(features.states[state].shape[1] for state in used),
        layers=(1, 1),  # each trial has its own
        extractor_identity=extractor.identity,
        fp16_features=arguments.fp16_features,
        aim_batch_norm=arguments.aim_batch_norm,
        high_end_fix=choose_fix(arguments),
    )
    # Behind a filter the split is drawn already.
    anew = arguments.ignore_existing_split and not arguments.filter_model
    inputs = arrange(features.states, used, mode).to(pick_device(arguments.device))
    given = [""] * len(table.paths) if anew else table.splits
    if arguments.folds:
        split, folds = draw_folds(arguments, directory, replace(table, splits=given), cache)
    else:
        split, folds = draw_split(arguments, table.paths, given), None
    groups, choices = balance_groups(arguments, table), None
    if "choices" in (arguments.loss_model, arguments.metric_for_scoring):
        choices = read_choices(arguments, directory, table.paths, cache)
    certainty, said = error_weights(table, split == "train") if arguments.weight_by_error else (None, [])
    print("\n".join(said), end="\n" if said else "")
    data = Dataset(config, inputs, table.scores, table.weights, split, folds, groups, choices, certainty)
    if arguments.layer_sweep != "off":
        from src.report import check_eval

        check_eval(data)
    return data


def search_networks(
    arguments: argparse.Namespace,
    table: "ScoreTable",
    data: "Dataset",
    objective: "Objective",
    model: Path,
    behind: Mapping[str, Any],
) -> "tuple[BestModel, Found, bool]":
    """The best of many networks and its scores; False if Ctrl-C ended the search. behind: the filter before it."""
    from src.report import about, announce, as_on_disk, comparable
    from src.search import BestModel, Search, count_finished, dashboard, held_out_ridge, open_study

    ridge = held_out_ridge(data, arguments.seed)
    with dashboard(arguments.server, arguments.database) as address:
        study = open_study(arguments, objective.direction, comparable(arguments, table, data, objective.name))
        best = BestModel(model, data, {**about(arguments, table, data, ridge), **behind, "study": study.study_name})
        announce(arguments, best, study.study_name, address)
        write_arguments(model.with_suffix(".arguments.txt"), TRAIN, arguments)
        search = Search(arguments, data, objective, study, best)
        finished = search.run()
    if not finished:
        print(f"\nStopped by Ctrl-C after {count_finished(study)} of {arguments.trials} trials; go on with --resume.")
    return best, as_on_disk(best, search.held_out, ridge), finished


def train_ridge(
    arguments: argparse.Namespace,
    table: "ScoreTable",
    data: "Dataset",
    objective: "Objective",
    model: Path,
    behind: Mapping[str, Any],
) -> "tuple[BestModel, Found, bool]":
    """Ridge regression as the model; nothing is searched, so there is no study."""
    import numpy as np

    from src.report import about, announce, as_on_disk
    from src.search import SUBSETS, BestModel, fit_ridge, held_out_ridge, ridge_predictor

    ridge = fit_ridge(data.inputs.cpu().numpy(), data.scores, data.split, arguments.seed)
    predictor = ridge_predictor(ridge, data.config).to(data.inputs.device)
    held_out = held_out_ridge(data, arguments.seed, ridge)
    best = BestModel(model, data, {**about(arguments, table, data, held_out), **behind})
    announce(arguments, best, "", None)
    write_arguments(model.with_suffix(".arguments.txt"), TRAIN, arguments)
    best.write(predictor, {"metrics": objective.measure_all(data, predictor, *SUBSETS), "ridge_alpha": ridge.alpha})
    inputs, unknown = data.inputs.cpu(), np.full(len(held_out), np.nan)
    scored = (lambda found: found.predict(inputs)) if data.folds is None else (lambda _: (held_out, unknown))
    return best, as_on_disk(best, scored, held_out), True


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

    report_layers(arguments, directory, table.paths, extractor, cache, data, model)


if __name__ == "__main__":
    run(main)
