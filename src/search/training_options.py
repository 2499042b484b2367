"""What a training run refuses at once rather than after an hour of looking at images."""

import argparse
from pathlib import Path

from ..common import UserError
from ..options import check_report, model_path
from ..scores import (
    ScoreTable,
    balance_groups,
    check_column,
    check_fractions,
    check_loss,
    column_values,
    find_scorefile,
    refuse_lost_scores,
)


def output_paths(arguments: argparse.Namespace, directory: Path) -> tuple[Path, Path | None]:
    """The model file and the savefile; what can't be is refused now rather than after an hour."""
    model = model_path(arguments, directory)
    _refuse_contradictions(arguments)
    check_fractions(arguments.fraction_for_eval, arguments.fraction_for_test)
    if arguments.report:
        check_report(arguments.report)
    if not arguments.savefile:
        return model, None
    savefile = directory / Path(arguments.savefile).expanduser()
    if savefile.suffix.lower() not in (".csv", ".json"):
        raise UserError(f"--savefile={arguments.savefile}: must end with .csv or .json")
    if not savefile.parent.is_dir():
        raise UserError(f"--savefile={arguments.savefile}: there is no folder {savefile.parent}; make it first")
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
    if arguments.layer_sweep == "network" and (arguments.trials == 0 or arguments.model_type == "ridge"):
        no_search = "--trials=0 tries none" if arguments.trials == 0 else "--model_type=ridge searches none"
        raise UserError(f"--layer_sweep=network needs a best trial, and {no_search}; use =ridge with it")


def check_columns(arguments: argparse.Namespace, table: ScoreTable) -> None:
    """Columns that options name are missed now rather than after an hour of looking at images."""
    balance_groups(arguments, table)
    if arguments.group_column:
        column_values(table, arguments.group_column)
    if arguments.weight_by_error:
        check_column(table)
