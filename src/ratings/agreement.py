"""How well a model foresees the choices a person really made, not only the ratings fitted to them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .log import Log
from .statistics import Share, consistency


@dataclass(frozen=True)
class ChoiceAgreement:
    """model, scores: of the pairs that were chosen between, how many each puts in the order of the choice, to the
    nearest whole one where ties count half. comparisons: those which the pairs come from. repeats: hidden repeats of
    the whole log, on screens of two, in which the same image won again."""

    model: Share
    scores: Share
    comparisons: int
    repeats: Share


def choice_agreement(
    log: Log, ids: Mapping[str, int], paths: list[str], unseen: np.ndarray, scores: np.ndarray, model: np.ndarray
) -> ChoiceAgreement:
    """Over the comparisons of which every image is `unseen`: (N,) bool, outside the train split of all models.

    ids: relative path -> image id, copies of one content share it; such an image is unseen only if all copies are.
    scores, model: (N,) in any unit. The winner of a screen makes a pair with each other image on it; ties and skips
    make none.
    """
    places = np.full(len(log.images), -1)
    seen = np.zeros(len(log.images), dtype=bool)
    rows = {int(image): row for row, image in enumerate(log.images)}
    for place, path in enumerate(paths):
        row = rows.get(ids.get(path, -1))
        if row is not None:
            places[row] = place
            seen[row] |= not unseen[place]
    usable = (places >= 0) & ~seen  # (images,)
    outside = np.ones(len(log), dtype=bool)
    np.logical_and.at(outside, np.repeat(np.arange(len(log)), log.sizes), usable[log.shown])
    pairs = log.pairs
    wanted = ~pairs.ties & outside[pairs.comparison]
    winners, losers = places[pairs.winners[wanted]], places[pairs.losers[wanted]]
    return ChoiceAgreement(
        _foreseen(model, winners, losers),
        _foreseen(scores, winners, losers),
        len(np.unique(pairs.comparison[wanted])),
        consistency(log),
    )


def _foreseen(values: np.ndarray, winners: np.ndarray, losers: np.ndarray) -> Share:
    higher, equal = values[winners] > values[losers], values[winners] == values[losers]
    return Share(round(float(higher.sum() + equal.sum() / 2)), len(winners))
