"""How much of a blend is Gaussian process and how much networks: by predictions of images that neither has seen."""

from collections.abc import Sequence

import numpy as np

from ..model import Blend, combine
from .dataset import Dataset
from .first_results import First, best_of, put, value_of
from .objective import better
from .run import Run
from .run_files import Found
from .search import Search
from .unseen import Unseen

# As many images' worth of belief that both are alike. Of 50 to 175 images, shares found without it are worse than a
# half for single people; for 810 of the crowd's it makes no difference (docs/gp.md).
ALIKE = 300
FEWEST = 20  # train images; with fewer, folds say nothing, and both count alike


def weigh(search: Search, run: Run) -> Found:
    """The model as it lies on disk at the end of a search: the blend, if it is better than what was there first.

    Its networks are the best of many on these images, and the others are not: what is no better in spite of that adds
    nothing.
    """
    data, process = run.data, search.process
    assert process is not None
    first = next(first for first in run.firsts if first.name == "gp")
    networks = combine([member.predictor for member in search.members])
    share, factor, unseen = 0.5, 1.0, []
    are_enough = len(data.rows("train")) >= FEWEST
    if are_enough or data.folds is not None:
        unseen = search.predict_unseen("Weighing", process=data.folds is None)
    if are_enough:
        share, factor = _weighed(unseen, data, first)
    blend = Blend(process, networks, share, factor)
    held_out, errors = blend.predict(data.inputs.cpu())
    if data.folds is not None:
        others = networks.predict(data.inputs.cpu())[0]
        for fold in unseen:
            others[fold.rows] = fold.networks
        held_out, errors = share * first.held_out + (1 - share) * others, factor * first.errors
    best = best_of(run.objective, run.firsts)
    if share < 1 and better(run.objective, value_of(run.objective, data, held_out, errors), best.value):
        search.write(blend)
        return search.files.found(lambda _: (held_out, errors))
    about = {"blend_share": 1.0} if best.name == "gp" else {}
    metaparameters = dict(sorted(search.members[0].parameters.items()))
    put(best, run.objective, search.files, metaparameters=metaparameters, **about)
    return search.files.found(lambda _: (best.held_out, best.errors))


def _weighed(unseen: Sequence[Unseen], data: Dataset, first: First) -> tuple[float, float]:
    """See `shares`. first: the process, which with folds has said already what it thinks of images it did not see."""
    rows = np.concatenate([fold.rows for fold in unseen])
    process = [first.held_out[fold.rows] if fold.process is None else fold.process for fold in unseen]
    return shares(data.scores[rows], np.concatenate(process), np.concatenate([fold.networks for fold in unseen]))


def shares(scores: np.ndarray, process: np.ndarray, networks: np.ndarray) -> tuple[float, float]:
    """The process's share, in 0 to 1, and by how much the error of the blend is larger than its own.

    scores, and what both predict of them: (N,), of images that neither was fitted on. The share is that of the least
    squared error, as if ALIKE more images had said that both are as good: of few images it would be chance.
    """
    apart = process - networks
    square = float(apart @ apart)
    said = (scores - networks) @ apart + ALIKE * square / len(scores) / 2
    share = float(np.clip(said / (square * (1 + ALIKE / len(scores))), 0, 1)) if square > 0 else 1.0
    blend = scores - (share * process + (1 - share) * networks)
    alone = scores - process
    return share, float(np.sqrt((blend @ blend) / (alone @ alone))) if np.any(alone) else 1.0
