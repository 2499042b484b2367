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
    from src.feature_cache import FeatureCache
    from src.features import Features
    from src.model_scores import ModelScores
    from src.scorefile import ScoreTable
    from src.search import Dataset, Objective

DESCRIPTION = "Train a network that scores images by your own taste, from images and their scores."


def main() -> None:
    arguments = parse_arguments(TRAIN, DESCRIPTION)
    if arguments.list_extractors:
        return print_extractors()
    directory = image_directory(arguments)
    model, savefile = output_paths(arguments, directory)
    # Imported only now, so that --help and mistyped options answer at once: these bring torch and transformers.
    from src.feature_cache import FeatureCache
    from src.search import make_objective

    table = read_scores(arguments, directory)
    extractor = image_model(arguments)
    complete(arguments, directory, extractor)
    cache = FeatureCache(Path(arguments.cache_directory))
    features = extract(arguments, directory, table, extractor, cache)
    table = keep_readable(table, features)
    if arguments.trials == 0:
        print(f"The features of {len(table.paths)} images are ready; --trials=0 trains nothing.")
        sweep_layers(arguments, directory, table, features, extractor, cache, model)
        list_unreadable(features)
        return

    data = make_dataset(arguments, table, features, extractor)
    objective = make_objective(arguments, data, table.has_weights)
    train = train_ridge if arguments.model_type == "ridge" else search_networks
    best, ridge, finished = train(arguments, table, data, objective, model)
    report_results(best, ridge)
    write_results(arguments, directory, savefile, table, best)
    if finished:
        sweep_layers(arguments, directory, table, features, extractor, cache, model)
    list_unreadable(features)
    sys.exit(0 if finished else 130)


def print_extractors() -> None:
    """What `--list_extractors` asks for."""
    from src.extractors.known import list_extractors

    print(list_extractors())


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


def image_model(arguments: argparse.Namespace) -> "Extractor":
    """The image model that is asked for."""
    from src.extractors import load_extractor

    options = arguments.device, arguments.fp16_features, arguments.aim_batch_norm
    return load_extractor(arguments.feature_extractor_model, *options)


def complete(arguments: argparse.Namespace, directory: Path, extractor: "Extractor") -> None:
    """Replace what was left open by what will be used, so that the arguments written down are the real ones."""
    from src.feature_cache import default_folder
    from src.predictor import choose_mode

    arguments.name = arguments.name or directory.resolve().name
    arguments.cache_directory = arguments.cache_directory or str(default_folder(directory))
    arguments.hidden_states_used = arguments.hidden_states_used or extractor.default_hidden_states
    arguments.hidden_states_mode = choose_mode(arguments, extractor.default_hidden_states_mode)
    if arguments.model_type == "ridge" and arguments.hidden_states_mode == "weight":
        print("Ridge regression weights every feature by itself: --hidden_states_mode=weight becomes join.")
        arguments.hidden_states_mode, arguments.weight_hidden_states = "join", False
        arguments.fixed_hidden_state_weights = None
    for seed in ("model_seed", "eval_pick_seed"):
        if getattr(arguments, seed) is None:
            setattr(arguments, seed, arguments.seed)


def extract(
    arguments: argparse.Namespace,
    directory: Path,
    table: "ScoreTable",
    extractor: "Extractor",
    cache: "FeatureCache",
) -> "Features":
    """Features of the hidden states used; for --layer_sweep, those of all go into the cache on the way."""
    from src.features import extract_features, fill_cache

    if arguments.layer_sweep == "network" and arguments.trials == 0:
        raise UserError("--layer_sweep=network needs a best trial, and --trials=0 tries none; use =ridge with it")
    used, batch_size = arguments.hidden_states_used, arguments.extract_batch_size
    extractor.check_hidden_states(used)
    if arguments.layer_sweep != "off":
        from src.layer_sweep import check_extractor

        check_extractor(extractor)
        fill_cache(directory, table.paths, extractor, cache, batch_size)
    return extract_features(directory, table.paths, extractor, used, cache, batch_size)


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
    from src.predictor import PredictorConfig, arrange, choose_fix
    from src.search import Dataset
    from src.split import assign_split

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
    fractions = arguments.fraction_for_eval, arguments.fraction_for_test
    seed, anew = arguments.eval_pick_seed, arguments.ignore_existing_split
    split = assign_split(table.paths, table.splits, *fractions, seed, anew)
    inputs = arrange(features.states, used, mode).to(pick_device(arguments.device))
    data = Dataset(config, inputs, table.scores, table.weights, split)
    if arguments.layer_sweep != "off":
        from src.layer_sweep import check_eval

        check_eval(data)
    return data


def sweep_layers(
    arguments: argparse.Namespace,
    directory: Path,
    table: "ScoreTable",
    features: "Features",
    extractor: "Extractor",
    cache: "FeatureCache",
    model: Path,
) -> None:
    """The table and the picture of --layer_sweep, where it is asked for."""
    if arguments.layer_sweep == "off":
        return
    from src.layer_sweep import report_layers

    data = make_dataset(arguments, table, features, extractor)
    report_layers(arguments, directory, table.paths, extractor, cache, data, model)


def comparable(arguments: argparse.Namespace, table: "ScoreTable", data: "Dataset", objective: str) -> dict[str, str]:
    """What must stay the same for the trials of a study to be comparable."""
    rows = zip(table.paths, data.split, data.scores, strict=True)
    digest = hashlib.blake2b(repr([(path, str(split), float(score)) for path, split, score in rows]).encode())
    return {
        "objective": objective,
        "loss_model": arguments.loss_model,
        "high-end fix": data.config.high_end_fix,
        "extractor": data.config.extractor_identity,
        "hidden_states": f"{data.config.hidden_states_mode} of {data.config.hidden_states_used}",
        "images, scores and split": digest.hexdigest()[:12],
    }


