"""The A/B scorer as a program: what it answers, what it refuses, what survives."""

import csv
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import sys
import time
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

import aesthetic_ab_scorer
from src.ab_page import reach
from src.ab_page.live import LiveRatings
from src.ab_page.reach import network_address, qr_code
from src.ab_page.server import PAGE, STATIC
from src.choosing import import_scores
from src.choosing.score_file import ScoreFile
from src.common import Steps
from src.common.errors import UserError
from src.ratings.database import Comparisons
from src.ratings.settings import RatingSettings
from tests import profiles
from tests.forks import run
from tests.scorer import ROOT, Scorer, draw_images

pytestmark = pytest.mark.script


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A directory of twelve images, and a file beside it that nobody may see."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret.txt").write_text("secret", encoding="utf-8")
    draw_images(folder / "images", 12)
    return folder / "images"


@pytest.fixture(scope="module")
def scorer(images):
    with Scorer(images, "--number=1000") as running:
        yield running


@pytest.fixture
def gallery(tmp_path, images):
    shutil.copytree(images, tmp_path / "gallery", ignore=shutil.ignore_patterns("*.sqlite*", ".*", "*.csv"))
    return tmp_path / "gallery"


def stored(folder, rater=None):
    with Comparisons(folder / "comparisons.sqlite") as comparisons:
        return comparisons.log(rater)


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- what is served ---


@pytest.mark.parametrize("path", PAGE)
def test_the_page_comes_with_every_security_header(scorer, path):
    status, headers, data = scorer.request("GET", path)
    assert status == 200
    assert data
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "img-src 'self'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Server"] is None
    assert headers["Access-Control-Allow-Origin"] is None


def test_every_file_of_the_page_is_served():
    assert sorted(PAGE.values()) == sorted(path.name for path in STATIC.iterdir())


def test_the_page_holds_no_inline_script_or_style_and_names_no_other_address():
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert "<style" not in page
    assert " style=" not in page
    assert not re.search(r"\son\w+=", page)
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace('"http://www.w3.org/2000/svg"', "")
        assert "http:" not in text
        assert "https:" not in text
        assert "innerHTML" not in text


def test_images_are_scaled_to_what_is_asked_for_and_full_on_zoom(gallery):
    Image.new("RGB", (900, 300), "red").save(gallery / "wide.jpg")
    with Scorer(gallery) as scorer:
        ids = range(1, 14)
        sizes = [
            Image.open(io.BytesIO(scorer.request("GET", f"/image/{i}?width=128&height=128")[2])).size for i in ids
        ]
        full = [Image.open(io.BytesIO(scorer.request("GET", f"/image/{i}/full")[2])) for i in ids]
    assert sorted(sizes) == sorted([(60, 40)] * 12 + [(128, 43)])
    assert sorted(picture.size for picture in full) == sorted([(60, 40)] * 12 + [(900, 300)])
    assert {picture.format for picture in full} == {"JPEG"}


def test_an_image_lying_on_its_side_by_exif_is_sent_upright_and_in_srgb(gallery):
    shutil.rmtree(gallery)
    draw_images(gallery, 2)
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = profiles.rgb_profile(profiles.PROPHOTO, 1.8)
    Image.new("RGB", (80, 40), (120, 100, 80)).save(gallery / "side.jpg", quality=100, exif=exif, icc_profile=profile)
    with Scorer(gallery) as scorer:
        pictures = [Image.open(io.BytesIO(scorer.request("GET", f"/image/{i}/full")[2])) for i in (1, 2, 3)]
    upright = next(picture for picture in pictures if picture.size == (40, 80))
    assert "icc_profile" not in upright.info
    expected = profiles.in_srgb(np.array([120, 100, 80]), profiles.PROPHOTO, 1.8)
    assert np.abs(np.asarray(upright)[40, 20] - expected).max() < 4
    assert not upright.getexif()


