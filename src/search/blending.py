"""How much of a blend is Gaussian process and how much networks: by predictions of images that neither has seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from ..model import Blend, combine
from .dataset import Dataset
from .first_results import best_of, better, put, value_of
from .processes import fit_process
from .run import Run
from .run_files import Found
from .search import Search

FOLDS = 5
# As many images' worth of belief that both are alike. Of 100 images, shares found without it are worse than a half:
# Spearman 0.520 and 0.527 with other ratings of 40 people (benchmarks/oasis_types.py has the people).
ALIKE = 100
FEWEST = 20  # train images; with fewer, folds say nothing, and both count alike


@dataclass(frozen=True)
class Unseen:
    """What a Gaussian process and networks of the best trials say of images that they were not fitted on.

    rows: (n,) of the images. process, networks: (n,).
    """

    rows: np.ndarray
    process: np.ndarray
    networks: np.ndarray


def weigh(search: Search, run: Run) -> Found:
    """The model as it lies on disk at the end of a search: the blend, if it is better than what was there first.

    Its networks are the best of many on these images, and the others are not: what is no better in spite of that adds
    nothing.
    """
    data, process = run.data, search.process
    assert process is not None
    first = next(first for first in run.firsts if first.name == "gp")
    networks = combine([member.predictor for member in search.members])
    share, factor, unseen = 0.5, 1.0, None
    are_enough = len(data.rows("train")) >= FEWEST
    if are_enough or data.folds is not None:
        unseen = _predict_unseen(search, parts_of(data, search.settings.seed))
    if are_enough and unseen is not None:
        share, factor = shares(data.scores[unseen.rows], unseen.process, unseen.networks)
    blend = Blend(process, networks, share, factor)
    held_out, errors = blend.predict(data.inputs.cpu())
    if data.folds is not None and unseen is not None:
        others = networks.predict(data.inputs.cpu())[0]
        others[unseen.rows] = unseen.networks
        held_out, errors = share * first.held_out + (1 - share) * others, factor * first.errors
    best = best_of(run.objective, run.firsts)
    if share < 1 and better(run.objective, value_of(run.objective, data, held_out, errors), best.value):
        search.write(blend)
        return search.files.found(lambda _: (held_out, errors))
    about = {"blend_share": 1.0} if best.name == "gp" else {}
    metaparameters = dict(sorted(search.members[0].parameters.items()))
    put(best, run.objective, search.files, metaparameters=metaparameters, **about)
    return search.files.found(lambda _: (best.held_out, best.errors))


def _predict_unseen(search: Search, parts: Sequence[Dataset]) -> Unseen:
    rows, process, networks = [], [], []
    for part in tqdm(parts, desc="Weighing", unit="fold"):
        rows.append(part.rows("eval"))
        inputs = part.inputs[rows[-1].tolist()]
        process.append(fit_process(search.settings.training, part).predict(inputs)[0])
        networks.append(search.again(part).predict(inputs)[0])
    return Unseen(*(np.concatenate(each) for each in (rows, process, networks)))


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


def parts_of(data: Dataset, seed: int) -> Sequence[Dataset]:
    """The run's own folds; without them the train split in five, and nothing else."""
    if data.folds is not None:
        return data.parts()
    rows = np.random.default_rng(seed).permutation(data.rows("train"))
    found = []
    for fold in np.array_split(rows, FOLDS):
        split = np.where(data.split == "train", "train", "")
        split[fold] = "eval"
        found.append(replace(data, split=split))
    return found
