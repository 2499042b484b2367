"""The options of a training run: what is refused at once rather than after an hour, and what was left open."""

import argparse
from pathlib import Path

from ..common import UserError, check_writable, note, shown_path
from ..features import Extractor, default_folder
from ..model import Filter
from ..scores import (
    BalanceSettings,
    ScoreTable,
    balance_groups,
    check_column,
    check_fractions,
    check_loss,
    column_values,
    find_scorefile,
    refuse_lost_scores,
)
from ..search import MetaparameterRanges, worker_model
from .groups.features import hidden_states_mode
from .groups.search import ensemble, search_settings
from .paths import existing_model, model_path, report_path
from .settings import settings_of


def output_paths(arguments: argparse.Namespace, directory: Path) -> tuple[Path, Path | None]:
    """The model file, a worker's own, and the savefile; what can't be is refused now rather than after an hour."""
    model = model_path(arguments, directory)
    check_writable("modelpath" if arguments.modelpath else "model", model)
    _refuse_contradictions(arguments)
    check_fractions(arguments.fraction_for_eval, arguments.fraction_for_test)
    report_path(arguments.report, directory)
    if arguments.worker:
        model = worker_model(model)
    if not arguments.savefile:
        return model, None
    savefile = directory / Path(arguments.savefile).expanduser()
    if savefile.suffix.lower() not in (".csv", ".json"):
        raise UserError(f"--savefile={arguments.savefile}: must end with .csv or .json")
    check_writable("savefile", savefile)
    in_use = savefile.exists() and savefile.samefile(find_scorefile(directory, arguments.scores))
    refuse_lost_scores(
        "savefile", savefile, arguments.score_column, lambda columns: in_use or "model_score" in columns
    )
    return model, savefile


def _refuse_contradictions(arguments: argparse.Namespace) -> None:
    """Options that can't stand together, or not alone."""
    if (arguments.filter_model is None) != (arguments.filter_threshold is None):
        raise UserError("--filter_model=FILE and --filter_threshold=SCORE go together; give both, or neither")
    if arguments.group_column and not arguments.folds:
        raise UserError(f"--group_column={arguments.group_column}: says what stays together in --folds; give both")
    if arguments.weight_by_error:
        check_loss(arguments.loss_model)
    for name, asked in (("balance", arguments.balance != "none"), ("weight_by_error", arguments.weight_by_error)):
        if arguments.model_type == "ridge" and asked:
            raise UserError(f"--{name} is for networks; ridge regression counts images alike: leave one of them out")
    if arguments.layer_sweep == "off":
        return
    if arguments.folds:
        raise UserError("--layer_sweep compares layers on the eval images, and with --folds there are none; use one")
    if arguments.layer_sweep == "network" and (arguments.trials == 0 or arguments.model_type in ("ridge", "gp")):
        no_search = (
            "--trials=0 tries none" if arguments.trials == 0 else f"--model_type={arguments.model_type} searches none"
        )
        raise UserError(f"--layer_sweep=network needs a best trial, and {no_search}; use =ridge with it")


def check_columns(arguments: argparse.Namespace, table: ScoreTable) -> None:
    """Columns that options name are missed now rather than after an hour of looking at images."""
    balance_groups(settings_of(BalanceSettings, arguments), table)
    if arguments.group_column:
        column_values(table, arguments.group_column)
    if arguments.weight_by_error:
        check_column(table)


def filter_of(arguments: argparse.Namespace, directory: Path, model: Path) -> Filter | None:
    """The --filter_model with its threshold, None without one. model: the file that will be trained."""
    if not arguments.filter_model:
        return None
    path = existing_model(arguments.filter_model, "filter_model", directory)
    if path.resolve() == model.resolve():
        raise UserError(f"--filter_model={arguments.filter_model}: training writes that file; give another --model")
    return Filter(path, arguments.filter_threshold)


def study_name(arguments: argparse.Namespace, directory: Path) -> str:
    """--name, else that of the directory, as far as it is text."""
    return arguments.name or shown_path(Path(directory.resolve().name))


def complete(arguments: argparse.Namespace, directory: Path, extractor: Extractor) -> None:
    """Replace what was left open by what will be used, so that the arguments written down are the real ones.

    What does nothing as things stand is noted.
    """
    arguments.name = study_name(arguments, directory)
    arguments.cache_directory = arguments.cache_directory or str(default_folder(directory))
    arguments.hidden_states_used = arguments.hidden_states_used or extractor.default_hidden_states
    arguments.hidden_states_mode = hidden_states_mode(arguments, extractor.default_hidden_states_mode)
    for name, default in (("fp16_features", False), ("aim_batch_norm", "eval")):
        if name in extractor.heedless and getattr(arguments, name) != default:
            note(f"note: --{name} makes no difference to {extractor.in_words}")
    if arguments.trials == 0 and (unwritten := [n for n in ("savefile", "report") if getattr(arguments, n)]):
        note(f"note: --trials=0 trains nothing, so that --{' and --'.join(unwritten)} will not be written")
    ranges = search_settings(arguments).ranges != MetaparameterRanges()
    if arguments.model_type == "ridge" and (arguments.loss_model != "mse" or (arguments.ensemble or 1) > 1 or ranges):
        print(
            "Ridge regression is one model, of least squares: --loss_model, --ensemble and metaparameters are for "
            "networks."
        )
    if arguments.model_type == "gp" and ((arguments.ensemble or 1) > 1 or ranges):
        print("A Gaussian process is one model, in closed form: --ensemble and metaparameters are for networks.")
    if arguments.model_type == "gp" and arguments.hidden_states_mode == "weight":
        raise UserError(
            "--hidden_states_mode=weight: a Gaussian process weighs each hidden state alike; with --model_type=gp "
            "use --hidden_states_mode=join"
        )
    if arguments.model_type == "blend" and arguments.hidden_states_mode == "weight":
        print("Only networks weigh hidden states by training, so networks alone are trained (--model_type=mlp).")
        arguments.model_type = "mlp"
    if arguments.model_type == "ridge" and arguments.hidden_states_mode == "weight":
        print("Ridge regression weights every feature by itself: --hidden_states_mode=weight becomes join.")
        arguments.hidden_states_mode, arguments.weight_hidden_states = "join", False
        arguments.fixed_hidden_state_weights = None
    arguments.ensemble = ensemble(arguments)
    for seed in ("model_seed", "eval_pick_seed"):
        if getattr(arguments, seed) is None:
            setattr(arguments, seed, arguments.seed)