# --- what is refused ---


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", "", None],
)
def test_a_foreign_host_is_refused(scorer, host):
    host = host and host.format(port=scorer.port)
    for path in ("/", "/api/state", "/image/1?width=64&height=64", "/nothing"):
        status, headers, data = scorer.request("GET", path, headers={"Host": host})
        assert status == 400
        assert b"tab" not in data
        if headers["Content-Security-Policy"] is None:
            assert host is None  # uvicorn's own answer to what isn't HTTP


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_names_of_this_computer_are_no_foreign_hosts(scorer, name):
    assert scorer.request("GET", "/", headers={"Host": f"{name}:{scorer.port}"})[0] == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1", "http://localhost:{port}"],
)
def test_a_foreign_origin_is_refused(scorer, origin):
    headers = {"Origin": origin.format(port=scorer.port)}
    body = {"gallery": scorer.state()["gallery"], "tab": "x"}
    assert scorer.request("POST", "/api/finish", body, headers)[0] == 403
    assert scorer.request("GET", "/api/state", headers=headers)[0] == 403
    assert scorer.state()["phase"] == "choosing"


def test_ones_own_origin_is_accepted(scorer):
    headers = {"Origin": f"http://127.0.0.1:{scorer.port}", "Sec-Fetch-Site": "same-origin"}
    assert scorer.request("GET", "/api/state", headers=headers)[0] == 200


def test_another_site_may_link_to_the_page_and_nothing_more(scorer):
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert scorer.request("GET", "/", headers={**foreign, "Sec-Fetch-Mode": "navigate"})[0] == 200
    assert scorer.request("GET", "/", headers={**foreign, "Sec-Fetch-Mode": "no-cors"})[0] == 403
    for path in ("/image/1?width=64&height=64", "/image/1/full", "/api/state", "/page.js"):
        assert scorer.request("GET", path, headers={**foreign, "Sec-Fetch-Mode": "navigate"})[0] == 403
    assert scorer.request("GET", "/image/1/full", headers={"Sec-Fetch-Site": "same-site"})[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/secret.txt",
        "/../secret.txt",
        "/image/../secret.txt",
        "/image/../../secret.txt",
        "/image/..%2f..%2fsecret.txt?width=64&height=64",
        "/image/%2e%2e/secret.txt",
        "/image/..\\..\\secret.txt",
        "/image/..%5c..%5csecret.txt",
        "/image//etc/passwd",
        "/image/%2fetc%2fpasswd",
        "/image/000.png",
        "/image/000.png?width=64&height=64",
        "/image/1%00.png",
        "/image/-1/full",
        "/image/0/full",
        "/image/99999/full",
        "/image/99999999999999999999999999999/full",
        "/image/1/../../comparisons.sqlite",
        "/comparisons.sqlite",
        "/static/index.html",
        "/index.html",
        "/page.js/../../server.py",
        "/%2e%2e/server.py",
        "//etc/passwd",
        "http://evil.example/secret.txt",
    ],
)
def test_no_path_leads_to_a_file(scorer, path):
    status, _, data = scorer.request("GET", path)
    assert status == 404
    assert b"secret" not in data
    assert b"root:" not in data


@pytest.mark.parametrize(
    "size",
    [
        "",
        "?width=64",
        "?width=a&height=64",
        "?width=-1&height=1",
        "?width=9e9&height=64",
        "?width=100000&height=64",
        "?width=²&height=64",
    ],
)
def test_an_image_needs_a_size_in_pixels(scorer, size):
    assert scorer.request("GET", "/image/1" + size.replace("²", "%C2%B2"))[0] == 400


