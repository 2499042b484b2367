"""Kills of aesthetic_ab_scorer.py while somebody chooses, takes back and excludes, by one scorer or two on a file."""

import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.killing import CACHE, Findings, Run, age, copy_tree, import_what, make_photos

SCRIPT = "aesthetic_ab_scorer.py"
WORDS = ("--directory=photos", "--no_browser", "--rating=bradley_terry", "--port=0", "--number=7")
IMAGES = 16
SECONDS = 1.2  # the longest from a start to its kill; a start takes a tenth of it
GONE = (OSError, http.client.HTTPException, EOFError)


class Scorer:
    """A scorer that will be killed at a random moment, and a page of it."""

    def __init__(self, folder: Path, name: str, seconds: float | None) -> None:
        """seconds: until it is killed; None: never."""
        self.folder = folder
        self.run = Run(SCRIPT, WORDS, folder, folder.with_name(f"{folder.name}_{name}.txt"))
        self.killer = _kill_later(self.run.pid, seconds)
        self.tab, self.port, self.gallery = name, 0, ""

    def open(self) -> dict:
        """The state, once the page is there. Raises EOFError where it was killed before."""
        end = time.monotonic() + 60
        while not (found := re.search(r"Choose at http://[^:]+:(\d+)/", self.run.said())):
            if self.run.is_over() or time.monotonic() > end:
                raise EOFError
            time.sleep(0.005)
        self.port = int(found[1])
        state = self._request("GET", f"/api/state?tab={self.tab}", None)
        self.gallery = state["gallery"]
        return state

    def post(self, action: str, **body: object) -> dict:
        """The new state; one of GONE where the scorer is, ValueError for another answer than 200."""
        return self._request("POST", f"/api/{action}", {"gallery": self.gallery, "tab": self.tab, **body})

    def excluded_by(self, event: int) -> int:
        """The image that was excluded by this event, as the comparisons file has it."""
        with closing(sqlite3.connect(self.folder / "photos" / "comparisons.sqlite")) as database:
            return database.execute("SELECT image_id FROM events WHERE id = ?", (event,)).fetchone()[0]

    def end(self) -> int:
        """Its exit code, once it has ended by itself or by the kill that was planned."""
        self.run.is_over(wait=True)
        if self.killer:
            _stop(self.killer)
            self.killer = 0
        return self.run.wait()

    def _request(self, method: str, path: str, body: dict | None) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        if answer.status != 200:
            raise ValueError(f"{path}: {answer.status} {text[:200]!r}")
        return json.loads(text)


def _kill_later(pid: int, seconds: float | None) -> int:
    """The process that will kill another one; 0 where none is to."""
    if seconds is None:
        return 0
    killer = os.fork()
    if killer == 0:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)  # still its own number: see `Scorer.end`
        os._exit(0)
    return killer


def _stop(killer: int) -> None:
    """It has killed, or has nothing to kill any more."""
    done, _ = os.waitpid(killer, os.WNOHANG)
    if not done:
        os.kill(killer, signal.SIGKILL)
        os.waitpid(killer, 0)


@dataclass
class Promises:
    """What was sent and what of it was answered with 200. open: sent and not answered: it may be so or not."""

    answers: dict[str, bool] = field(default_factory=dict)  # the page's name -> whether it was answered
    unsure: dict[str, dict] = field(default_factory=dict)  # answers to send again, as the page does
    undone: dict[int, bool] = field(default_factory=dict)  # comparison id -> whether it was answered
    excluded: dict[int, bool | None] = field(default_factory=dict)  # image -> whether it is; None: who knows

    def count(self) -> int:
        known = [*self.answers.values(), *self.undone.values(), *(v is not None for v in self.excluded.values())]
        return sum(known)


@dataclass
class Choosing:
    """Sittings that are killed. scorers: on one file at once."""

    scorers: int

    def prepare(self, place: Path) -> None:
        begin = place / "begin"
        make_photos(begin, IMAGES)
        age(begin)
        warm = copy_tree(begin, place / "warm")
        import_what(warm, SCRIPT, WORDS, partial(sit_through, warm))

    def case(self, place: Path, folder: Path, kills: int, rng: np.random.Generator, to: Findings) -> None:
        """Up to so many sittings that are killed, then one that is finished."""
        copy_tree(place / "begin", folder)
        promises = Promises()
        for _ in range(kills):
            killed = self._sit(folder, promises, rng, to)
            to.counts["kills"] += killed
            check_file(folder, promises, to)
            age(folder / "photos" / CACHE)
        to.counts["acknowledged"] += promises.count()
        finish(folder, promises, to)
        check_file(folder, promises, to)
        check_folder(folder, to)
        shutil.rmtree(folder)

    def _sit(self, folder: Path, promises: Promises, rng: np.random.Generator, to: Findings) -> int:
        """One sitting of all scorers, until those that are to be killed are; how many were."""
        to_kill = int(rng.integers(1, self.scorers + 1))
        times = [float(rng.uniform(0.02, SECONDS)) if number < to_kill else None for number in range(self.scorers)]
        scorers = [Scorer(folder, f"tab{number}", seconds) for number, seconds in enumerate(times)]
        states: list[dict | None] = [None] * self.scorers
        alive = [*range(self.scorers)]
        while any(times[number] is not None for number in alive):
            number = int(rng.choice(alive))
            try:
                states[number] = act(scorers[number], states[number], promises, rng)
            except GONE:
                alive.remove(number)
            except ValueError as error:
                to.add("lost", f"an answer was refused: {error}")
                states[number] = None
        for number in alive:  # never to be killed: it ends as by Q on the page
            scorers[number].run.kill()
        return sum(scorer.end() == -signal.SIGKILL for scorer in scorers)


