"""The two ways to a model: a search over networks, and ridge regression."""

import numpy as np

from .baseline import ridge_predictor
from .objective import SUBSETS, Objective
from .run import Run
from .run_files import Found, RunFiles
from .search import Search
from .settings import SearchSettings


def search_networks(settings: SearchSettings, objective: Objective, files: RunFiles) -> tuple[Found, bool]:
    """The best of many networks; False if Ctrl-C ended the search."""
    search = Search(settings, objective, files)
    finished = search.run()
    return files.found(search.held_out), finished


def train_ridge(run: Run, files: RunFiles) -> Found:
    """Ridge regression as the model; nothing is searched."""
    data, held_out = run.data, run.held_out_ridge
    predictor = ridge_predictor(run.ridge, data.config).to(data.inputs.device)
    metrics = run.objective.measure_all(data, predictor, *SUBSETS)
    files.write(predictor, {"metrics": metrics, "ridge_alpha": run.ridge.alpha})
    if data.folds is None:
        return files.found(lambda found: found.predict(data.inputs.cpu()))
    return files.found(lambda _: (held_out, np.full(len(held_out), np.nan)))