def test_all_images_are_listed_with_their_scores_and_what_their_files_say(scorer):
    status, _, data = scorer.request("GET", "/api/gallery")
    images = json.loads(data)["images"]
    assert status == 200
    assert {"id", "name", "score", "error", "comparisons", "held_out", "excluded", "can_return"} == set(images[0])
    scores = [one["score"] for one in images if one["score"] is not None and not one["excluded"]]
    assert scores == sorted(scores, reverse=True)
    about = json.loads(scorer.request("GET", f"/image/{images[0]['id']}/about")[2])
    assert about == {"name": images[0]["name"], "facts": {}}
    assert scorer.request("GET", "/image/999/about")[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(scorer, method):
    for path in ("/", "/api/answer", "/image/1"):
        assert scorer.request(method, path)[0] == 405


@pytest.mark.parametrize("action", ["answer", "undo", "exclude", "include", "next", "finish"])
def test_what_changes_something_must_be_posted_as_json(scorer, action):
    assert scorer.request("GET", f"/api/{action}")[0] == 405
    body = json.dumps({"gallery": scorer.state()["gallery"], "tab": "tab"}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        assert scorer.request("POST", f"/api/{action}", body, {"Content-Type": kind})[0] == 415
    for text in (b"", b"{", b"[]", b"1", b"[" * 50000, b"\xff"):
        assert scorer.request("POST", f"/api/{action}", text)[0] == 400
    assert scorer.request("POST", f"/api/{action}", b" " * 70000)[0] == 413
    assert scorer.state()["phase"] == "choosing"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shown": [1]}, "2 to 9 different"),
        ({"shown": [1, 1]}, "2 to 9 different"),
        ({"shown": list(range(1, 11))}, "2 to 9 different"),
        ({"shown": [1, 999], "winner": 1}, "image 999"),
        ({"shown": ["000.png", 2]}, "list of image ids"),
        ({"shown": "1,2"}, "list of image ids"),
        ({"shown": [True, 2]}, "list of image ids"),
        ({"shown": [1, 2], "winner": 3}, "only a choice has one"),
        ({"winner": None}, "only a choice has one"),
        ({"winner": "1"}, "winner must be"),
        ({"kind": "tie", "winner": 1, "shown": [1, 2]}, "only a choice has one"),
        ({"kind": "best"}, "kind must be one of"),
        ({"seconds": -1}, "seconds must be"),
        ({"seconds": "1"}, "seconds must be"),
        ({"id": ""}, "id must be"),
        ({"id": "x" * 101}, "id must be"),
        ({"id": None}, "id must be"),
    ],
)
def test_what_is_no_answer_is_refused_with_a_sentence_and_not_stored(scorer, images, changes, message):
    before = len(stored(images))
    screen = scorer.state()["screens"][0]
    winner = {} if "shown" not in changes or "winner" in changes else {"winner": 1}
    assert message in scorer.answer(screen, expect=400, **winner, **changes)
    assert len(stored(images)) == before


def test_an_answer_for_another_gallery_is_refused(scorer):
    scorer.answer(scorer.state()["screens"][0], expect=409, gallery="another")


def test_a_server_on_all_addresses_is_reached_by_that_of_the_network(monkeypatch):
    assert network_address("192.168.1.7") == "192.168.1.7"
    assert network_address("::1") == "[::1]"
    monkeypatch.setattr(reach, "NOWHERE", ("127.0.0.1", 9))
    assert network_address("0.0.0.0") == "127.0.0.1"
    monkeypatch.setattr(reach, "NOWHERE", ("nowhere.invalid", 9))
    assert network_address("0.0.0.0") == socket.gethostname()


def test_a_qr_code_is_printed_where_the_terminal_can():
    lines = qr_code("http://192.168.1.7:8765/?token=abc", "utf-8").splitlines()
    assert len({*map(len, lines)} - {0}) <= 2
    assert len(lines) > 12
    assert qr_code("http://192.168.1.7:8765/", "cp1252") == ""


def test_with_another_host_the_token_of_the_printed_address_is_required(gallery):
    with Scorer(gallery, "--host=0.0.0.0") as scorer:
        token = scorer.token[1]
        assert len(token) >= 22
        assert scorer.request("GET", "/")[0] == 403
        for path in (
            "/api/state",
            f"/api/state?token={token}",
            "/image/1/full",
            "/page.js",
            f"/?token={token}x",
            "/?token=",
        ):
            assert scorer.request("GET", path)[0] == 403
        status, headers, _ = scorer.request("GET", f"/?token={token}")
        cookie = headers["Set-Cookie"]
        assert status == 200
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        name = cookie.split("=")[0]
        for path in ("/", "/page.js", "/api/state?tab=a", "/image/1/full"):
            assert scorer.request("GET", path, headers={"Cookie": f"a=b; {name}={token}"})[0] == 200
            assert scorer.request("GET", path, headers={"Cookie": f"{name}={token[:-1]}"})[0] == 403
            assert scorer.request("GET", path, headers={"Cookie": f"{name}=\u00e9;;=; \x7f"})[0] == 403
        known = {"Cookie": f"{name}={token}"}
        for host in ("192.168.1.7", "[fe80::1]", socket.gethostname(), "localhost"):
            assert scorer.request("GET", "/", headers={**known, "Host": f"{host}:{scorer.port}"})[0] == 200
        assert scorer.request("GET", "/", headers={**known, "Host": f"evil.example:{scorer.port}"})[0] == 400


