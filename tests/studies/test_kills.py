"""Runs of both studies that are killed, again and again, become what a run without a break becomes: bit for bit."""

import json
import os
import sys
from functools import cache

import pytest

from src.features import embedded_network
from studies.common import observing
from studies.style_folders import transfer
from tests import ROOT
from tests.forks import run
from tests.studies import killed
from tests.studies.conftest import make_styles, same_weights

PARTS = ("--fraction_for_val=0.3", "--fraction_for_test=0.3", "--batch_size=8", "--epochs=3")
KILLS = [["last.safetensors", 2], ["results.json", 1]]  # in the second epoch, and when all is learnt
# In the first epoch, which is begun anew; and between what the last one writes.
MORE = [["best.safetensors", 1], ["last.safetensors", 2], ["history.csv", 2], ["history.png", 1]]
JOBS = {
    "classify": ("style_folders", ("--head=conv", "--size=16", "--resample=max", *PARTS)),
    "autoencode": ("style_folders", ("--size=16", "--latent=8", *PARTS)),
    "embed": ("style_folders", ("--batch_size=8", "--epochs=3")),
    "transfer": ("style_folders", ("--batch_size=8", "--epochs=3", "--layers=0,1")),
    "train": (
        "feature_decoder",
        ("--feature_extractor_model=toy", "--perceptor=efficientnet-lite0", "--taps=0,1", "--size=8", "--augment=2",
         "--adversarial_weight=0.1", "--batch_size=8", "--epochs=3", "--fraction_for_val=0.3"),
    ),
}  # fmt: skip


def words_of(root, command, runs):
    return [command, str(root), "--device=cpu", f"--runs={root.with_name(runs)}", *JOBS[command][1]]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return make_styles(tmp_path_factory.mktemp("kills") / "pictures", {"bars": 14, "dots": 10, "rings": 8})


def run_and_kill(root, command):
    """Runs of it that are killed, and one to its end, in the folder `killed` beside the pictures."""
    kills = MORE * (command == "classify") + KILLS[command == "classify" :]
    job = {"study": JOBS[command][0], "words": words_of(root, command, "killed"), "kills": kills}
    found = run([sys.executable, "-m", "tests.studies.killed", json.dumps(job)], cwd=ROOT)
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]


@pytest.mark.script
@pytest.mark.skipif(not hasattr(os, "fork"), reason="its processes are forked")
@pytest.mark.parametrize("command", JOBS)
def test_a_run_that_is_killed_again_and_again_becomes_what_an_unbroken_one_becomes(
    gallery, command, monkeypatch, drawn_for_real
):
    run_and_kill(gallery, command)
    monkeypatch.setattr(transfer, "LOOKED_AT", 32)
    monkeypatch.setattr(observing, "embedded_network", cache(embedded_network))
    whole = killed.run(JOBS[command][0], words_of(gallery, command, "whole"))
    broken = gallery.with_name("killed") / whole.name
    assert same_weights(broken, whole)
    names = {path.name for path in whole.iterdir()}
    assert {path.name for path in broken.iterdir()} == names  # no half file is left
    for path in [*whole.glob("*.csv"), *whole.glob("*.png")]:
        assert (broken / path.name).read_bytes() == path.read_bytes(), path.name
