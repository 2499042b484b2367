"""Whatever is sent to the page's server: a refusal is a sentence, and stores nothing; nothing is ever a 500."""

import asyncio
import json
import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.ab_page.gallery import make_gallery
from src.ab_page.live import LiveRatings
from src.ab_page.server import Server, listen
from src.ab_page.session import Session
from src.ratings.database import Comparisons
from src.ratings.settings import PairingSettings, RatingSettings
from tests.fuzz.outcomes import BOUNDED
from tests.scorer import draw_images

IMAGES = 8
ACTIONS = ("answer", "undo", "exclude", "next", "finish", "model")
TABLES = ("images", "image_paths", "sessions", "comparisons", "events", "starting_ratings", "held_out")


class Client:
    """A server without a network. stored: how many rows there are."""

    def __init__(self, folder):
        draw_images(folder / "images", IMAGES)
        self.comparisons = Comparisons(folder / "c.sqlite", "me")
        ids = self.comparisons.register({f"{number:03}.png": str(number) for number in range(IMAGES)}).ids
        self.gallery = make_gallery(folder / "images", ids)
        self.begin()

    def begin(self):
        live = LiveRatings(self.comparisons, RatingSettings("bradley_terry"))
        plan = PairingSettings(number=5)
        self.session = Session(self.comparisons, live, np.ones(IMAGES, dtype=bool), plan)
        self.server = Server(self.session, self.gallery, "127.0.0.1", listen("127.0.0.1", 0))
        self.port = self.server._listening.getsockname()[1]

    def close(self):
        self.server._listening.close()
        self.comparisons.close()

    def stored(self):
        with sqlite3.connect(self.comparisons.path) as raw:
            return [raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES]

    def send(self, method, path, data=b"", query=b"", kind=b"application/json"):
        """(status, text)"""
        sent, coming = [], [{"type": "http.request", "body": data, "more_body": False}]

        async def receive():
            return coming.pop() if coming else await asyncio.Future()  # the client stays

        async def send(message):
            sent.append(message)

        headers = [(b"host", f"127.0.0.1:{self.port}".encode()), (b"content-type", kind)]
        scope = {"type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": path}
        scope |= {"raw_path": path.encode("utf-8", "replace"), "query_string": query, "headers": headers}
        asyncio.run(self.server.app({**scope, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1)}, receive, send))
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()

    def post(self, action, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", f"/api/{action}", data)

    def right(self, action):
        """A body that would be taken."""
        screen = self.session.queue[0] if self.session.queue else None
        shown = self.session.ids(screen) if screen else [1, 2]
        answer = {"screen": screen.id if screen else "x", "shown": shown, "kind": "choice", "winner": shown[0]}
        own = {
            "answer": {**answer, "seconds": 1.0, "id": "a name"},
            "undo": {"step": self.session.last or "comparison 1"},
            "exclude": {"image": 1},
            "next": {},
            "model": {},
            "finish": {"of": self.session.ends},
        }
        return {"gallery": self.server._name, "tab": "tab", **own[action]}


@pytest.fixture
def client(tmp_path):
    client = Client(tmp_path)
    yield client
    client.close()


def check(client, before, status, text):
    assert status == 200 or 400 <= status < 500 or (status == 503 and client.session.phase == "finished"), text
    if status != 200:
        assert client.stored() == before
        assert 3 <= len(text) <= 500
        assert " " in text
    if client.session.phase == "finished":
        client.close()
        client.comparisons = Comparisons(client.comparisons.path, "me")
        client.begin()


LETTERS = st.text(st.characters(exclude_categories=()), max_size=120)  # half surrogate pairs too
NUMBERS = st.one_of(
    st.integers(-3, 12),
    st.sampled_from([2**63, -(2**63), 10**400, 2**53 + 1, float("inf"), float("nan"), -0.0]),
    st.floats(),
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, LETTERS),
    lambda inner: st.one_of(st.lists(inner, max_size=11), st.dictionaries(LETTERS, inner, max_size=3)),
    max_leaves=12,
)
FIELDS = ("gallery", "tab", "screen", "shown", "kind", "winner", "seconds", "id", "step", "image", "of")
IDS = st.one_of(st.integers(-1, IMAGES + 1), st.just(2**63))  # the last is too large for SQLite
SHOWN = st.lists(IDS, max_size=11)
LIKELY = {
    "shown": SHOWN,
    "winner": st.one_of(st.none(), IDS),
    "kind": st.sampled_from(["choice", "tie", "skip", ""]),
    "image": IDS,
    "step": st.from_regex(r"(comparison|exclusion) [0-9]{1,30}", fullmatch=True),
}


