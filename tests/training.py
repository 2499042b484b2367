"""The training script in this process; with the toy in the place of image models a run takes a second."""

import contextlib
import csv
import io
import sys

import numpy as np
import pytest
from PIL import Image

import aesthetic_predictor_training as script
from src.common import errors
from src.features import extractors
from src.options.option import TRAIN
from src.report import analysis
from src.scoring import models as scoring
from tests.toys import ToyExtractor, make_gallery, make_old

FEW = 50  # resamples for an interval, half a second each otherwise; tests/report/test_analysis.py judges intervals
QUICK = (
    "--directory=photos",
    "--feature_extractor_model=toy",
    "--model_type=mlp",
    "--trials=2",
    "--max_train_epochs=6",
    "--min_batch_size=8",
    "--max_first_layer_size=20",
    "--max_second_layer_size=20",
    "--database=",
)


def use_toys(monkeypatch):
    """Every image model is the toy; its scores are then of colours."""
    for module in (extractors, scoring):
        monkeypatch.setattr(module, "load_extractor", lambda *_: ToyExtractor())


def make_photos(folder, count=60, picture=None, **columns):
    """photos/ in `folder`, with scores.csv: the redder, the higher, from 0 to 10; further columns, name=[values].

    picture: from a number to an image; plain colours without it. In both cases half of them are in a sub-folder.
    """
    make_gallery(folder / "photos", count)
    names = [f"{'more/' if i % 2 else ''}{i:04}.png" for i in range(count)]
    for i, name in enumerate(names if picture else ()):
        picture(i).save(folder / "photos" / name, compress_level=1)
    make_old(folder / "photos")
    reds = [np.asarray(Image.open(folder / "photos" / name))[:, :, 0].mean() / 25.5 for name in names]
    rows = [[name, reds[i], *(values[i] for values in columns.values())] for i, name in enumerate(names)]
    with (folder / "photos" / "scores.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["relative_path", "score", *columns], *rows])


def train(monkeypatch, capsys, *words, code=0, quick=QUICK):
    """Output (or, for another exit code, the error) of a run in the folder where we are."""
    capsys.readouterr()
    monkeypatch.setattr(analysis, "RESAMPLES", FEW)
    monkeypatch.setattr(sys, "argv", [TRAIN, *quick, *words])
    ended = exit_code(lambda: errors.run(script.main))
    captured = capsys.readouterr()
    assert ended == code, captured.err
    return captured.err if code else captured.out


def train_once(folder, *words):
    """What a run in this folder printed; for fixtures of several tests, where `train` can't be had."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(folder)
        patch.setattr(analysis, "RESAMPLES", FEW)
        patch.setattr(sys, "argv", [TRAIN, *words])
        assert exit_code(script.main) == 0
    return printed.getvalue()


def exit_code(main):
    """Of a script that returns, or says how it ended."""
    try:
        main()
    except SystemExit as end:
        return end.code
    return 0


def read_rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
