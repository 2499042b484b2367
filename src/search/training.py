"""The ways to a model: closed forms in seconds, and a search over networks that has to beat them."""

from contextlib import closing, suppress

import numpy as np

from ..model import Blend, Predictor
from .blending import weigh
from .first_results import First, best_of, put
from .run import Run
from .run_files import Found, RunFiles
from .search import Search
from .settings import SearchSettings


def write_first(first: First, run: Run, files: RunFiles) -> None:
    """Put it on disk as this run's model, unless a trial of this run's study is there already."""
    if not files.kept():
        put(first, run.objective, files)


def found_first(first: First, files: RunFiles) -> Found:
    """It, as it lies on disk."""
    return files.found(lambda _: (first.held_out, first.errors))


def search_networks(
    settings: SearchSettings, run: Run, files: RunFiles, blend: bool, is_worker: bool = False
) -> tuple[Found, bool]:
    """The best of many networks, and whether Ctrl-C left the search to its end; blend: with the Gaussian process.

    is_worker: see `Search`.
    """
    with closing(Search(settings, run.objective, files, run.firsts, blend, is_worker)) as search:
        finished = search.run()
        if search.members and not blend:
            return files.found(search.held_out), finished
        if search.members and finished:
            with suppress(KeyboardInterrupt):
                return weigh(search, run), True
            search.close()  # it is at what nobody waits for
        return files.found(lambda predictor: _held_out(predictor, search, run)), False


def _held_out(predictor: Predictor, search: Search, run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Scores and errors (N,) of what is on disk after Ctrl-C, as `Found` has them."""
    if run.data.folds is None:
        return predictor.predict(run.data.inputs)
    first = best_of(run.objective, run.firsts)
    if not isinstance(predictor, Blend):
        return first.held_out, first.errors
    process = next(first for first in run.firsts if first.name == "gp")  # a blend of an earlier run of this study
    others, _ = search.held_out(predictor.networks)
    return predictor.share * process.held_out + (1 - predictor.share) * others, process.errors
