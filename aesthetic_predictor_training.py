"""Train a predictor of your own taste: images and their scores in, a small network out.

python aesthetic_predictor_training.py @arguments.txt
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine

from src.arguments import (
    check_report,
    image_directory,
    model_path,
    parse_arguments,
    write_arguments,
)
from src.errors import UserError, run
from src.options import TRAIN

if TYPE_CHECKING:
    import numpy as np
    import optuna

    from src.best_model import BestModel
    from src.dataset import Dataset
    from src.extractors import Extractor
    from src.feature_cache import FeatureCache
    from src.features import Features
    from src.model_scores import ModelScores
    from src.scorefile import ScoreTable
    from src.search import Search

DESCRIPTION = "Train a network that scores images by your own taste, from images and their scores."


def main() -> None:
    arguments = parse_arguments(TRAIN, DESCRIPTION)
    directory = image_directory(arguments)
    model, savefile = output_paths(arguments, directory)
    # Imported only now, so that --help and mistyped options answer at once: these bring torch and transformers.
    from src.best_model import BestModel
    from src.extractors import load_extractor
    from src.feature_cache import FeatureCache
    from src.first_stage import keep_passed
    from src.search import Search, make_objective
    from src.study import count_finished, dashboard, open_study

    table = read_scores(arguments, directory)
    extractor = load_extractor(arguments.feature_extractor_model, arguments.device, arguments.fp16_features)
    complete(arguments, directory, extractor)
    cache = FeatureCache(Path(arguments.cache_directory))
    table, behind = keep_passed(arguments, directory, table, cache, model)
    table, features = read_features(arguments, directory, table, extractor, cache)
    if arguments.trials == 0:
        say_ready(features)
        return
    data = make_dataset(arguments, directory, table, features, extractor, cache)
    objective = make_objective(arguments, data, table.has_weights)
    ridge = baseline(arguments, data)
    with dashboard(arguments.server, arguments.database) as address:
        study = open_study(arguments, objective.direction, comparable(arguments, table, data, objective.name))
        best = BestModel(model, data, {**about(arguments, study, table, data, ridge), **behind})
        announce(arguments, study, best, address)
        write_arguments(model.with_suffix(".arguments.txt"), TRAIN, arguments)
        search = Search(arguments, data, objective, study, best)
        finished = search.run()
    if not finished:
        print(f"\nStopped by Ctrl-C after {count_finished(study)} of {arguments.trials} trials; go on with --resume.")
    found = held_out(search, best)
    report_results(arguments, best, found, ridge)
    write_results(arguments, directory, savefile, table, best, found)
    list_unreadable(features.unreadable)
    sys.exit(0 if finished else 130)


def output_paths(arguments: argparse.Namespace, directory: Path) -> tuple[Path, Path | None]:
    """The model file and the savefile; they and the report are refused now rather than after an hour."""
    model = model_path(arguments, directory)
    if (arguments.filter_model is None) != (arguments.filter_threshold is None):
        raise UserError("--filter_model=FILE and --filter_threshold=SCORE go together; give both, or neither")
    if arguments.group_column and not arguments.folds:
        raise UserError(f"--group_column={arguments.group_column}: says what stays together in --folds; give both")
    if arguments.report:
        check_report(arguments.report)
    if not arguments.savefile:
        return model, None
    savefile = directory / Path(arguments.savefile).expanduser()
    if savefile.suffix.lower() not in (".csv", ".json"):
        raise UserError(f"--savefile={arguments.savefile}: must end with .csv or .json")
    if not savefile.parent.is_dir():
        raise UserError(f"--savefile={arguments.savefile}: there is no folder {savefile.parent}; make it first")
    return model, savefile


def read_scores(arguments: argparse.Namespace, directory: Path) -> "ScoreTable":
    """The images that are there and have a score; everything else is said."""
    from src.images import find_images
    from src.scorefile import find_scorefile, match_images, read_scorefile

    path = find_scorefile(directory, arguments.scores)
    arguments.scores = str(path.relative_to(directory) if path.is_relative_to(directory) else path)
    table, problems = match_images(read_scorefile(path, arguments.score_column), find_images(directory))
    print(
        "\n".join([*table.problems, *problems, f"{len(table.paths)} images of {directory} have a score in {path}."])
    )
    return table


def complete(arguments: argparse.Namespace, directory: Path, extractor: "Extractor") -> None:
    """Replace what was left open by what will be used, so that the arguments written down are the real ones."""
    from src.feature_cache import default_folder
    from src.predictor import choose_mode

    arguments.name = arguments.name or directory.resolve().name
    arguments.cache_directory = arguments.cache_directory or str(default_folder(directory))
    arguments.hidden_states_used = arguments.hidden_states_used or extractor.default_hidden_states
    arguments.hidden_states_mode = choose_mode(arguments, extractor.default_hidden_states_mode)
    for seed in ("model_seed", "eval_pick_seed"):
        if getattr(arguments, seed) is None:
            setattr(arguments, seed, arguments.seed)


def read_features(
    arguments: argparse.Namespace, directory: Path, table: "ScoreTable", extractor: "Extractor", cache: "FeatureCache"
) -> "tuple[ScoreTable, Features]":
    """The table without the images that could not be read, and the features of the others."""
    from src.features import extract_features
    from src.scorefile import select

    used = arguments.hidden_states_used
    features = extract_features(directory, table.paths, extractor, used, cache, arguments.extract_batch_size)
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
    from src.balance import balance_groups
    from src.choices import read_choices
    from src.dataset import Dataset
    from src.devices import pick_device
    from src.folds import draw_folds
    from src.predictor import PredictorConfig, arrange
    from src.split import draw_split

    used, mode = arguments.hidden_states_used, arguments.hidden_states_mode
    config = PredictorConfig(
        feature_extractor_model=arguments.feature_extractor_model,
        hidden_states_used=used,
        hidden_states_mode=mode,
        widths=tuple(features.states[state].shape[1] for state in used),
        layers=(1, 1),  # each trial has its own
        extractor_identity=extractor.identity,
        fp16_features=arguments.fp16_features,
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
    return Dataset(config, inputs, table.scores, table.weights, split, folds, groups, choices)


def baseline(arguments: argparse.Namespace, data: "Dataset") -> "np.ndarray":
    """Scores (N,) of ridge regression on the train split; with folds, of each fold by the others."""
    from src.baseline import ridge_scores

    inputs = data.inputs.cpu().numpy()
    found = ridge_scores(inputs, data.scores, data.split, arguments.seed)
    for part in data.parts() if data.folds is not None else ():
        rows = part.rows("eval")
        found[rows] = ridge_scores(inputs, data.scores, part.split, arguments.seed)[rows]
    return found


def comparable(arguments: argparse.Namespace, table: "ScoreTable", data: "Dataset", objective: str) -> dict[str, str]:
    """What must stay the same for the trials of a study to be comparable."""
    split = data.split if data.folds is None else data.folds
    rows = zip(table.paths, split, data.scores, strict=True)
    digest = hashlib.blake2b(repr([(path, str(split), float(score)) for path, split, score in rows]).encode())
    for part in data.choices.screens if data.choices else ():
        digest.update(part.tobytes())
    return {
        "objective": objective + f", mean of {arguments.folds} folds" * (data.folds is not None),
        "loss_model": arguments.loss_model + f", {balance_of(arguments)}" * (data.groups is not None),
        "extractor": data.config.extractor_identity,
        "hidden_states": f"{data.config.hidden_states_mode} of {data.config.hidden_states_used}",
        "images, scores and split": digest.hexdigest()[:12],
    }


def balance_of(arguments: argparse.Namespace) -> str:
    """Such as "balanced to mean by score in 10 steps"."""
    steps = f" in {arguments.balance_bins} steps" * (arguments.balance_by == "score")
    return f"balanced to {arguments.balance} by {arguments.balance_by}{steps}"


def comparison_counts(data: "Dataset") -> dict[str, int]:
    """How many comparisons are among the images of each split alone; with folds train is all of them."""
    return {name: len(data.choices.within(data.rows(name)).shown) for name in ("train", "eval", "test")}


def about(
    arguments: argparse.Namespace, study: "optuna.Study", table: "ScoreTable", data: "Dataset", ridge: "np.ndarray"
) -> dict[str, Any]:
    """What every model file of this run says of how it was made."""
    from src.metrics import spearman

    some: dict[str, Any] = {} if data.groups is None else {"balance": balance_of(arguments)}
    if data.folds is not None:  # the test images, as no seed alone says which they are where groups stay together
        test = [table.paths[row] for row in data.rows("test")]
        some |= {"folds": arguments.folds, "group_column": arguments.group_column or "", "test_images": test}
    if data.choices is not None:
        some["comparison_counts"] = comparison_counts(data)
    return some | {
        "study": study.study_name,
        "loss_model": arguments.loss_model,
        "score_column": arguments.score_column,
        "split_counts": {name: int((data.split == name).sum()) for name in ("train", "eval", "test")},
        "ridge_eval_spearman": spearman(data.scores[data.rows("eval")], ridge[data.rows("eval")]),
        "model_seed": arguments.model_seed,
        "eval_pick_seed": arguments.eval_pick_seed,
        "fraction_for_eval": arguments.fraction_for_eval,
        "fraction_for_test": arguments.fraction_for_test,
        "ignore_existing_split": arguments.ignore_existing_split,
    }


def announce(arguments: argparse.Namespace, study: "optuna.Study", best: "BestModel", address: str | None) -> None:
    """What is about to happen, and where it can be watched."""
    from src.balance import balance_table
    from src.report import aligned

    counts = ", ".join(f"{(best.data.split == name).sum()} {name}" for name in ("train", "eval", "test"))
    print(f"Split: {counts} (--eval_pick_seed={arguments.eval_pick_seed}).")
    if best.data.choices is not None:
        counts = ", ".join(f"{count} {name}" for name, count in comparison_counts(best.data).items())
        total = len(best.data.choices.screens.shown)
        print(f"Comparisons by {arguments.rater}: {total}; among images of one split alone: {counts}.")
    if best.data.groups is not None:
        rows, how = best.data.rows("train"), balance_of(arguments)
        print(f"Train images, {how}:")
        print(aligned(balance_table(best.data.groups, rows, arguments.balance, arguments.seed)))
    print(f"Study '{study.study_name}' in {arguments.database or 'memory'}; the best model goes to {best.path}.")
    if previous := best.keep_previous(arguments.resume):
        print(f"The model that lay there is kept as {previous.name}.")
    if address:
        print(f"Watch the search at {address}.")


def held_out(search: "Search", best: "BestModel") -> "ModelScores":
    """The model as it lies on disk; with folds, its scores are those of networks that had not seen the image."""
    from src.model_scores import ModelScores
    from src.predictor import load_predictor

    predictor, metadata = load_predictor(best.path)
    inputs = best.data.inputs.cpu().numpy()
    return ModelScores(best.path.stem, *search.held_out(predictor), inputs, predictor, metadata)


def report_results(
    arguments: argparse.Namespace, best: "BestModel", model: "ModelScores", ridge: "np.ndarray"
) -> None:
    """The statistics of the model, and those of the baseline."""
    import numpy as np

    from src.report import aligned, comparison_with_ridge, score_line, selected_and_untouched, split_lines

    metadata, model_scores = model.metadata, model.scores
    scores, split, rows = best.data.scores, best.data.split, best.data.rows("eval")
    found = ", ".join(f"{name} {value:.4g}" for name, value in json.loads(metadata["metaparameters"]).items())
    print(f"\nBest is trial {metadata['trial']}: {found}")
    if best.data.folds is not None:
        seen, _ = model.predictor.predict(best.data.inputs.cpu())
        print(score_line("Train", scores[rows], seen[rows]))
        split = np.where(split == "test", "test", "folds")
    print("\n".join(split_lines(scores, model_scores, split)))
    if (test := best.data.rows("test")).size:
        print(aligned(selected_and_untouched(scores, model_scores, rows, test, arguments.seed)))
    print("Ridge regression on the same features:")
    print("\n".join(split_lines(scores, ridge, split)))
    print(comparison_with_ridge(scores[rows], model_scores[rows], ridge[rows]))
    print(f"The model is {best.path}")
    print("Next: aesthetic_data_analysis.py says how good it is, aesthetic_score_from_model.py scores other folders.")


def write_results(
    arguments: argparse.Namespace,
    directory: Path,
    savefile: Path | None,
    table: "ScoreTable",
    best: "BestModel",
    model: "ModelScores",
) -> None:
    """What is written at the end: the savefile and the report, where they are asked for."""
    import numpy as np

    split = best.data.split
    if savefile:
        write_savefile(savefile, table, best.data, model)
    if arguments.report:
        held_out_split = split if best.data.folds is None else np.where(split == "test", "test", "eval")
        write_page(arguments, directory, table, held_out_split, model)


def write_savefile(path: Path, table: "ScoreTable", data: "Dataset", model: "ModelScores") -> None:
    """The score table with model_score, split, error where the model knows it; with folds also held-out scores."""
    from src.scorefile import write_scorefile

    scores, errors = model.predictor.predict(data.inputs.cpu())
    columns: dict[str, Any] = {"model_score": scores, "split": data.split}
    if model.predictor.config.output_channels == 2:
        columns["error"] = errors
    if data.folds is not None:
        columns |= {"fold": data.folds, "held_out_score": model.scores}
    write_scorefile(path, table, columns)
    print(f"All scores and model scores are in {path}")


def write_page(
    arguments: argparse.Namespace, directory: Path, table: "ScoreTable", split: "np.ndarray", model: "ModelScores"
) -> None:
    """The page of `--report`, about the eval split."""
    from src.analysis import make_subsets
    from src.full_report import Material, write_report

    chosen = make_subsets(table.paths, split == "eval", (), False)
    database, seed = arguments.database, arguments.seed
    write_report(Material(directory, table, [model], split, chosen, database, seed), Path(arguments.report))
    print(f"The report is {arguments.report}")


if __name__ == "__main__":
    run(main)
