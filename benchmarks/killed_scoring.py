"""Kills of aesthetic_score_from_model.py: scoring, copying, moving, linking, stars, filled score files."""

import errno
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.killing import (
    CACHE,
    Findings,
    Moment,
    Run,
    age,
    check_after,
    check_between,
    copy_tree,
    import_what,
    is_half,
    make_photos,
    tree,
)
from src.model.config import PredictorConfig
from src.model.file import save_predictor
from src.model.network import Predictor
from src.scoring.xmp import EMPTY
from src.scoring.xmp_packet import OURS

SCRIPT = "aesthetic_score_from_model.py"
IMAGES = 24
ALWAYS = ("-d", "photos", "-m", "model.safetensors")


def make_model(path: Path) -> None:
    """A predictor of the toy's features, of random weights."""
    config = PredictorConfig("toy", (0, 1), "join", (3, 3), (8, 8), extractor_identity="toy 1")
    save_predictor(path, Predictor(config), {"train_score_quantiles": np.linspace(-0.5, 0.5, 101).tolist()})


def make_base(folder: Path) -> Path:
    """What all activities begin with, made once: images, a model, and the features in the cache."""
    if not folder.exists():
        make_photos(folder, IMAGES)
        make_model(folder / "photos" / "model.safetensors")
        import_what(folder, SCRIPT, ALWAYS)
        (folder / "output.txt").unlink()
        (folder / "modules.json").unlink()
    return folder


def on_two_disks() -> None:
    """No hard link leads from one folder to another, as between disks."""
    real = os.link

    def link(source: Path, target: Path, **how: bool) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "on another disk")
        real(source, target, **how)

    os.link = link  # type: ignore[assignment]


def add_ratings(folder: Path) -> None:
    """Sidecars that a person's programs wrote: with ratings, and without."""
    for number, name in enumerate(sorted(path.name for path in (folder / "photos").glob("*.png"))):
        text = EMPTY.replace(OURS, "urn:other").replace('xmp:Rating="0"', f'xmp:Rating="{number % 3 - 1}"')
        (folder / "photos" / f"{name}.xmp").write_text(text, encoding="utf-8")


def add_scores(folder: Path) -> None:
    """A score file with scores of every second image."""
    lines = [f"{number:02}.png,{number / 3},note {number}" for number in range(0, IMAGES, 2)]
    (folder / "photos" / "scores.csv").write_text("relative_path,score,note\n" + "\n".join(lines) + "\n")


@dataclass
class Activity:
    """One command, killed again and again, then left alone.

    words: the command's. sign: what changes when it begins to write, a file that is new each time or a folder. add:
    files that it needs. before: called in its process. cold: without a cache to begin with.
    """

    words: Sequence[str]
    sign: str
    add: Callable[[Path], None] = lambda folder: None
    before: Callable[[], object] = int
    cold: bool = False

    def prepare(self, place: Path) -> None:
        """In place/: begin, as it is before, and end, as it is after a run that nobody killed."""
        place.mkdir()
        begin, end = place / "begin", place / "end"
        copy_tree(make_base(place.parent / "base of scoring"), begin)
        self.add(begin)
        if self.cold:
            shutil.rmtree(begin / "photos" / CACHE)
        copy_tree(begin, end)
        start = time.monotonic()
        self._run(end, [*ALWAYS, *self.words])
        self.moment = Moment(time.monotonic() - start)
        self.before_tree, self.end_tree = tree(begin), tree(end)

    def _run(self, folder: Path, words: Sequence[str]) -> None:
        run = Run(SCRIPT, words, folder, folder.with_suffix(".txt"), self.before)
        if run.wait() != 0:
            raise RuntimeError(f"{' '.join(words)} in {folder}:\n{run.said()}")

    def case(self, place: Path, folder: Path, kills: int, rng: np.random.Generator, to: Findings) -> None:
        """Up to so many kills of one folder's run, then a run to its end."""
        copy_tree(place / "begin", folder)
        for number in range(kills + 1):
            run = Run(SCRIPT, [*ALWAYS, *self.words], folder, folder.with_suffix(".txt"), self.before)
            if number < kills and self._kill(run, folder, rng):
                to.counts["kills"] += 1
                check_between(self.before_tree, self.end_tree, tree(folder), to)
            elif run.wait() != 0:
                to.add("lost", f"it ended with {run.said()[-300:]}")
            if done := run.poll() == 0 or "moved to" in run.said():  # whoever reads that asks for no more
                break
            age(folder / "photos" / CACHE)
        now = tree(folder)
        if done and run.poll() != 0:  # killed after its last word: hidden files stay until the next run there
            now = {path: digest for path, digest in now.items() if not is_half(path)}
        check_after(self.end_tree, now, to)
        for part in (folder / "photos" / CACHE).rglob("*.part"):
            to.add("left over", part.name)
        shutil.rmtree(folder)

    def _kill(self, run: Run, folder: Path, rng: np.random.Generator) -> bool:
        """Half of them at any moment, half of them while files are written, which is a matter of milliseconds."""
        if rng.random() < 0.5:
            return self.moment.kill(run, rng.uniform(0, 1.05))
        return self.moment.kill_at_work(run, folder / self.sign, rng.uniform(0, 0.02))


TOP = "--top=10"
TABLE = "best/scores.csv"  # written before the first image
ACTIVITIES = {
    "scoring": Activity(["-o", "out.csv"], ".", cold=True),
    "copying": Activity([TOP, "--copy_to=best"], TABLE),
    "copying within": Activity([TOP, "--copy_to=photos/best"], f"photos/{TABLE}"),
    "moving": Activity([TOP, "--move_to=best"], TABLE),
    "moving between disks": Activity([TOP, "--move_to=best"], TABLE, before=on_two_disks),
    "linking": Activity([TOP, "--link_to=best"], TABLE),
    "stars": Activity(["--write_xmp"], "photos", add=add_ratings),
    "updating": Activity(["--update_scores=scores.csv", "--in_place"], "photos", add=add_scores),
}