@st.composite
def changed(draw):
    """(action, {field: value}, fields left out): what differs from a body that would be taken."""
    changes = {}
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=3, unique=True)):
        changes[name] = draw(st.one_of(LIKELY[name], ANYTHING) if name in LIKELY else ANYTHING)
    return draw(st.sampled_from(ACTIONS)), changes, draw(st.lists(st.sampled_from(FIELDS), max_size=2))


@BOUNDED
@given(changed())
def test_a_body_that_is_nearly_right(client, change):
    action, changes, missing = change
    body = {name: value for name, value in {**client.right(action), **changes}.items() if name not in missing}
    before = client.stored()
    check(client, before, *client.post(action, body))


@BOUNDED
@given(st.sampled_from(ACTIONS), st.one_of(st.binary(max_size=200), ANYTHING.map(lambda v: json.dumps(v).encode())))
def test_a_body_that_is_anything(client, action, body):
    before = client.stored()
    check(client, before, *client.post(action, body))


@BOUNDED
@given(
    st.sampled_from(["GET", "POST", "PUT", "HEAD"]),
    st.one_of(
        st.text(st.characters(exclude_categories=("Cs",)), max_size=60).map(lambda text: f"/{text}"),
        st.integers(-2, 10**30).map(lambda number: f"/image/{number}/full"),
        st.just("/image/1"),
        st.just("/api/state"),
    ),
    st.binary(max_size=60),
)
def test_any_address(client, method, path, query):
    before = client.stored()
    status, text = client.send(method, path, query=query)
    assert status < 500, text
    if status != 200:
        assert client.stored() == before


@pytest.mark.parametrize(
    ("action", "changes", "said"),
    [
        ("answer", {"shown": []}, "2 to 9 different"),
        ("answer", {"shown": [], "winner": None, "kind": "skip"}, "2 to 9 different"),
        ("answer", {"seconds": float("inf")}, "seconds must be a number"),
        ("answer", {"seconds": 10**400}, "seconds must be a number"),
        ("answer", {"seconds": True}, "seconds must be a number"),
        ("answer", {"id": "\ud800"}, "id must be a text"),
        ("answer", {"screen": "\udfff"}, "screen must be a text"),
        ("answer", {"tab": None}, "tab must be a text"),
        ("exclude", {"tab": ""}, "tab must be a text"),
        ("answer", {"winner": 2**63}, "winner must be an image id"),
        ("answer", {"shown": [1, 2**63]}, "shown must be a list of image ids"),
        ("exclude", {"image": 2**63}, "image must be an image id"),
        ("exclude", {"image": 99}, "image 99 isn't in the comparisons database"),
        ("finish", {"of": None}, "of must be a text"),
        ("undo", {"step": "comparison 99"}, "comparison 99 can't be undone"),
    ],
)
def test_what_was_found_before(client, action, changes, said):
    before = client.stored()
    status, text = client.post(action, {**client.right(action), **changes})
    assert status == 400
    assert said in text
    assert client.stored() == before


def test_a_finish_that_is_sent_again_ends_nothing_else(client):
    client.post("answer", client.right("answer"))
    finish = client.right("finish")
    for _ in range(3):  # the answer was lost on the way
        status, _ = client.post("finish", finish)
        assert (status, client.session.phase) == (200, "report")
    client.close()
    client.comparisons = Comparisons(client.comparisons.path, "me")
    client.begin()  # killed before it could answer, and started again
    assert client.post("finish", finish)[0] == 200
    assert client.session.phase == "choosing"
    client.post("finish", client.right("finish"))
    assert client.session.phase == "finished"