def act(scorer: Scorer, state: dict | None, promises: Promises, rng: np.random.Generator) -> dict:
    """One thing that a person does; the new state."""
    if state is None:
        return scorer.open()
    for name, body in list(promises.unsure.items()):
        state = _answer(scorer, name, body, promises)
    if state["phase"] != "choosing":
        return scorer.post("next")
    kind = rng.random()
    if kind < 0.15 and state["last"]:
        return _undo(scorer, state["last"], promises)
    screen = state["screens"][0]
    if kind < 0.22 and sum(value is not False for value in promises.excluded.values()) < IMAGES // 3:
        image = int(screen["images"][0])
        promises.excluded[image] = None
        state = scorer.post("exclude", image=image)
        promises.excluded[image] = True
        return state
    body = {"screen": screen["id"], "shown": screen["images"], "kind": "choice", "winner": screen["images"][0]}
    return _answer(scorer, f"answer {rng.integers(2**60)}", {**body, "seconds": 1.0}, promises)


def _answer(scorer: Scorer, name: str, body: dict, promises: Promises) -> dict:
    promises.answers.setdefault(name, False)
    promises.unsure[name] = body
    state = scorer.post("answer", id=name, **body)
    promises.answers[name] = True
    del promises.unsure[name]
    return state


def _undo(scorer: Scorer, step: str, promises: Promises) -> dict:
    kind, number = step.rsplit(" ", 1)
    if kind == "comparison":
        promises.undone.setdefault(int(number), False)
        state = scorer.post("undo", step=step)
        promises.undone[int(number)] = True
    else:
        image = scorer.excluded_by(int(number))
        promises.excluded[image] = None
        state = scorer.post("undo", step=step)
        promises.excluded[image] = False
    return state


def sit_through(folder: Path, run: Run) -> None:
    """A short sitting in which nearly everything happens, so that all is imported."""
    scorer = Scorer.__new__(Scorer)
    scorer.folder, scorer.run, scorer.killer, scorer.tab = folder, run, 0, "warm"
    promises, rng = Promises(), np.random.default_rng(0)
    state = scorer.open()
    for _ in range(12):
        state = act(scorer, state, promises, rng)
    _finish(scorer, state)


def _finish(scorer: Scorer, state: dict) -> None:
    try:
        while state["phase"] != "finished":
            state = scorer.post("finish", of=state["ends"])
    except GONE:
        pass  # it has ended before it answered


def finish(folder: Path, promises: Promises, to: Findings) -> None:
    """A sitting in which what was never answered is sent again, and that is finished as by Q on the page."""
    scorer = Scorer(folder, "tab0", None)
    try:
        state = scorer.open()
        for name, body in list(promises.unsure.items()):
            state = _answer(scorer, name, body, promises)
        _finish(scorer, state)
    except (*GONE, ValueError) as error:
        to.add("lost", f"the last sitting: {error!r}\n{scorer.run.said()[-500:]}")
        scorer.run.kill()
    if scorer.end() != 0:
        to.add("lost", f"the last sitting ended with {scorer.run.wait()}: {scorer.run.said()[-300:]}")


def check_file(folder: Path, promises: Promises, to: Findings) -> None:
    """Everything that was answered is in the comparisons file, and nothing twice."""
    path = folder / "photos" / "comparisons.sqlite"
    if not path.exists():
        for name in (name for name, answered in promises.answers.items() if answered):
            to.add("lost", f"{name}: there is no file")
        return
    with closing(sqlite3.connect(path)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if "events" not in tables:
            return
        if (said := database.execute("PRAGMA quick_check").fetchall()) != [("ok",)]:
            to.add("lost", f"the file: {said}")
        stored = Counter(name for (name,) in database.execute("SELECT client_id FROM comparisons"))
        undone = {number for (number,) in database.execute("SELECT comparison_id FROM events WHERE kind = 'undo'")}
        kinds = dict(database.execute("SELECT image_id, kind FROM events WHERE image_id IS NOT NULL ORDER BY id"))
    for name, answered in promises.answers.items():
        if answered and not stored[name]:
            to.add("lost", name)
    for name, times in stored.items():
        if times > 1 or name not in promises.answers:
            to.add("doubled", f"{name}: {times}")
    for number in (number for number, answered in promises.undone.items() if answered and number not in undone):
        to.add("lost", f"undo of comparison {number}")
    for image, excluded in promises.excluded.items():
        if excluded is not None and (kinds.get(image) == "exclude") != excluded:
            to.add("lost", f"{'exclusion' if excluded else 'inclusion'} of image {image}")


def check_folder(folder: Path, to: Findings) -> None:
    """After the last sitting: scores of all images, as many comparisons in them as there are, and nothing else."""
    photos = folder / "photos"
    for path in photos.rglob("*"):
        name = path.name
        if path.is_file() and (name.endswith((".part", "-wal", "-shm", "-journal", ".lock", ".owner"))):
            to.add("left over", path.relative_to(folder).as_posix())
    with closing(sqlite3.connect(photos / "comparisons.sqlite")) as database:
        effective = "id NOT IN (SELECT comparison_id FROM events WHERE kind = 'undo')"
        choices = database.execute(f"SELECT count(*) FROM comparisons WHERE kind = 'choice' AND {effective}")
        (number,) = choices.fetchone()
    if number:
        lines = (photos / "scores.csv").read_text(encoding="utf-8").splitlines()
        place = lines[0].split(",").index("comparisons")
        counted = sum(int(line.split(",")[place] or 0) for line in lines[1:])
        if counted != 2 * number:
            to.add("lost", f"scores.csv counts {counted} for {number} choices between two")


ACTIVITIES = {"choosing": Choosing(1), "choosing by two": Choosing(2)}
