"""What networks say of images that they were not trained on: fold by fold, by all processes of a search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from ..model import combine
from .dataset import Dataset
from .processes import fit_process
from .team import Team
from .trainer import Metaparameters, Trainer

FOLDS = 4  # where the run has none of its own; with an odd number one of two cores would wait at the end


@dataclass(frozen=True)
class Unseen:
    """What is said of images by who was not fitted on them.

    rows: (n,) of the images. networks, errors: (n,) the mean of networks, and its errors. process: (n,) a Gaussian
    process, None where none was fitted.
    """

    rows: np.ndarray
    networks: np.ndarray
    errors: np.ndarray
    process: np.ndarray | None


@dataclass(frozen=True)
class OfFold:
    """One fold, as a task for whoever has a trainer: networks of all `members` are trained on the others.

    seed: of the folds of a run that has none of its own. process: whether a Gaussian process is fitted, too.
    """

    fold: int
    members: Sequence[Metaparameters]
    seed: int
    process: bool

    def __call__(self, trainer: Trainer) -> Unseen:
        """See `Unseen`."""
        part = parts_of(trainer.data, self.seed)[self.fold]
        rows = part.rows("eval")
        inputs = part.inputs[rows.tolist()]
        networks, errors = combine([trainer.train(each, part) for each in self.members]).predict(inputs)
        process = fit_process(trainer.settings, part).predict(inputs)[0] if self.process else None
        return Unseen(rows, networks, errors, process)


def parts_of(data: Dataset, seed: int) -> Sequence[Dataset]:
    """The run's own folds; without them the train split in `FOLDS`, and nothing else."""
    if data.folds is not None:
        return data.parts()
    rows = np.random.default_rng(seed).permutation(data.rows("train"))
    found = []
    for fold in np.array_split(rows, FOLDS):
        split = np.where(data.split == "train", "train", "")
        split[fold] = "eval"
        found.append(replace(data, split=split))
    return found


def predict_unseen(
    members: Sequence[Metaparameters], seed: int, process: bool, trainer: Trainer, team: Team, description: str
) -> list[Unseen]:
    """Of each fold, in order; see `OfFold`."""
    count = len(parts_of(trainer.data, seed))
    tasks = {fold: OfFold(fold, members, seed, process) for fold in range(count)}
    done = tqdm(team.through(tasks, trainer), desc=description, total=count, unit="fold")
    return [said for _, said in sorted(done, key=lambda each: each[0])]
