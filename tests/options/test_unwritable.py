"""Where nothing can be written is said before the work; /proc refuses everybody, root too."""

import sys
from pathlib import Path

import pytest

from src.common.errors import UserError
from src.model.conversion import convert
from src.model.foreign import Unsaid
from src.options.command_line import parse_arguments
from src.options.option import TRAIN
from src.options.training import output_paths
from src.report.destinations import check_plots, check_savefiles
from src.report.settings import SaveSettings
from src.scores.chosen import chosen_file
from src.scoring.handing_on import check_target
from src.scoring.output import check_outfile
from src.scoring.settings import FillingSettings
from src.scoring.update import read_unfilled

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")


def training(option):
    return lambda folder: output_paths(parse_arguments(TRAIN, "", [option]), folder)


@pytest.mark.parametrize(
    ("option", "check"),
    [
        ("savefile", training("--savefile=/proc/a.csv")),
        ("report", training("--report=/proc/a.html")),
        ("modelpath", training("--modelpath=/proc/a.safetensors")),
        ("outfile", lambda _: check_outfile("/proc/a.csv", False, "score")),
        ("copy_to", lambda _: check_target("copy_to", Path("/proc/new/folder"))),
        ("plots", lambda folder: check_plots("/proc/plots", folder)),
        ("scores", lambda folder: chosen_file(folder, "/proc/a.csv")),
        ("convert", lambda folder: convert([folder], "/proc/a.safetensors", None, Unsaid())),
        (
            "save_model_scorefile",
            lambda folder: check_savefiles(
                folder, "scores.csv", "score", SaveSettings(save_model_scorefile="/proc/a.csv")
            ),
        ),
    ],
)
def test_a_place_that_can_not_be_written_is_refused_at_the_start(tmp_path, option, check):
    (tmp_path / "scores.csv").write_text("relative_path,score\na.png,1\n")
    with pytest.raises(UserError, match=f"--{option}=/proc/.*can't be written"):
        check(tmp_path)


def test_a_score_file_that_can_not_be_filled_in_is_refused_at_the_start(tmp_path, monkeypatch):
    (tmp_path / "scores.csv").write_text("relative_path,score\na.png,1\n")

    def mkstemp(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", mkstemp)
    settings = FillingSettings(update_scores="scores.csv")
    with pytest.raises(UserError, match=r"--update_scores=.*scores_new\.csv: can't be written"):
        read_unfilled(tmp_path, ["a.png"], settings)
