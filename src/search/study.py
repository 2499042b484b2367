"""Optuna's side of the search: open or resume a study, samplers, pruners, the dashboard."""

import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Literal

import optuna

from ..common import UserError, working
from .crew import Crew, own_seed
from .likeness import FEATURES, are_alike
from .settings import SearchSettings, StudySettings
from .storage import database_file, elsewhere, existing_storage, open_storage, shown_database

Direction = Literal["minimize", "maximize"]
# Studies of the same name are numbered: faces, faces-2, faces-3…
NUMBERED = "{name}-{number}"
# What a person is told where it is no longer what it was: the values themselves are hashes and long texts.
CHANGED = {
    FEATURES: "the features of the images are others here (another image model, its weights, or other pixels)",
    "images, scores and split": "your images, their scores, the split or the choices have changed since",
    "extractor": "the image model, its weights or how it prepares images have changed since",
}
# How long the dashboard may take to answer.
DASHBOARD_SECONDS = 30
WAITING_SECONDS = 1.0  # between two looks whether a study is there


def open_study(
    settings: StudySettings, search: SearchSettings, direction: Direction, about: Mapping[str, str]
) -> optuna.Study:
    """Start the study of this name, or go on with the newest of that name.

    about: what makes trials comparable (loss, features, split…); kept with the study, and a resumed study must agree.
    A new study never joins an old one: where the name is taken, it gets a number. Raises UserError if the database
    can't be had, there is nothing to resume, or `about` differs.
    """
    quiet()
    seed = search.seed
    if settings.worker or settings.collect:
        study, seed = _joined(settings, about), own_seed(search.seed)
    elif settings.resume:
        study = _resumed(settings, direction, about)
    else:
        _note_elsewhere(settings)
        study = _new(open_storage(settings.database), settings.name, direction)
        _describe(study, about)
    study.sampler = make_sampler(search.sampler, seed + len(study.get_trials(deepcopy=False)), settings.worker)
    study.pruner = make_pruner(search.pruner)
    return study


def _note_elsewhere(settings: StudySettings) -> None:
    """Whoever has a database in another folder hears that this one begins empty."""
    file, there = database_file(settings.database), elsewhere(settings.database, settings.other_folders)
    if file and there and not file.exists():
        print(f"note: {file} is a new database{there}", file=sys.stderr)


def _new(storage: optuna.storages.BaseStorage, name: str, direction: Direction) -> optuna.Study:
    while True:
        _, free = _newest_and_free(name, _names(storage))
        try:
            return optuna.create_study(storage=storage, study_name=free, direction=direction)
        except optuna.exceptions.DuplicatedStudyError:  # another run was quicker
            continue


def _describe(study: optuna.Study, about: Mapping[str, str]) -> None:
    """Keep with a study what it does not say yet."""
    for key in about.keys() - study.user_attrs.keys():
        study.set_user_attr(key, about[key])


def _resumed(settings: StudySettings, direction: Direction, about: Mapping[str, str]) -> optuna.Study:
    storage = existing_storage(settings.database, "--resume", settings.other_folders)
    taken = _names(storage)
    newest, _ = _newest_and_free(settings.name, taken)
    if newest is None:
        known, where = ", ".join(sorted(taken)) or "none", shown_database(settings.database)
        there = elsewhere(settings.database, settings.other_folders) or "; give its --name"
        raise UserError(f"--resume: there is no study '{settings.name}' in {where} (there: {known}){there}")
    study = optuna.load_study(storage=storage, study_name=newest)
    if not study.get_trials(deepcopy=False) and [one.name.lower() for one in study.directions] == [direction]:
        _describe(study, about)  # it was killed while it began
    _check_same(study, about, "--resume")
    Crew(study).repeat_interrupted()
    return study


def _joined(settings: StudySettings, about: Mapping[str, str]) -> optuna.Study:
    """The newest study of this name, once it is there and described; who only collects does not wait for it."""
    option = "--collect" if settings.collect else "--worker"
    if not settings.database:
        raise UserError(f"{option}: --database is empty, and nobody can join what is in memory; name one for all")
    if settings.collect:
        existing_storage(settings.database, option, settings.other_folders)
    where = shown_database(settings.database)
    with working(f"Waiting for the study '{settings.name}' in {where}"):
        while (study := _described(settings, about)) is None:
            if settings.collect:
                raise UserError(f"--collect: there is no study '{settings.name}' in {where}; give its --name")
            time.sleep(WAITING_SECONDS)
    _check_same(study, about, option)
    return study


