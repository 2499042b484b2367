"""What the page is told: the state of a session and the report of a batch, as plain JSON values."""

import math
from typing import Any

import numpy as np

from ..ratings import Batch, Share, extremes, standardise, standing, too_early
from .screens import Closed
from .session import AHEAD, CHOOSING, Session


def state(session: Session, gallery: str, ids: set[int]) -> dict[str, Any]:
    """Where the session stands. gallery: names the comparisons file. ids: the images that are here to be shown."""
    with session.lock:
        shown = session.queue[:AHEAD] if session.phase == CHOOSING else []
        return {
            "gallery": gallery,
            "phase": session.phase,
            "batch": session.batch,
            "done": session.done,
            "number": session.settings.number,
            "at_once": session.settings.number_to_compare,
            "seconds": _plain(session.seconds()),
            "screens": [{"id": screen.id, "images": session.ids(screen)} for screen in shown],
            "last": session.last,
            "ends": session.ends,
            "notes": session.notes[-5:],
            "notes_in_all": len(session.notes),
            "basis": session.live.basis,
            "standing": _standing(session),
            "can_go_on": session.can_go_on(),
            "report": report(session.closed, ids) if session.closed and session.phase != CHOOSING else None,
        }


def report(closed: Closed, ids: set[int]) -> dict[str, Any]:
    """The statistics of a batch. best, worst: images by id with their scores, standardised."""
    batch, ratings = closed.batch, closed.ratings
    rated = ratings.comparisons > 0
    scores = standardise(ratings.rating, rated)
    here = rated & closed.allowed & np.isin(ratings.images, list(ids))
    best, worst = (
        [{"id": int(ratings.images[row]), "score": round(float(scores[row]), 2)} for row in rows]
        for rows in extremes(ratings.rating, here)
    )
    return {
        "number": closed.number,
        "choices": batch.choices,
        "ties": batch.ties,
        "skips": batch.skips,
        "seconds": _plain(batch.seconds),
        "matched": batch.outcomes.matched,
        "contradicted": batch.outcomes.contradicted,
        "not_predicted": batch.outcomes.not_predicted,
        "agreement": _share(batch.outcomes.agreement),
        "curve": [_share(one.agreement) for one in batch.curve],
        "chance": _plain(batch.chance),
        "goal": _plain(batch.goal),
        "spearman": _plain(batch.spearman),
        "images": batch.images,
        "consistency": _share(batch.repeats),
        "ceiling": batch.ceiling,
        "left": _share(batch.left) if batch.left else None,
        "odd": _odd(batch),
        "expected_spearman": None if batch.missing else batch.expected_spearman,
        "standing": batch.standing,
        "advice": batch.advice,
        "best": best,
        "worst": worst,
    }


def _standing(session: Session) -> str:
    ratings = session.live.ratings
    if not ratings.comparisons.any():
        return ""
    return standing(ratings.expected_spearman, ratings.choices_for_next, too_early(session.live.log))


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {"share": _plain(share.share), "low": _plain(low), "high": _plain(high), "total": share.total}


def _odd(batch: Batch) -> dict[str, int] | None:
    return None if batch.odd is None else vars(batch.odd).copy()


def _plain(number: float) -> float | None:
    return None if math.isnan(number) else round(float(number), 4)