def test_on_this_computer_only_there_is_no_token_and_nobody_else_can_connect(scorer):
    assert scorer.token is None
    assert scorer.address == f"http://127.0.0.1:{scorer.port}/"
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))  # any address of this computer but 127.0.0.1 has that port free
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.2", scorer.port))
    except OSError as error:
        pytest.skip(f"this system has no 127.0.0.2 ({error})")
    finally:
        listening.close()


def test_a_port_that_is_taken_is_told(scorer, gallery):
    command = [
        sys.executable,
        str(ROOT / "aesthetic_ab_scorer.py"),
        f"--directory={gallery}",
        f"--port={scorer.port}",
    ]
    result = run([*command, "--no_browser"])
    assert result.returncode == 2
    assert f"--port={scorer.port}: can't listen there" in result.stderr
    assert len(result.stderr.splitlines()) == 1


# --- choices are kept ---


def test_an_acknowledged_choice_survives_kill_9_and_is_never_stored_twice(gallery):
    with Scorer(gallery) as scorer:
        for number in range(12):
            screen = scorer.state()["screens"][0]
            scorer.answer(screen, number % 2, name=f"choice {number}")
            if number % 3 == 0:  # the answer was lost on the way: the page sends it again
                scorer.answer(screen, number % 2, name=f"choice {number}")
        last = screen
        scorer.kill()
    log = stored(gallery)
    assert len(log) == 12
    with Scorer(gallery) as scorer:  # the page knows nothing of the crash and sends what it wasn't told is stored
        state = scorer.answer(last, 1, name="choice 11")
        assert len(stored(gallery)) == 12
        assert state["done"] == 0
        late = {"id": "a screen of the server that is gone", "images": [1, 2]}
        state = scorer.answer(late, 0)
        assert state["done"] == 1
        state = scorer.post("undo", step=state["last"])
        for _ in range(12):  # undo goes back over the crash
            state = scorer.post("undo", step=state["last"])
        assert state["last"] is None
        assert len(stored(gallery)) == 0
    with sqlite3.connect(gallery / "comparisons.sqlite") as raw:
        assert raw.execute("SELECT count(*) FROM comparisons").fetchone() == (13,)
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_two_scorers_on_one_file_lose_nothing(gallery):
    with Scorer(gallery, "--number=6") as one, Scorer(gallery, "--number=6", "--rater=anna") as two:
        for _ in range(6):
            one.answer(one.state()["screens"][0])
            two.answer(two.state()["screens"][0])
        assert one.state()["phase"] == two.state()["phase"] == "report"
    assert len(stored(gallery)) == 12
    assert len(stored(gallery, "anna")) == 6
    assert len(stored(gallery, "me")) == 6


def test_a_reload_shows_the_same_screen_and_the_same_ones_behind_it(gallery):
    with Scorer(gallery) as scorer:
        before = scorer.answer(scorer.state()["screens"][0])
        again = scorer.state("reloaded")
        assert again["screens"] == before["screens"]
        assert len(again["screens"]) == 4
        assert again["done"] == 1


def test_a_second_tab_takes_over_and_the_first_is_told(gallery):
    with Scorer(gallery) as scorer:
        assert scorer.state("one")["active"]
        first = scorer.state("two")["screens"][0]
        state = scorer.answer(first, tab="one")
        assert not state["active"]
        assert state["done"] == 1  # what it has chosen isn't lost
        state = scorer.answer(first, 1, tab="two")
        assert state["active"]
        assert state["done"] == 1  # but no screen is answered twice


def test_after_a_restart_the_tab_that_speaks_first_goes_on_and_another_is_told(gallery):
    with Scorer(gallery) as scorer:
        screen = scorer.state("one")["screens"][0]
        name = scorer.gallery
    with Scorer(gallery) as scorer:
        scorer.gallery = name  # the page was open all the time and asks for nothing
        assert scorer.answer(screen, tab="one")["active"]
        assert not scorer.answer({"id": "another", "images": [1, 2]}, tab="two")["active"]
        assert scorer.answer({"id": "a third", "images": [1, 2]}, tab="one")["active"]


