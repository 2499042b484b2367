"""Every choice, kept for good: one SQLite file to which rows are only ever added."""

import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..common import UserError, first_line
from .held_out import is_drawn
from .log import Log, Start, log_from_columns
from .rows import Comparison, Exclusion, Registered, check_screen, now, split_screens, storable, text_of
from .store import Store

BROKEN = "broken: "  # begins the reason of an exclusion that no person decided
_EFFECTIVE = "id NOT IN (SELECT comparison_id FROM events WHERE kind = 'undo')"
_BY_CLIENT_ID = "SELECT id FROM comparisons WHERE client_id = ?"
_EXCLUSIONS = f"""
SELECT id, image_id, made_at FROM events AS e
WHERE kind = 'exclude' AND substr(reason, 1, {len(BROKEN)}) <> '{BROKEN}'
AND session_id IN (SELECT id FROM sessions WHERE rater = ?)
AND id = (SELECT max(id) FROM events WHERE image_id = e.image_id)
ORDER BY id
"""
_COLUMNS = {  # of a Log, in SQL
    "ids": "id",
    "kinds": "CASE kind WHEN 'choice' THEN 0 WHEN 'tie' THEN 1 ELSE 2 END",
    "winners": "ifnull(winner, 0)",
    "seconds": "seconds",
    "sessions": "session_id",
    "repeat_of": "ifnull(repeat_of, 0)",
    "predicted": "ifnull(predicted, 0)",
    "shown": "shown",
}