def _described(settings: StudySettings, about: Mapping[str, str]) -> optuna.Study | None:
    """None while there is none, or its first process has not said yet what it is."""
    file = database_file(settings.database)
    if file is not None and not file.exists():
        return None
    storage = open_storage(settings.database)
    newest, _ = _newest_and_free(settings.name, _names(storage))
    if newest is None:
        return None
    study = optuna.load_study(storage=storage, study_name=newest)
    return study if about.keys() - {FEATURES} <= study.user_attrs.keys() else None


def _names(storage: optuna.storages.BaseStorage) -> set[str]:
    return {study.study_name for study in optuna.get_all_study_summaries(storage, include_best_trial=False)}


def quiet() -> None:
    """Keep Optuna's log lines and its warnings about experimental parts off the terminal."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def make_sampler(name: str, seed: int, beside_others: bool = False) -> optuna.samplers.BaseSampler:
    """The sampler of `--sampler`, seeded. beside_others: it keeps away from what others are at."""
    if name == "CmaEs":
        return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed, deterministic_objective=True, warn_independent_sampling=False)
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if name == "QMC":
        return optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)
    return optuna.samplers.TPESampler(seed=seed, constant_liar=beside_others)


def make_pruner(name: str) -> optuna.pruners.BasePruner:
    """The pruner of `--pruner`; the steps are epochs."""
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=5)
    if name == "percentile":
        return optuna.pruners.PercentilePruner(25.0, n_startup_trials=5, n_warmup_steps=5)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=5, max_resource="auto")
    if name == "successive_halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=5)
    return optuna.pruners.NopPruner()


@contextmanager
def dashboard(server: str, database: str, study: int | None = None) -> Iterator[str | None]:
    """Run optuna-dashboard as a process of its own on 127.0.0.1; gives its address, or None for server=off.

    study: the number of the study that the address leads to; None: to all that there are.
    It ends with the block, unless server is "daemon".
    """
    if server == "off":
        yield None
        return
    if not database:
        raise UserError(f"--server={server}: needs a --database that is a file, such as sqlite:///db.sqlite")
    open_storage(database)  # makes the tables, which the dashboard expects
    port = _free_port()
    code = "from optuna_dashboard._cli import main; main()"
    command = [sys.executable, "-c", code, database, "--host", "127.0.0.1", "--port", str(port)]
    own = _outlives_us() if server == "daemon" else {}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **own)
    try:
        _wait_for_answer(process, port, database)
        page = "" if study is None else f"dashboard/studies/{study}"
        yield f"http://127.0.0.1:{port}/{page}" + (f" (process {process.pid})" if server == "daemon" else "")
    finally:
        if server == "on":
            process.terminate()
            process.wait()


def _outlives_us() -> dict[str, Any]:
    """How a process starts that neither Ctrl-C nor the closed terminal ends."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _newest_and_free(name: str, taken: set[str]) -> tuple[str | None, str]:
    newest, free, number = None, name, 1
    while free in taken:
        newest, number = free, number + 1
        free = NUMBERED.format(name=name, number=number)
    return newest, free


def _check_same(study: optuna.Study, about: Mapping[str, str], option: str) -> None:
    for key, value in about.items():
        was = study.user_attrs.get(key)
        if key == FEATURES and (was is None or are_alike(str(was), value)):  # None: of an earlier version
            continue
        if was is None:
            raise UserError(f"{option}: study '{study.study_name}' is not one of this toolkit's; give another --name")
        if was != value:
            changed = CHANGED.get(key, f"{key} was {was} and is {value} now")
            raise UserError(
                f"{option}: study '{study.study_name}': {changed}, so its trials can't be compared with new ones; "
                f"leave {option} out for a new study, or go back to what was"
            )


def _wait_for_answer(process: subprocess.Popen, port: int, database: str) -> None:
    for _ in range(DASHBOARD_SECONDS * 10):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.terminate()
    raise UserError(
        f"--server: the dashboard did not start; run optuna-dashboard {database} to see why, or --server=off"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