def about(arguments: argparse.Namespace, data: "Dataset", ridge: "np.ndarray") -> dict[str, Any]:
    """What every model file of this run says of how it was made. ridge: (N,) the scores of the baseline."""
    from src.baseline import baselines

    return {
        "model_type": arguments.model_type,
        "loss_model": arguments.loss_model,
        "score_column": arguments.score_column,
        "split_counts": {name: len(data.rows(name)) for name in ("train", "eval", "test")},
        "baselines": baselines(data.scores, data.split, ridge),
        "model_seed": arguments.model_seed,
        "eval_pick_seed": arguments.eval_pick_seed,
        "fraction_for_eval": arguments.fraction_for_eval,
        "fraction_for_test": arguments.fraction_for_test,
        "ignore_existing_split": arguments.ignore_existing_split,
    }


def search_networks(
    arguments: argparse.Namespace, table: "ScoreTable", data: "Dataset", objective: "Objective", model: Path
) -> "tuple[BestModel, np.ndarray, bool]":
    """The best of many networks; the scores (N,) of ridge regression; False if Ctrl-C ended the search."""
    from src.baseline import ridge_scores
    from src.best_model import BestModel
    from src.search import Search
    from src.study import count_finished, dashboard, open_study

    ridge = ridge_scores(data.inputs.cpu().numpy(), data.scores, data.split, arguments.seed)
    with dashboard(arguments.server, arguments.database) as address:
        study = open_study(arguments, objective.direction, comparable(arguments, table, data, objective.name))
        best = BestModel(model, data, {**about(arguments, data, ridge), "study": study.study_name})
        announce(arguments, study, best, address)
        write_arguments(model.with_suffix(".arguments.txt"), TRAIN, arguments)
        finished = Search(arguments, data, objective, study, best).run()
    if not finished:
        print(f"\nStopped by Ctrl-C after {count_finished(study)} of {arguments.trials} trials; go on with --resume.")
    return best, ridge, finished


def train_ridge(
    arguments: argparse.Namespace, table: "ScoreTable", data: "Dataset", objective: "Objective", model: Path
) -> "tuple[BestModel, np.ndarray, bool]":
    """Ridge regression as the model; nothing is searched, so there is no study."""
    from src.baseline import fit_ridge, ridge_predictor
    from src.best_model import BestModel
    from src.search import SUBSETS

    inputs = data.inputs.cpu().numpy()
    ridge = fit_ridge(inputs, data.scores, data.split, arguments.seed)
    scores, predictor = ridge.predict(inputs), ridge_predictor(ridge, data.config).to(data.inputs.device)
    best = BestModel(model, data, about(arguments, data, scores))
    if previous := best.keep_previous(False):
        print(f"The model that lay there is kept as {previous.name}.")
    write_arguments(model.with_suffix(".arguments.txt"), TRAIN, arguments)
    best.write(predictor, {"metrics": objective.measure_all(data, predictor, *SUBSETS), "ridge_alpha": ridge.alpha})
    return best, scores, True


def announce(arguments: argparse.Namespace, study: "optuna.Study", best: "BestModel", address: str | None) -> None:
    """What is about to happen, and where it can be watched."""
    counts = ", ".join(f"{len(best.data.rows(name))} {name}" for name in ("train", "eval", "test"))
    print(f"Split: {counts} (--eval_pick_seed={arguments.eval_pick_seed}).")
    print(f"Study '{study.study_name}' in {arguments.database or 'memory'}; the best model goes to {best.path}.")
    if previous := best.keep_previous(arguments.resume):
        print(f"The model that lay there is kept as {previous.name}.")
    if address:
        print(f"Watch the search at {address}.")


def where_from(metadata: dict[str, str]) -> str:
    """Which trials the model is, and what the best of an ensemble would be alone."""
    if "trial" not in metadata:
        return f"Ridge regression with penalty {float(metadata['ridge_alpha']):.4g}:"
    found = ", ".join(f"{name} {value:.4g}" for name, value in json.loads(metadata["metaparameters"]).items())
    text = f"Best is trial {metadata['trial']}: {found}"
    if "trials" not in metadata:
        return text
    alone, whole = json.loads(metadata["single_best_metrics"]), json.loads(metadata["metrics"])
    compared = (f"{name} {whole[name]:.4f} ({alone[name]:.4f})" for name in whole if name.startswith("eval_"))
    trials = ", ".join(map(str, json.loads(metadata["trials"])))
    return f"{text}\nThe model is the mean of trials {trials}: {', '.join(compared)}; in brackets the best alone."


def report_results(best: "BestModel", ridge: "np.ndarray") -> None:
    """The statistics of the model as it lies on disk, and those of the baseline."""
    from src.baseline import eval_metrics
    from src.predictor import load_predictor
    from src.report import aligned, baselines_table, comparison_with_ridge, split_lines

    predictor, metadata = load_predictor(best.path)
    scores, split = best.data.scores, best.data.split
    model_scores, _ = predictor.predict(best.data.inputs.cpu())
    print(f"\n{where_from(metadata)}")
    print("\n".join(split_lines(scores, model_scores, split)))
    rows = best.data.rows("eval")
    measured = {"model": eval_metrics(scores[rows], model_scores[rows])}
    print(aligned(baselines_table(measured | json.loads(metadata["baselines"]))))
    if metadata["model_type"] == "mlp":
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
    if model.predictor and model.predictor.has_error:
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