# --- broken, changed, moved ---


def test_a_broken_image_is_marked_and_replaced_by_another_screen(gallery):
    (gallery / "broken.png").write_bytes((gallery / "000.png").read_bytes()[:500])
    with Scorer(gallery, "--pairing=random") as scorer:
        with sqlite3.connect(gallery / "comparisons.sqlite") as raw:
            broken = raw.execute("SELECT image_id FROM image_paths WHERE relative_path = 'broken.png'").fetchone()[0]
        while broken not in scorer.state()["screens"][0]["images"]:
            scorer.answer(scorer.state()["screens"][0])
        before = scorer.state()
        status, _, data = scorer.request("GET", f"/image/{broken}?width=64&height=64")
        assert status == 422
        assert b"can't be shown" in data
        after = scorer.state()
        assert after["done"] == before["done"]
        assert len(after["screens"]) == 4
        assert all(broken not in screen["images"] for screen in after["screens"])
        assert "broken.png can't be shown" in after["notes"][0]
    with Comparisons(gallery / "comparisons.sqlite") as comparisons:
        assert comparisons.excluded()[broken].startswith("broken: ")


def test_an_image_that_changes_meanwhile_is_left_out_but_not_for_good(gallery):
    with Scorer(gallery) as scorer:
        image = scorer.state()["screens"][0]["images"][0]
        with sqlite3.connect(gallery / "comparisons.sqlite") as raw:
            name = raw.execute("SELECT relative_path FROM image_paths WHERE image_id = ?", [image]).fetchone()[0]
        (gallery / name).unlink()
        assert scorer.request("GET", f"/image/{image}/full")[0] == 422
        assert image not in [i for screen in scorer.state()["screens"] for i in screen["images"]]
    with Comparisons(gallery / "comparisons.sqlite") as comparisons:
        assert comparisons.excluded() == {}


def test_when_too_few_images_are_left_the_batch_ends_with_its_report(gallery):
    for path in sorted(gallery.glob("*.png"))[3:]:
        path.unlink()
    with Scorer(gallery) as scorer:
        state = scorer.answer(scorer.state()["screens"][0])
        while state["phase"] == "choosing":
            state = scorer.post("exclude", image=state["screens"][0]["images"][0])
        assert state["phase"] == "report"
        assert not state["can_go_on"]
        assert scorer.post("next")["phase"] == "report"
        assert scorer.post("undo", step=state["last"])["phase"] == "choosing"


def test_renamed_and_copied_images_are_known_by_their_content(gallery):
    with Scorer(gallery) as scorer:
        scorer.answer(scorer.state()["screens"][0])
    (gallery / "000.png").rename(gallery / "renamed.png")
    shutil.copy(gallery / "001.png", gallery / "copy.png")
    (gallery / "text.jpg").write_text("no image at all", encoding="utf-8")
    with Scorer(gallery) as scorer:
        assert "1 file has the content of another, and no rating of its own" in scorer.output
        assert "1 image was moved or renamed, history kept: renamed.png" in scorer.output
        assert "13 images may be shown; 1 comparison so far" in scorer.output


# --- what is written ---


