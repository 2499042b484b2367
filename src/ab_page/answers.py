"""What the page is told: the state of a session and the report of a batch, as plain JSON values."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..features import facts_of
from ..ratings import BROKEN, GOOD_ORDER, Batch, Share, extremes, rescaled, standardise
from .gallery import Gallery
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
            "choices": len(session.live.log),
            "number": session.settings.number,
            "at_once": session.settings.number_to_compare,
            "seconds": _plain(session.seconds()),
            "screens": [{"id": screen.id, "images": session.ids(screen)} for screen in shown],
            "last": session.last,
            "ends": session.ends,
            "notes": session.notes[-5:],
            "notes_in_all": len(session.notes),
            "basis": session.live.basis,
            "progress": _progress(session),
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
        "orders": [_plain(order) for order in closed.orders],
        "good_order": GOOD_ORDER,
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


def all_images(session: Session, paths: Mapping[int, str]) -> list[dict[str, Any]]:
    """The images that are here: those compared, best first; those not compared; those held out; those excluded.

    score, error: as they would be written, None of images never compared. excluded: why, "" where it isn't;
    can_return: whether the rater did it, and may take it back.
    """
    with session.lock:
        excluded, ratings, log = session.comparisons.excluded(), session.live.ratings, session.live.log
        scores, errors = rescaled(ratings, session.live.settings.rescale)
    rows = {int(image): row for row, image in enumerate(ratings.images)}
    held_out = dict(zip(log.images[log.held_out].tolist(), log.comparisons[log.held_out].tolist(), strict=True))
    found = []
    for image, path in paths.items():
        row = rows.get(image)
        counted = row is not None and ratings.comparisons[row] > 0
        score, error = (float(scores[row]), float(errors[row])) if counted else (math.nan, math.nan)
        why = excluded.get(image, "")
        known = {"id": image, "name": _as_text(path), "score": _plain(score), "error": _plain(error)}
        out = {
            "excluded": _why(why) if image in excluded else "",
            "can_return": image in excluded and not _broken(why),
        }
        times = int(ratings.comparisons[row]) if counted else held_out.get(image, 0)
        found.append({**known, "comparisons": times, "held_out": image in held_out, **out})
    return sorted(found, key=_place)


def _place(one: dict[str, Any]) -> tuple:
    return bool(one["excluded"]), one["held_out"], one["score"] is None, -(one["score"] or 0.0), one["name"]


def _broken(reason: str) -> bool:
    return reason.startswith(BROKEN)


def _why(reason: str) -> str:
    return f"can’t be shown: {reason[len(BROKEN) :]}" if _broken(reason) else "excluded"


def about(gallery: Gallery, image: int) -> dict[str, Any]:
    """What the file of an image says. KeyError and UnreadableImage as `Gallery.file`."""
    return {"name": _as_text(gallery.paths[image]), "facts": facts_of(gallery.file(image))}


def _as_text(path: str) -> str:
    """Bytes that are no text can't be JSON either."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _progress(session: Session) -> dict[str, Any]:
    found = session.live.progress(session.settings.number_to_compare)
    return {"share": _plain(found.share), "text": found.text}


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {"share": _plain(share.share), "low": _plain(low), "high": _plain(high), "total": share.total}


def _odd(batch: Batch) -> dict[str, int] | None:
    return None if batch.odd is None else vars(batch.odd).copy()


def _plain(number: float) -> float | None:
    return None if math.isnan(number) else round(float(number), 4)
