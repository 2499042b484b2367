"""What a campaign of kills is made of: processes that are killed, folders before and after, and what was found.

Each run of a script is a process of its own, forked from one that has imported everything and never used it, so that
it starts in milliseconds instead of seconds. It does not wait for the disk, which only a power failure would notice.
For POSIX systems.
"""

import hashlib
import importlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from sqlalchemy import Engine, event

from tests.toys import ToyExtractor, make_image

COUNTS = ("kills", "acknowledged", "lost", "doubled", "left over")
CACHE = ".aesthetic_cache"


class Findings:
    """counts: of each of COUNTS. notes: what is behind those that should be 0."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.notes: list[str] = []

    def add(self, kind: str, what: str) -> None:
        """One more of `kind`, and what it is."""
        self.counts[kind] += 1
        self.notes.append(f"{kind}: {what}")


def use_toys() -> None:
    """Every image model is the toy, in this process and those forked from it."""
    from src.features import extractors
    from src.scoring import models

    for module in (extractors, models):
        module.load_extractor = lambda *_: ToyExtractor()  # type: ignore[attr-defined]


class Run:
    """A script's main in a process of its own. Its output goes to `output`, a file."""

    running: "set[Run]" = set()  # noqa: RUF012 - those of this process, to be ended where it fails

    def __init__(self, script: str, words: Sequence[str], folder: Path, output: Path, before: Callable = int) -> None:
        """before: called in that process, before the script."""
        self.output = output
        self.output.write_bytes(b"")  # nobody is to read what an earlier run said
        self._code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _become(script, words, folder, output, before)
        Run.running.add(self)

    def kill(self) -> bool:
        """As by kill -9; whether it was still running."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            return self.wait() == -signal.SIGKILL
        return False

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._ask(os.WNOHANG)

    def is_over(self, wait: bool = False) -> bool:
        """Whether it has ended; its number stays its own until `poll` or `wait` has asked for its exit code."""
        how = os.WEXITED | os.WNOWAIT | (0 if wait else os.WNOHANG)
        return self._code is not None or os.waitid(os.P_PID, self.pid, how) is not None

    def wait(self) -> int:
        """Its exit code, once it has one."""
        code = self._ask(0)
        assert code is not None
        return code

    def _ask(self, how: int) -> int | None:
        if self._code is None:
            done, status = os.waitpid(self.pid, how)
            if done:
                self._code = os.waitstatus_to_exitcode(status)
                Run.running.discard(self)
        return self._code

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")


def end_all() -> None:
    """End the runs of this process that are still there: something went wrong."""
    for run in [*Run.running]:
        run.kill()


def _become(script: str, words: Sequence[str], folder: Path, output: Path, before: Callable) -> None:
    code = 1
    try:
        from src.common import errors

        with output.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", buffering=1)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1)
        os.chdir(folder)
        sys.argv = [script, *words]
        os.fsync = lambda descriptor: None
        event.listen(Engine, "connect", _without_waiting)
        before()
        errors.run(importlib.import_module(script.removesuffix(".py")).main)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
        os._exit(code)


def _without_waiting(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


def import_what(
    folder: Path, script: str, words: Sequence[str], meanwhile: Callable[[Run], object] = lambda run: None
) -> None:
    """Import what this run imports while it runs: where that is there already, the next one begins at once."""
    listing = folder / "modules.json"

    def at_end() -> None:
        leave = os._exit

        def note_and_leave(code: int) -> None:
            listing.write_text(json.dumps([*sys.modules]))
            leave(code)

        os._exit = note_and_leave  # type: ignore[assignment]

    run = Run(script, words, folder, folder / "output.txt", at_end)
    meanwhile(run)
    if run.wait() != 0:
        raise RuntimeError(f"{script} {' '.join(words)}:\n{run.said()}")
    for name in json.loads(listing.read_text()):
        with suppress(Exception):
            importlib.import_module(name)


class Moment:
    """When to kill a run. seconds: how long it takes undisturbed, as far as is known; runs that end before their kill
    teach that, and those that live until the end of it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def kill(self, run: Run, share: float) -> bool:
        """Kill it after this share of its time; whether it was still running."""
        time.sleep(self.seconds * share)
        killed = run.kill()
        self.seconds *= 0.75 if not killed else 1.1 if share > 0.95 else 1
        return killed

    @staticmethod
    def kill_at_work(run: Run, sign: Path, seconds: float) -> bool:
        """Kill it so many seconds after this file or folder has changed, or been made."""
        before = _changed(sign)
        while not run.is_over() and _changed(sign) == before:
            time.sleep(0.0002)
        time.sleep(seconds)
        return run.kill()


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def make_photos(folder: Path, count: int) -> None:
    """Tiny images in photos/, half of them in a sub-folder, with captions and sidecars; some share theirs."""
    rng = np.random.default_rng(0)
    for number, fill in enumerate(rng.integers(0, 256, (count, 3)).tolist()):
        name = f"{'more/' if number % 2 else ''}{number:02}.png"
        image = make_image(folder / "photos" / name, tuple(fill))
        image.with_suffix(".txt").write_text(f"caption of {name}")
        if number % 3 == 0:
            image.with_name(image.name + ".json").write_text(json.dumps({"prompt": name}))
        if number % 4 == 0:
            make_image(image.with_suffix(".jpg"), tuple(reversed(fill)))
    age(folder)


def age(folder: Path, seconds: float = 7200) -> None:
    """Set the files' times back, so that the cache relies on them, and half files of killed runs count as old."""
    then = time.time() - seconds
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (then, then))


def tree(folder: Path) -> dict[str, str]:
    """{relative path: digest of the content} of all files but those of the cache; a link is what it leads to."""
    found = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and CACHE not in relative.parts:
            found[relative.as_posix()] = hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()
    return found


def is_half(path: str) -> bool:
    """Whether a killed run may leave this: a hidden file, such as what is about to take another's place."""
    return path.rpartition("/")[2].startswith(".")


def copy_tree(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(source, target, symlinks=True))


def check_between(before: Mapping[str, str], wanted: Mapping[str, str], now: Mapping[str, str], to: Findings) -> None:
    """After a kill: nothing that stays or moves is lost, and nothing is there but what was or is to be.

    before, wanted, now: trees, at first, after a run that nobody killed, and now.
    """
    there = {digest for path, digest in now.items() if not is_half(path)}
    for path, digest in before.items():
        if digest in wanted.values() and digest not in there:
            to.add("lost", path)
    known = {*before.values(), *wanted.values()}
    for path, digest in now.items():
        if digest not in known and not is_half(path):
            to.add("left over", f"{path}, half")
    to.counts["acknowledged"] += sum(now.get(path) == digest != before.get(path) for path, digest in wanted.items())


def check_after(wanted: Mapping[str, str], now: Mapping[str, str], to: Findings) -> None:
    """After a run that nobody killed: all is as if none had been killed."""
    for path in sorted({*wanted, *now}):
        if path not in now or (path in wanted and now[path] != wanted[path]):
            to.add("lost", f"{path} is {'another' if path in now else 'missing'}")
        elif path not in wanted:
            to.add("doubled" if now[path] in wanted.values() and not is_half(path) else "left over", path)