def test_a_batch_writes_scores_and_statistics_and_finishing_stops_the_scorer(gallery):
    scores = gallery / "scores.csv"
    scores.write_text("relative_path,score,note\n000.png,7,kept\nelsewhere.png,3,kept too\n", encoding="utf-8")
    with Scorer(gallery, "--number=5") as scorer:
        for _ in range(5):
            state = scorer.answer(scorer.state()["screens"][0])
        report = state["report"]
        assert state["phase"] == "report"
        assert (report["choices"], report["ties"], report["skips"]) == (5, 0, 0)
        assert sum(report["images"]) == 12
        assert "make" in report["advice"]
        assert len(report["best"]) == len(report["worst"]) == 5
        assert rows(scores)[0]["note"] == "kept"
        assert scorer.post("next")["batch"] == 2
        scorer.answer(scorer.state()["screens"][0], kind="tie")
        scorer.answer(scorer.state()["screens"][0], kind="skip")
        assert scorer.post("finish")["phase"] == "report"
        assert scorer.post("finish")["phase"] == "finished"
        assert scorer.wait() == 0
        assert "5 choices, 0 ties, 0 skips" in scorer.output
        assert "0 choices, 1 tie, 1 skip" in scorer.output
        assert re.search(r"^best: \d{3}\.png, ", scorer.output, re.MULTILINE)
    written = rows(scores)
    assert list(written[0]) == ["relative_path", "score", "note", "comparisons", "score_error"]
    assert written[1] == {
        "relative_path": "elsewhere.png",
        "score": "3",
        "note": "kept too",
        "comparisons": "",
        "score_error": "",
    }
    rated = [float(row["score"]) for row in written if row["score_error"]]
    assert abs(sum(rated)) < 1e-4
    assert abs(sum(score**2 for score in rated) / len(rated) - 1) < 1e-4
    assert sum(int(row["comparisons"] or 0) for row in written) == 12
    assert (gallery / "scores.before_choosing.csv").read_text(encoding="utf-8").count("7,kept") == 1
    statistics = rows(gallery / "ab_stats.csv")
    assert [row["choices"] for row in statistics] == ["5", "0"]
    assert [row["batch"] for row in statistics] == ["1", "2"]


@pytest.mark.parametrize("rating", ["elo", "bradley_terry"])
def test_scores_may_be_written_as_json_in_elo_units(gallery, rating):
    with Scorer(gallery, "--number=4", "--scores=out.json", f"--rating={rating}", "--rescale=none") as scorer:
        for _ in range(4):
            scorer.answer(scorer.state()["screens"][0])
    records = json.loads((gallery / "out.json").read_text(encoding="utf-8"))["ImageRecords"]
    rated = [record for record in records.values() if record["comparisons"]]
    assert len(rated) == 8  # the least compared first: every image once
    assert all("score" in record for record in rated)
    if rating == "elo":  # K (1 − P) at equal ratings: 0.8 × 0.5
        assert sorted(record["score"] for record in rated) == pytest.approx([-0.4] * 4 + [0.4] * 4)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize(
    ("number", "code", "times"), [(signal.SIGINT, 130, 1), (signal.SIGINT, 130, 2), (signal.SIGTERM, 143, 1)]
)
def test_ctrl_c_and_sigterm_write_the_scores_too(gallery, number, code, times):
    with Scorer(gallery) as scorer:
        for _ in range(3):
            scorer.answer(scorer.state()["screens"][0])
        for _ in range(times):
            scorer.process.send_signal(number)
            time.sleep(0.02)
        assert scorer.wait() == code
        assert "Traceback" not in scorer.output
        assert "3 choices, 0 ties, 0 skips" in scorer.output
    assert sum(bool(row["score"]) for row in rows(gallery / "scores.csv")) == 6


