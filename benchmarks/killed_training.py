"""Kills of aesthetic_predictor_training.py, with a study in a database of its own."""

import importlib
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.killing import CACHE, Findings, Moment, Run, age, copy_tree, import_what, is_half, make_photos
from src.common import UserError
from src.model.file import load_predictor
from tests import ROOT

SCRIPT = "aesthetic_predictor_training.py"
TRIALS = 2
WORDS = (
    "--directory=photos",
    "--feature_extractor_model=toy",
    "--name=killed",
    f"--trials={TRIALS}",
    "--min_train_epochs=1",
    "--max_train_epochs=3",
    "--min_batch_size=8",
    "--max_first_layer_size=20",
    "--max_second_layer_size=20",
    "--database=sqlite:///study.sqlite",
    "--model=model.safetensors",
)
# What a finished run leaves beside the images; a model of an earlier attempt is kept as previous.
KNOWN = {"model.safetensors", "model.arguments.txt", "model.previous.safetensors", "scores.csv"}


class Training:
    """A search that is killed and resumed."""

    def prepare(self, place: Path) -> None:
        importlib.import_module("torch._dynamo")  # what the first optimizer brings
        for path in [*(ROOT / "src" / "search").glob("*.py"), *(ROOT / "src" / "report").glob("*.py")]:
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
        begin = place / "begin"
        make_photos(begin, 40)
        names = sorted(path.relative_to(begin / "photos").as_posix() for path in begin.rglob("*.png"))
        lines = [f"{name},{number % 7}" for number, name in enumerate(names)]
        (begin / "photos" / "scores.csv").write_text("relative_path,score\n" + "\n".join(lines) + "\n")
        age(begin)
        start = time.monotonic()
        import_what(copy_tree(begin, place / "warm"), SCRIPT, WORDS)
        self.moment = Moment((time.monotonic() - start) / 2)  # the other half were imports

    @staticmethod
    def _start(folder: Path, resume: bool) -> Run:
        return Run(SCRIPT, [*WORDS, *["--resume"] * resume], folder, folder.with_suffix(".txt"))

    def case(self, place: Path, folder: Path, kills: int, rng: np.random.Generator, to: Findings) -> None:
        """Up to so many kills of one search, resumed each time, then a run to its end."""
        copy_tree(place / "begin", folder)
        finished: set[int] = set()
        for number in range(kills + 1):
            run = self._start(folder, resume=has_study(folder))
            if number < kills and self.moment.kill(run, rng.uniform(0, 1.05)):
                to.counts["kills"] += 1
                now = trials(folder)
                to.counts["acknowledged"] += len(now - finished)
                check_kept(folder, finished, now, to)
                finished = now
            elif run.wait() != 0:
                to.add("lost", f"it ended with {run.said()[-300:]}")
            if run.poll() == 0:
                break
            age(folder / "photos" / CACHE)
        check_kept(folder, finished, trials(folder), to)
        check_end(folder, to)
        shutil.rmtree(folder)


def query(folder: Path, text: str) -> list[tuple]:
    """Rows of the study's database; none where there is no such table yet."""
    if not (folder / "study.sqlite").exists():
        return []
    with closing(sqlite3.connect(folder / "study.sqlite")) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'trials'").fetchall():
            return []
        return database.execute(text).fetchall()


def has_study(folder: Path) -> bool:
    return bool(query(folder, "SELECT 1 FROM studies"))


def trials(folder: Path) -> set[int]:
    """Finished trials, by id."""
    return {row[0] for row in query(folder, "SELECT trial_id FROM trials WHERE state = 'COMPLETE'")}


def check_kept(folder: Path, finished: set[int], now: set[int], to: Findings) -> None:
    """Trials that were finished still are, and a model that is there can be loaded."""
    for trial in finished - now:
        to.add("lost", f"trial {trial}")
    try:
        if (folder / "photos" / "model.safetensors").exists():
            load_predictor(folder / "photos" / "model.safetensors")
    except UserError as error:
        to.add("lost", f"the model: {error}")


def check_end(folder: Path, to: Findings) -> None:
    """As many trials as were asked for, the best one's model, and nothing else."""
    extra = len(trials(folder)) - TRIALS
    studies = query(folder, "SELECT study_id FROM studies")
    if extra or len(studies) > 1:
        to.add("doubled" if extra >= 0 else "lost", f"{extra} trials more than {TRIALS}, {len(studies)} studies")
    if not (folder / "photos" / "model.safetensors").exists():
        to.add("lost", "the model")
    for path in (folder / "photos").iterdir():
        if path.is_file() and path.suffix not in (".png", ".jpg", ".txt", ".json") and path.name not in KNOWN:
            to.add("left over", path.name)
    for path in (folder / "photos" / CACHE).rglob("*.part"):
        to.add("left over", path.name)
    for path in folder.iterdir():
        if path.is_file() and (path.name.endswith(("-wal", "-shm", "-journal")) or is_half(path.name)):
            to.add("left over", path.name)


ACTIVITIES = {"training": Training()}
