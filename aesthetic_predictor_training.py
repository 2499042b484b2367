"""Train a predictor of your own taste: images and their scores in, a small network out.

python aesthetic_predictor_training.py @arguments.txt
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine

from src.arguments import check_report, image_directory, model_path, parse_arguments, write_arguments
from src.errors import UserError, run
from src.options import TRAIN

if TYPE_CHECKING:
    import numpy as np
    import optuna

    from src.best_model import BestModel
    from src.extractors import Extractor
    from src.features import Features
    from src.model_scores import ModelScores
    from src.scorefile import ScoreTable
    from src.search import Dataset

DESCRIPTION = "Train a network that scores images by your own taste, from images and their scores."


def main() -> None:
    arguments = parse_arguments(TRAIN, DESCRIPTION)
    directory = image_directory(arguments)
    model, savefile = output_paths(arguments, directory)
    # Imported only now, so that --help and mistyped options answer at once: these bring torch and transformers.
    from src.baseline import ridge_scores
    from src.best_model import BestModel
    from src.extractors import load_extractor
    from src.feature_cache import FeatureCache
    from src.features import extract_features
    from src.search import Search, make_objective
    from src.study import count_finished, dashboard, open_study

    table = read_scores(arguments, directory)
    extractor = load_extractor(arguments.feature_extractor_model, arguments.device, arguments.fp16_features)
    complete(arguments, directory, extractor)
    cache = FeatureCache(Path(arguments.cache_directory))
    used = arguments.hidden_states_used
    features = extract_features(directory, table.paths, extractor, used, cache, arguments.extract_batch_size)
    table = keep_readable(table, features)
    if arguments.trials == 0:
        print(f"The features of {len(table.paths)} images are ready; --trials=0 trains nothing.")
        list_unreadable(features)
        return

    data = make_dataset(arguments, table, features, extractor)
    objective = make_objective(arguments, data, table.has_weights)
    ridge = ridge_scores(data.inputs.cpu().numpy(), data.scores, data.split, arguments.seed)
    with dashboard(arguments.server, arguments.database) as address:
        study = open_study(arguments, objective.direction, comparable(arguments, table, data, objective.name))
        best = BestModel(model, data, about(arguments, study, table, data, ridge))
        announce(arguments, study, best, address)
        write_arguments(model.with_suffix(".arguments.txt"), TRAIN, arguments)
        finished = Search(arguments, data, objective, study, best).run()
    if not finished:
        print(f"\nStopped by Ctrl-C after {count_finished(study)} of {arguments.trials} trials; go on with --resume.")
    report_results(best, ridge)
    write_results(arguments, directory, savefile, table, best)
    list_unreadable(features)
    sys.exit(0 if finished else 130)


def output_paths(arguments: argparse.Namespace, directory: Path) -> tuple[Path, Path | None]:
    """The model file and the savefile; they and the report are refused now rather than after an hour."""
    model = model_path(arguments, directory)
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


def keep_readable(table: "ScoreTable", features: "Features") -> "ScoreTable":
    """The table without the images that could not be read."""
    from src.scorefile import select

    if not features.paths:
        list_unreadable(features)
        raise UserError("no image with a score could be read; there is nothing to train on")
    readable = set(features.paths)
    return select(table, [row for row, path in enumerate(table.paths) if path in readable])


def list_unreadable(features: "Features") -> None:
    """Every image that was left out, with the reason."""
    if features.unreadable:
        print(f"\n{len(features.unreadable)} images could not be read and were left out:")
    for path, reason in features.unreadable.items():
        print(f"  {path}: {reason}")


def make_dataset(
    arguments: argparse.Namespace, table: "ScoreTable", features: "Features", extractor: "Extractor"
) -> "Dataset":
    """Features, scores and split, put together for the search."""
    from src.devices import pick_device
    from src.predictor import PredictorConfig, arrange
    from src.search import Dataset
    from src.split import assign_split

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
    fractions = arguments.fraction_for_eval, arguments.fraction_for_test
    seed, anew = arguments.eval_pick_seed, arguments.ignore_existing_split
    split = assign_split(table.paths, table.splits, *fractions, seed, anew)
    inputs = arrange(features.states, used, mode).to(pick_device(arguments.device))
    return Dataset(config, inputs, table.scores, table.weights, split)


def comparable(arguments: argparse.Namespace, table: "ScoreTable", data: "Dataset", objective: str) -> dict[str, str]:
    """What must stay the same for the trials of a study to be comparable."""
    rows = zip(table.paths, data.split, data.scores, strict=True)
    digest = hashlib.blake2b(repr([(path, str(split), float(score)) for path, split, score in rows]).encode())
    return {
        "objective": objective,
        "loss_model": arguments.loss_model,
        "extractor": data.config.extractor_identity,
        "hidden_states": f"{data.config.hidden_states_mode} of {data.config.hidden_states_used}",
        "images, scores and split": digest.hexdigest()[:12],
    }


def about(
    arguments: argparse.Namespace, study: "optuna.Study", table: "ScoreTable", data: "Dataset", ridge: "np.ndarray"
) -> dict[str, Any]:
    """What every model file of this run says of how it was made."""
    from src.metrics import spearman

    return {
        "study": study.study_name,
        "loss_model": arguments.loss_model,
        "score_column": arguments.score_column,
        "split_counts": {name: len(data.rows(name)) for name in ("train", "eval", "test")},
        "ridge_eval_spearman": spearman(data.scores[data.rows("eval")], ridge[data.rows("eval")]),
        "model_seed": arguments.model_seed,
        "eval_pick_seed": arguments.eval_pick_seed,
        "fraction_for_eval": arguments.fraction_for_eval,
        "fraction_for_test": arguments.fraction_for_test,
        "ignore_existing_split": arguments.ignore_existing_split,
    }


def announce(arguments: argparse.Namespace, study: "optuna.Study", best: "BestModel", address: str | None) -> None:
    """What is about to happen, and where it can be watched."""
    counts = ", ".join(f"{len(best.data.rows(name))} {name}" for name in ("train", "eval", "test"))
    print(f"Split: {counts} (--eval_pick_seed={arguments.eval_pick_seed}).")
    print(f"Study '{study.study_name}' in {arguments.database or 'memory'}; the best model goes to {best.path}.")
    if previous := best.keep_previous(arguments.resume):
        print(f"The model that lay there is kept as {previous.name}.")
    if address:
        print(f"Watch the search at {address}.")


def report_results(best: "BestModel", ridge: "np.ndarray") -> None:
    """The statistics of the model as it lies on disk, and those of the baseline."""
    from src.predictor import load_predictor
    from src.report import comparison_with_ridge, split_lines

    predictor, metadata = load_predictor(best.path)
    scores, split = best.data.scores, best.data.split
    model_scores, _ = predictor.predict(best.data.inputs.cpu())
    found = ", ".join(f"{name} {value:.4g}" for name, value in json.loads(metadata["metaparameters"]).items())
    print(f"\nBest is trial {metadata['trial']}: {found}")
    print("\n".join(split_lines(scores, model_scores, split)))
    print("Ridge regression on the same features:")
    print("\n".join(split_lines(scores, ridge, split)))
    rows = best.data.rows("eval")
    print(comparison_with_ridge(scores[rows], model_scores[rows], ridge[rows]))
    print(f"The model is {best.path}")
    print("Next: aesthetic_data_analysis.py says how good it is, aesthetic_score_from_model.py scores other folders.")


def write_results(
    arguments: argparse.Namespace, directory: Path, savefile: Path | None, table: "ScoreTable", best: "BestModel"
) -> None:
    """What is written at the end: the savefile and the report, where they are asked for."""
    from src.model_scores import ModelScores
    from src.predictor import load_predictor

    if not (savefile or arguments.report):
        return
    predictor, metadata = load_predictor(best.path)
    inputs = best.data.inputs.cpu()
    scores, errors = predictor.predict(inputs)
    model = ModelScores(best.path.stem, scores, errors, inputs.numpy(), predictor, metadata)
    if savefile:
        write_savefile(savefile, table, best.data.split, model)
    if arguments.report:
        write_page(arguments, directory, table, best.data.split, model)


def write_savefile(path: Path, table: "ScoreTable", split: "np.ndarray", model: "ModelScores") -> None:
    """The score table with model_score, split and, where the model knows it, error."""
    from src.scorefile import write_scorefile

    columns: dict[str, Any] = {"model_score": model.scores, "split": split}
    if model.predictor and model.predictor.config.output_channels == 2:
        columns["error"] = model.errors
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