def test_ctrl_c_in_the_last_fit_says_what_is_kept_and_how_the_scores_come_to_be(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(aesthetic_ab_scorer, "end_on_signals", lambda: None)
    session, assistant, model, file = Mock(), Mock(), Mock(), Mock(write=interrupted, path="scores.csv")
    session.comparisons.kept_in, session.live.steps = "comparisons.sqlite", Steps()
    with (
        pytest.raises(KeyboardInterrupt),
        aesthetic_ab_scorer.ending(assistant, session, file, model, "train"),
    ):
        pass
    said = capsys.readouterr().out
    assert "The choices are in comparisons.sqlite; scores.csv may lack some of them yet" in said
    assert "Next, to train" not in said


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
def test_a_terminal_that_is_closed_ends_the_scorer_with_its_scores_written(gallery):
    with Scorer(gallery) as scorer:
        for _ in range(3):
            scorer.answer(scorer.state()["screens"][0])
        os.killpg(scorer.process.pid, signal.SIGHUP)
        assert scorer.process.wait(20) == 128 + signal.SIGHUP
    assert sum(bool(row["score"]) for row in rows(gallery / "scores.csv")) == 6


@pytest.mark.skipif(sys.platform != "linux", reason="a folder whose name is no text")
def test_a_folder_whose_name_is_no_text_can_be_chosen_in(gallery):
    odd = gallery.rename(os.fsdecode(os.fsencode(gallery.with_name("odd")) + b"\xff"))
    with Scorer(odd) as scorer:
        scorer.answer(scorer.state()["screens"][0])
    assert len(stored(odd)) == 1


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_folder_of_links_can_be_chosen_in_where_they_are_trusted(gallery):
    links = gallery.with_name("links")
    links.mkdir()
    for path in gallery.glob("*.png"):
        (links / path.name).symlink_to(path)
    with pytest.raises(AssertionError, match=r"links that lead out of the folder: .*; --follow_links shows"):
        Scorer(links)
    with Scorer(links, "--follow_links") as scorer:
        screen = scorer.state()["screens"][0]
        assert scorer.request("GET", f"/image/{screen['images'][0]}/full")[0] == 200
        scorer.answer(screen)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--regex=("], "--regex=(: must be a regular expression, where"),
        (["--regex=nothing"], "0 different images may be shown"),
        (["--minimum_score=99", "--rating=bradley_terry"], "0 different images may be shown"),
        (["--weight_min=3", "--weight_by_speed"], "--weight_min=3.0 is above --weight_max=2.0"),
        (["--scores=a.txt"], "--scores=a.txt: must end with .csv or .json"),
        (["--scores=none/a.csv"], "there is no folder"),
        (["--number_to_compare=10"], "must be a whole number from 2 to 9"),
        (["--hidden_repeats=2"], "must be a number from 0 to 0.5"),
        (["--comparisons=000.png"], "is no comparisons database"),
        (["--host=203.0.113.1"], "can't listen there"),
        (["--numbre=3"], "did you mean --number?"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(gallery, monkeypatch, words, message):
    monkeypatch.setattr(sys, "argv", ["scorer", f"--directory={gallery}", "--port=0", "--no_browser", *words])
    with pytest.raises(UserError) as error:
        aesthetic_ab_scorer.main()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_comparisons_may_lie_in_the_home_folder(gallery, tmp_path, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    words = ["--port=0", "--no_browser", "--rating=bradley_terry", "--comparisons=~/mine.sqlite", "--regex=nothing"]
    monkeypatch.setattr(sys, "argv", ["scorer", f"--directory={gallery}", *words])
    with pytest.raises(UserError, match="0 different images may be shown"):
        aesthetic_ab_scorer.main()
    assert (tmp_path / "mine.sqlite").is_file()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scores.csv", "relative_path,score\n000.png,1\n001.png,3\nnone.png,9\n002.png,\n"),
        ("scores.csv", "relative_path,score,score_error\n000.png,1,0.2\n001.png,3,0.1\n"),
        ("scores.json", '{"000.png": [1, 7], "001.png": [3, 2], "#meta#": {}}'),
        ("scores.json", '{"ImageRecords": {"000.png": {"score": 1, "split": "eval"}, "001.png": {"score": 3}}}'),
        ("scores.json", '{"000.png": 1, "001.png": 3}'),
    ],
)
@pytest.mark.parametrize(("rescale", "expected"), [("none", [1.0, 3.0]), ("standard", [-0.5, 0.5])])
def test_scores_of_the_predecessors_become_starting_ratings_once(tmp_path, name, text, rescale, expected):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    ids = {f"{number:03}.png": number + 1 for number in range(4)}
    with Comparisons(tmp_path / "c.sqlite", "me") as comparisons:
        comparisons.register({path: path for path in ids})
        for _ in range(2):
            import_scores(path, "score", rescale, comparisons, ids)
        assert comparisons.log().starting_ratings[:2].tolist() == pytest.approx(expected)
        live = LiveRatings(comparisons, RatingSettings("bradley_terry", rescale=rescale))
        ScoreFile(path, "score", ids, live).write()
        assert path.read_text(encoding="utf-8") == text  # nothing compared, nothing written
        comparisons.add_choice([1, 2], 1)
        live.read()
        ScoreFile(path, "score", ids, live).write()
        (tmp_path / name.replace(".", ".before_choosing.")).read_text(encoding="utf-8").index(text)
        import_scores(path, "score", rescale, comparisons, ids)  # its own file: not imported
        assert comparisons.log().starting_ratings[:2].tolist() == pytest.approx(expected)


def test_scores_of_choices_that_are_gone_are_told_from_others(tmp_path, capsys):
    ids = {"a.png": 1, "b.png": 2}
    (tmp_path / "theirs.csv").write_text("relative_path,score\na.png,1\nb.png,2\n")
    (tmp_path / "ours.csv").write_text("relative_path,score,comparisons,score_error\na.png,1,3,.5\nb.png,2,3,.5\n")
    with Comparisons(tmp_path / "c.sqlite", "me") as comparisons:
        comparisons.register({path: path for path in ids})
        import_scores(tmp_path / "theirs.csv", "score", "standard", comparisons, ids)
        assert "holds none" not in capsys.readouterr().out
        import_scores(tmp_path / "ours.csv", "score", "standard", comparisons, ids)
        said = f"ours.csv comes from choices, and {tmp_path / 'c.sqlite'} holds none: if it was lost"
        assert said in capsys.readouterr().out
        comparisons.add_choice([1, 2], 1)
        (tmp_path / "ours.csv").write_text("relative_path,score,comparisons,score_error\na.png,1,3,.5\nb.png,,0,\n")
        import_scores(tmp_path / "ours.csv", "score", "standard", comparisons, ids)
        assert capsys.readouterr().out == ""  # that b has none yet is no news


def test_estimates_are_marked_as_a_models_until_there_are_enough_choices(tmp_path):
    path, ids = tmp_path / "scores.csv", {f"{number:03}.png": number + 1 for number in range(4)}
    path.write_text("relative_path,score,estimated\n000.png,1,\n001.png,3,1\n002.png,2,1\n", encoding="utf-8")
    with Comparisons(tmp_path / "c.sqlite", "me") as comparisons:
        comparisons.register({path: path for path in ids})
        import_scores(path, "score", "standard", comparisons, ids)
        for _ in range(12):
            comparisons.add_choice([1, 2], 1)
            comparisons.add_choice([2, 4], 2)
        live = LiveRatings(comparisons, RatingSettings("bradley_terry"))
        said = ScoreFile(path, "score", ids, live).write()
        assert said == f"The scores are in {path}; 1 of them more a model's than yours by now."
        marks = [(row["began_at"], row["estimated"], row["score"] != "") for row in rows(path)]
        assert marks == [("", "", True), ("a model", "", True), ("a model", "1", True), ("", "", True)]
        share = [float(row["choice_share"] or -1) for row in rows(path)]
        assert share[0] == share[3] == -1
        assert share[1] > 0.5
        assert share[2] == 0
    shutil.copy(path, tmp_path / "other.csv")
    with Comparisons(tmp_path / "other.sqlite", "me") as others:  # the choices are gone: nothing is laundered
        others.register({path: path for path in ids})
        import_scores(tmp_path / "other.csv", "score", "standard", others, ids)
        assert others.log().began_at.tolist() == ["", "a model", "a model", ""]


def test_ones_own_scores_are_no_starting_ratings_for_another_rater(tmp_path, capsys):
    path, ids = tmp_path / "scores.csv", {f"{number:03}.png": number + 1 for number in range(3)}
    for rater in ("alice", "bob"):
        with Comparisons(tmp_path / "c.sqlite", rater) as comparisons:
            comparisons.register({path: path for path in ids})
            import_scores(path, "score", "standard", comparisons, ids)
            assert np.isnan(comparisons.log().starting_ratings).all()
            comparisons.add_choice([1, 2], 1)
            live = LiveRatings(comparisons, RatingSettings("bradley_terry"))
            ScoreFile(path, "score", ids, live).write()
            import_scores(path, "score", "standard", comparisons, ids)
    said = f"note: {path} holds another rater's scores, and bob's from the first choice on; with --scores each has"
    assert capsys.readouterr().err == f"{said} a file of their own\n"


def test_the_set_can_be_restricted_by_name_and_by_score(gallery):
    text = "\n".join(f"{number:03}.png,{number}" for number in range(12))
    (gallery / "scores.csv").write_text(f"relative_path,score\n{text}\n", encoding="utf-8")
    with Scorer(gallery, "--regex=^00", "--minimum_score=0", "--rescale=none") as scorer:
        assert "10 images may be shown" in scorer.output
    with Scorer(gallery, "--regex=^00", "--minimum_score=7", "--rescale=none") as scorer:
        assert "3 images may be shown" in scorer.output