class Comparisons(Store):
    """A comparisons database, open; close it, or use it in a `with`. One object may be shared by several threads.

    Whatever a method stores is on the disk when it returns. Every method raises UserError where the file can't be
    read or written, or another program keeps it locked for ten seconds.
    """

    def __init__(self, path: Path, rater: str = "") -> None:
        """Open the file at `path`, or make it. rater: who chooses now."""
        super().__init__(path)
        self.rater = rater
        self._session: int | None = None

    def register(self, images: Mapping[str, str]) -> Registered:
        """Give every image an id. images: relative path -> content hash, all that is there now.

        A renamed or moved image is known by its content and keeps its id; a path with new content gets a new id.
        """
        with self._writing():
            known = dict(self._rows("SELECT content_hash, id FROM images"))
            added = [content for content in dict.fromkeys(images.values()) if content not in known]
            for content in added:
                known[content] = self._insert("images", content_hash=content, added_at=now())
            ids = {path: known[content] for path, content in images.items()}
            moved, replaced = self._note_paths(ids)
            return Registered(ids, frozenset(known[content] for content in added), moved, replaced)

    def known_contents(self) -> dict[str, int]:
        """Content hash -> id of every image that was ever registered; nothing is written."""
        with self._reading():
            return dict(self._rows("SELECT content_hash, id FROM images"))

    def start_session(self, settings: Mapping[str, object] | None = None) -> int:
        """Begin a session of this rater; settings are kept with it, as JSON. Returns its id."""
        with self._writing():
            return self._begin_session(settings or {})

    def add_choice(
        self,
        shown: Sequence[int],
        winner: int | None,
        seconds: float | None = None,
        *,
        kind: str = "choice",
        repeat_of: int | None = None,
        predicted: int | None = None,
        client_id: str | None = None,
    ) -> int:
        """Store what became of one screen; returns the comparison's id once it is safe on the disk.

        shown: 2…9 different image ids, left to right. winner: one of them; None for kind "tie" and "skip". seconds:
        how long it took. repeat_of: the comparison which this screen silently repeats. predicted: the image which the
        ratings favoured just before. client_id: a name that whoever sends the choice gave it; sent again under the
        same name it is not stored again, and the id of the first is returned. Raises UserError for anything else.
        """
        check_screen(kind, shown, winner, seconds, predicted)
        with self._writing():
            if client_id is not None and (stored := self._rows(_BY_CLIENT_ID, client_id)):
                return stored[0][0]
            self._check_known(shown, repeat_of)
            row: dict[str, object] = {"winner": winner, "seconds": seconds, "repeat_of": repeat_of}
            row |= {"predicted": predicted, "client_id": client_id}
            return self._insert_in_session("comparisons", kind=kind, shown=json.dumps(list(map(int, shown))), **row)

    def find(self, client_id: str) -> int | None:
        """The id of the comparison that was sent under this name, undone or not; None if there is none."""
        with self._reading():
            found = self._rows(_BY_CLIENT_ID, client_id)
        return found[0][0] if found else None

    def last_comparison(self) -> Comparison | None:
        """The latest comparison of this session that isn't undone: what Backspace takes back next."""
        query = f"SELECT id, kind, shown, winner, repeat_of FROM comparisons WHERE session_id IS ? AND {_EFFECTIVE}"
        with self._reading():
            found = self._rows(f"{query} ORDER BY id DESC LIMIT 1", self._session)
        return next((Comparison(i, kind, tuple(json.loads(s)), w, r) for i, kind, s, w, r in found), None)

    def undo(self, comparison_id: int) -> None:
        """Take a comparison back, by one more row. UserError if there is none of that id, or it is undone already."""
        with self._writing():
            if not self._rows("SELECT 1 FROM comparisons WHERE id = ?", comparison_id):
                raise UserError(f"{self.path}: there is no comparison {comparison_id} to undo")
            if not self._rows(f"SELECT 1 FROM comparisons WHERE id = ? AND {_EFFECTIVE}", comparison_id):
                raise UserError(f"{self.path}: comparison {comparison_id} is undone already")
            self._insert_in_session("events", kind="undo", comparison_id=comparison_id)

    def is_undone(self, comparison_id: int) -> bool:
        """Whether this comparison was taken back."""
        with self._reading():
            return bool(self._rows("SELECT 1 FROM events WHERE kind = 'undo' AND comparison_id = ?", comparison_id))

    def exclude(self, image_id: int, reason: str = "") -> int:
        """Never show this image again; its comparisons stay. reason: for people, such as "broken". The event's id."""
        return self._image_event("exclude", image_id, reason)

    def exclusions(self) -> list[Exclusion]:
        """What this rater excluded by hand and nobody included again, in that order."""
        with self._reading():
            found = self._rows(_EXCLUSIONS, self.rater)
            times = self._rows("SELECT id, made_at FROM comparisons ORDER BY id") if found else []
        ids, moments = [0, *(i for i, _ in times)], [at for _, at in times]
        return [Exclusion(event, image, ids[bisect_right(moments, at)]) for event, image, at in found]

    def is_included_again(self, event_id: int) -> bool:
        """Whether an exclusion, by its event, was taken back."""
        query = "SELECT 1 FROM events AS e JOIN events AS later USING (image_id) WHERE e.id = ? AND later.id > e.id"
        with self._reading():
            return bool(self._rows(f"{query} AND later.kind = 'include'", event_id))

    def include(self, image_id: int) -> None:
        """Show it again after all."""
        self._image_event("include", image_id, "")

    def excluded(self) -> dict[int, str]:
        """Id -> reason of every image that is excluded now."""
        with self._reading():
            return self._excluded()

    def taken_back(self) -> Counter[int]:
        """Image id -> how many of this rater's comparisons that were undone showed it."""
        mine = "session_id IN (SELECT id FROM sessions WHERE rater = ?)"
        with self._reading():
            rows = self._rows(f"SELECT shown FROM comparisons WHERE NOT ({_EFFECTIVE}) AND {mine}", self.rater)
        return Counter(image for (shown,) in rows for image in json.loads(shown))

    def add_starting_ratings(self, starts: Mapping[int, float | Start]) -> None:
        """What was thought of these images before any choice: id -> Elo units, or more of it. The latest counts."""
        whole = {i: start if isinstance(start, Start) else Start(float(start)) for i, start in starts.items()}
        wrong = next((image for image, start in whole.items() if not math.isfinite(start.rating)), None)
        if wrong is not None:
            raise UserError(f"image {wrong}: the starting rating is {whole[wrong].rating}; a finite number is wanted")
        with self._writing():
            self._check_known(list(whole), None)
            for image, start in whole.items():
                error = start.error if math.isfinite(start.error) and start.error > 0 else None
                row = {"image_id": image, "rating": float(start.rating), "model": start.model, "error": error}
                self._insert_in_session("starting_ratings", **row)

    def hold_out(self, share: float, seed: int) -> int:
        """Draw images whose choices no fit is to learn from, once and for good; returns how many were added.

        Of the images that nobody compared yet, undone or not, and that began with no rating; `is_drawn` says which.
        """
        with self._writing():
            rows = self._rows("SELECT shown FROM comparisons")
            known = {image for (shown,) in rows for image in json.loads(shown)}
            known |= {image for (image,) in self._rows("SELECT image_id FROM starting_ratings")}
            known |= {image for (image,) in self._rows("SELECT image_id FROM held_out")}
            drawn = [i for i, c in self._rows("SELECT id, content_hash FROM images") if is_drawn(c, share, seed)]
            added = [image for image in drawn if image not in known]
            for image in added:
                self._insert_in_session("held_out", image_id=image)
            return len(added)

    def reach(self, share: float, way: str, images: int) -> None:
        """Keep how far this rater came on the way to a good order of so many images: see `reached`."""
        with self._writing():
            self._insert_in_session("reached", share=share, way=way, images=images)

    def reached(self, way: str, images: int) -> float:
        """The furthest, 0…1, that this rater came in this way of counting it while there were so many images."""
        mine = "session_id IN (SELECT id FROM sessions WHERE rater = ?)"
        query = f"SELECT ifnull(max(share), 0) FROM reached WHERE way = ? AND images = ? AND {mine}"
        with self._reading():
            return float(self._rows(query, way, images, self.rater)[0][0])

    def log(self, rater: str | None = None) -> Log:
        """All comparisons that aren't undone, in order, as arrays; with `rater`, only that person's."""
        with self._reading():
            try:
                return self._log(rater)
            except (ValueError, LookupError, ArithmeticError, TypeError) as error:
                raise UserError(
                    f"{self.path}: is damaged, for rows make no sense ({first_line(error)}); take a backup"
                ) from error

    def _log(self, rater: str | None) -> Log:
        return log_from_columns(
            [image for (image,) in self._rows("SELECT id FROM images")],
            self._columns(rater),
            raters=dict(self._rows("SELECT id, rater FROM sessions")),
            excluded=self._excluded(),
            held_out=[image for (image,) in self._rows("SELECT image_id FROM held_out")],
            starts={
                image: Start(rating, model, math.nan if error is None else error)
                for image, rating, model, error in self._rows(
                    "SELECT image_id, rating, model, error FROM starting_ratings ORDER BY id"
                )
            },
        )

    def _columns(self, rater: str | None) -> Mapping[str, Sequence | np.ndarray]:
        mine = "session_id IN (SELECT id FROM sessions WHERE ? IS NULL OR rater = ?)"
        query = f"SELECT {', '.join(_COLUMNS.values())} FROM comparisons WHERE {_EFFECTIVE} AND {mine} ORDER BY id"
        rows = self._rows(query, rater, rater)
        columns = {name: [row[place] for row in rows] for place, name in enumerate(_COLUMNS)}
        return columns | split_screens(",".join(columns["shown"]))

    def _note_paths(self, ids: dict[str, int]) -> tuple[dict[str, str], dict[str, int]]:
        at_path: dict[str, int] = {}  # path -> image it held last
        path_of: dict[int, str] = {}  # image -> path where it was seen last
        for image, stored in self._rows("SELECT image_id, relative_path FROM image_paths ORDER BY id"):
            at_path[text_of(stored)], path_of[image] = image, text_of(stored)
        still = {image for path, image in ids.items() if path_of.get(image) == path}
        moved = {path: path_of[i] for path, i in ids.items() if i in path_of and i not in still}
        replaced = {path: at_path[path] for path, i in ids.items() if at_path.get(path, i) != i}
        for path, image in ids.items():
            if at_path.get(path) != image or path in moved:
                self._insert("image_paths", image_id=image, relative_path=storable(path), seen_at=now())
        return moved, replaced

    def _excluded(self) -> dict[int, str]:
        events = self._rows("SELECT image_id, kind, reason FROM events WHERE kind <> 'undo' ORDER BY id")
        latest = {image: (kind, reason) for image, kind, reason in events}
        return {image: reason for image, (kind, reason) in latest.items() if kind == "exclude"}

    def _begin_session(self, settings: Mapping[str, object]) -> int:
        self._session = self._insert(
            "sessions", rater=self.rater, settings=json.dumps(dict(settings)), started_at=now()
        )
        return self._session

    def _image_event(self, kind: str, image_id: int, reason: str) -> int:
        with self._writing():
            self._check_known([image_id], None)
            return self._insert_in_session("events", kind=kind, image_id=image_id, reason=reason)

    def _check_known(self, images: Sequence[int], repeat_of: int | None) -> None:
        for image in images:
            if not self._rows("SELECT 1 FROM images WHERE id = ?", int(image)):
                raise UserError(f"{self.path}: there is no image {image}; register it first")
        if repeat_of is None:
            return
        earlier = self._rows("SELECT shown FROM comparisons WHERE id = ?", repeat_of)
        if not earlier or sorted(json.loads(earlier[0][0])) != sorted(images):
            raise UserError(
                f"{self.path}: this screen doesn't repeat comparison {repeat_of}; other images were shown"
            )

    def _insert_in_session(self, table: str, **values: object) -> int:
        session = self._session if self._session is not None else self._begin_session({})
        return self._insert(table, session_id=session, made_at=now(), **values)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        session = self._session
        try:
            with super()._writing():
                yield
        except BaseException:
            self._session = session  # one begun in a transaction that failed doesn't exist
            raise
