"""The training script in this process, with the toy in the place of image models: a run takes a second."""

import csv
import sys

import pytest

import aesthetic_predictor_training as script
from src import errors, extractors, model_scores, scoring
from src.options import TRAIN
from tests.toys import ToyExtractor, colour, make_gallery, make_old

QUICK = (
    "--directory=photos",
    "--feature_extractor_model=toy",
    "--trials=2",
    "--max_train_epochs=6",
    "--min_batch_size=8",
    "--max_first_layer_size=20",
    "--max_second_layer_size=20",
    "--database=",
)


def use_toys(monkeypatch):
    """Every image model is the toy; its scores are then of colours."""
    for module in (extractors, model_scores, scoring):
        monkeypatch.setattr(module, "load_extractor", lambda *_: ToyExtractor())


def make_photos(folder, count=60, **columns):
    """photos/ in `folder`, with scores.csv: the redder, the higher, from 0 to 10; further columns, name=[values]."""
    make_gallery(folder / "photos", count)
    make_old(folder / "photos")
    rows = [
        [f"{'more/' if i % 2 else ''}{i:04}.png", colour(i)[0] / 25.5, *(values[i] for values in columns.values())]
        for i in range(count)
    ]
    with (folder / "photos" / "scores.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["relative_path", "score", *columns], *rows])


def train(monkeypatch, capsys, *words, code=0):
    """Output (or, for another exit code, the error) of a run in the folder where we are."""
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", [TRAIN, *QUICK, *words])
    with pytest.raises(SystemExit) as end:
        errors.run(script.main)
    captured = capsys.readouterr()
    assert end.value.code == code, captured.err
    return captured.err if code else captured.out


def read_rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
