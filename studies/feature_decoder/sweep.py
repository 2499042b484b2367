"""sweep: which hidden state holds what? A small decoder on each of several sets, and what they draw side by side."""

from argparse import Namespace
from pathlib import Path

import numpy as np

from src.common import UserError

from ..common.learning import write_csv
from ..common.looking import load_image_model
from ..common.pictures import as_image, draw_sheet
from ..common.runs import Log, new_run, options_of, runs_folder, write_configuration
from . import train
from .judging import chance
from .validate import RECONSTRUCTION, Report, figures_of, shown_of, validate


def main(arguments: Namespace) -> Path:
    """Train and judge each; write a table and a sheet into a numbered folder, which is returned."""
    extractor = load_image_model(arguments.feature_extractor_model, arguments.device)
    sets = arguments.states or tuple((k,) for k in extractor.default_hidden_states)
    if len(set(sets)) < len(sets):
        raise UserError("--states: a set is named twice; give different ones, such as --states=0:3:7")
    for states in sets:
        extractor.check_hidden_states(states)
    folder = new_run(runs_folder(arguments), "sweep")
    configuration = {"command": "sweep", "options": options_of(arguments), "split": {}}
    write_configuration(folder, configuration)
    log = Log(folder, arguments.log, configuration)
    reports: dict[str, Report] = {}
    for states in sets:
        name = ",".join(map(str, states))
        print(f"\nhidden states {name}")
        reports[name] = _one(arguments, folder, states)
    _report(log, folder, reports)
    return folder


def _one(arguments: Namespace, folder: Path, states: tuple[int, ...]) -> Report:
    changed = {"hidden_states_used": states, "runs": str(folder), "resume": False, "command": "train"}
    own = {name: value for name, value in vars(arguments).items() if name != "states"} | changed
    run = train.main(Namespace(**own))
    return validate(Namespace(**own, set=None, weights="best"), run)


def _report(log: Log, folder: Path, reports: dict[str, Report]) -> None:
    """sweep.csv and sweep.png: the images, and a row of pictures for each set."""
    lines: list[list[object]] = [["states", "features", "centred_A", "top5_A", "centred_B", "top5_B", "psnr"]]
    for name, report in reports.items():
        figures = figures_of(report)
        a, b = (figures[place][RECONSTRUCTION] for place in ("A", "B"))
        width = report.looked.features.shape[1]
        numbers = [a["centred"]["mean"], a["top5"], b["centred"]["mean"], b["top5"], figures["psnr"][RECONSTRUCTION]]
        lines.append([name, width, *numbers])
    write_csv(folder / "sweep.csv", lines)
    log.say("", *("".join(f"{cell:>12.3f}" if isinstance(cell, float) else f"{cell:>12}" for cell in line)
                  for line in lines))  # fmt: skip
    first = next(iter(reports.values())).looked
    count = len(first.paths)
    log.say(f"of {count} val images; by chance top5 is {chance(5, count):.3f}, a centred cosine 0")
    rows = shown_of(len(first.paths))
    shown: list[np.ndarray] = [first.pixels, *(report.looked.pictures for report in reports.values())]
    draw_sheet(folder / "sweep.png", [[as_image(x[row]) for row in rows] for x in shown], ["image", *reports])
    log.say(f"\ndecoders, sweep.csv and sweep.png are in {folder}")
