"""The sample gallery: what it draws, the imaginary person's taste, and whose files it leaves alone."""

import json
import re
import sys
from collections import Counter

import numpy as np
import pytest
import scipy.optimize
from PIL import Image

from examples.abstracts import KINDS
from examples.landscapes import PLACES
from examples.sample_gallery import SIZES, TASTE, bradley_terry, choose, draw_picture, main, subject, taste
from examples.scene import LIGHTS
from src.common.correlation import spearman
from src.common.errors import run
from src.scores.scorefile import find_scorefile, read_scorefile
from src.scores.spelling import match_images
from tests import ROOT
from tests.forks import run as run_python


def make(folder, *options):
    command = [sys.executable, str(ROOT / "examples" / "sample_gallery.py"), str(folder), *options]
    return run_python(command, cwd=ROOT)


def contents(folder):
    """{relative path: (bytes, time of the last change)} of all files."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "gallery"
    result = make(folder, "--images=12", "--seed=3")
    assert result.returncode == 0, result.stderr
    return folder


# --- pictures ---


def test_it_writes_pictures_and_a_score_file_that_fits_them(gallery):
    images = [path.relative_to(gallery).as_posix() for path in sorted(gallery.rglob("*.*g"))]
    table, problems = match_images(read_scorefile(find_scorefile(gallery, None)), images)
    assert problems == table.problems == []
    assert table.paths == images
    assert len(images) == 12
    assert table.scores.mean() == pytest.approx(0, abs=1e-3)
    assert table.scores.std() == pytest.approx(1, abs=1e-3)
    assert table.document.columns == ["relative_path", "score", "comparisons"]


def test_pictures_are_rgb_in_both_formats_in_sub_folders(gallery):
    formats, folders = set(), set()
    for path in gallery.rglob("*.*g"):
        with Image.open(path) as picture:
            assert picture.mode == "RGB"
            assert picture.size in SIZES
            assert picture.format == {".jpg": "JPEG", ".png": "PNG"}[path.suffix]
            assert np.asarray(picture).std() > 3
            formats.add(picture.format)
        folders.add(path.parent.name)
    assert formats == {"JPEG", "PNG"}
    assert folders == {"landscapes", "abstracts"}


def test_every_time_place_and_kind_has_its_turn():
    subjects = Counter(subject(index, seed=1) for index in range(300))
    assert set(subjects) == {f"{time} {place}" for time in LIGHTS for place in PLACES} | set(KINDS)
    assert sum(" " in word for word in subjects.elements()) == 180


@pytest.mark.parametrize("index", [0, 4])
def test_a_picture_depends_on_its_number_and_the_seed_alone(index):
    name, picture, sun = draw_picture(index, seed=1)
    again, same, _ = draw_picture(index, seed=1)
    assert (name, picture.tobytes()) == (again, same.tobytes())
    assert draw_picture(index, seed=2)[1].tobytes() != picture.tobytes()
    assert draw_picture(index + 5, seed=1)[1].tobytes() != picture.tobytes()
    assert sun >= 0


# --- the imaginary person ---


def flat(*colour):
    return Image.new("RGB", (320, 320), colour)


def stripes(width, dark, light):
    rows = np.where(np.arange(320) // width % 2, light, dark).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(rows[:, None, None], (320, 320, 3)).copy())


def test_the_person_likes_warm_more_than_cold_colours():
    assert taste(flat(200, 120, 60), 0) > taste(flat(120, 120, 120), 0) == taste(flat(60, 120, 200), 0)


def test_the_person_likes_calm_more_than_busy_pictures():
    assert taste(stripes(160, 100, 120), 0) > taste(stripes(20, 100, 120), 0)


def test_the_person_dislikes_hard_edges_more_than_as_many_soft_ones():
    loud, soft = stripes(20, 0, 255), stripes(20, 120, 130)
    assert taste(loud, 0) < taste(soft, 0) - 1


def test_the_person_likes_to_see_the_sun():
    assert taste(flat(120, 120, 120), 0) < taste(flat(120, 120, 120), 200) < taste(flat(120, 120, 120), 400)


def test_the_documented_taste_is_the_real_one():
    text = (ROOT / "docs" / "sample-gallery.md").read_text(encoding="utf-8").replace("− ", "-")
    terms = re.findall(r"(-?[\d.]+) × (\w+)", re.search(r"taste = (.*)", text)[1])
    assert {quality: float(weight) for weight, quality in terms} == TASTE


def test_each_picture_meets_12_to_20_others_never_itself():
    winners, losers = choose(np.zeros(300), seed=1)
    assert (winners != losers).all()
    counts = np.bincount(np.append(winners, losers), minlength=300)
    assert 12 <= counts.min() <= counts.max() <= 20
    assert counts.mean() == pytest.approx(18, abs=0.1)


def test_a_picture_that_is_one_elo_unit_better_wins_ten_of_eleven_times():
    tastes = np.repeat([1.0, 0.0], 400)
    winners, losers = choose(tastes, seed=5, rounds=60)
    mixed = tastes[winners] != tastes[losers]
    assert (tastes[winners] > tastes[losers])[mixed].mean() == pytest.approx(10 / 11, abs=0.01)


def test_ratings_maximise_the_likelihood_of_the_choices():
    winners, losers = choose(np.linspace(-1, 1, 10), seed=2)

    def loss(ratings):
        gaps = ratings[winners] - ratings[losers]
        half_games = np.logaddexp(0, ratings) + np.logaddexp(0, -ratings)  # half a win, half a loss against 0
        return np.logaddexp(0, -gaps).sum() + 0.5 * half_games.sum()

    best = scipy.optimize.minimize(loss, np.zeros(10), tol=1e-10).x
    assert bradley_terry(winners, losers, 10) == pytest.approx((best - best.mean()) / best.std(), abs=1e-3)


def test_scores_follow_the_taste():
    tastes = np.random.default_rng(0).normal(0, 1.2, 300)
    winners, losers = choose(tastes, seed=1)
    assert 0.92 < spearman(tastes, bradley_terry(winners, losers, 300)) < 0.98


# --- other people's files ---


def test_a_second_run_changes_nothing_and_leaves_other_files_alone(gallery):
    (gallery / "landscapes" / "mine.txt").write_text("mine", encoding="utf-8")
    before = contents(gallery)
    assert make(gallery, "--images=12", "--seed=3").returncode == 0
    after = contents(gallery)
    rewritten = {name for name in before if before[name] != after[name]}
    assert {name: data for name, (data, _) in after.items()} == {name: data for name, (data, _) in before.items()}
    assert rewritten <= {"scores.csv", ".sample_gallery.json"}  # with the same bytes


def test_a_broken_off_gallery_is_completed(gallery, tmp_path):
    (tmp_path / ".sample_gallery.json").write_text(json.dumps({"images": 12, "seed": 3}), encoding="utf-8")
    (tmp_path / "landscapes").mkdir()
    cut_off = next((gallery / "landscapes").glob("*.*g"))
    (tmp_path / "landscapes" / cut_off.name).write_bytes(cut_off.read_bytes()[:1000])
    assert make(tmp_path, "--images=12", "--seed=3").returncode == 0
    ours, theirs = contents(tmp_path), contents(gallery)
    assert {name: ours[name][0] for name in ours} == {name: theirs[name][0] for name in ours}


@pytest.fixture
def refused(monkeypatch, capsys):
    """Run the script in this process; its error message, after an exit with 2."""

    def call(folder, *options):
        monkeypatch.setattr(sys, "argv", ["sample_gallery.py", str(folder), *options])
        with pytest.raises(SystemExit) as stop:
            run(main)
        assert stop.value.code == 2
        return capsys.readouterr().err

    return call


def test_a_score_file_that_it_did_not_write_is_not_overwritten(tmp_path, refused):
    (tmp_path / "scores.csv").write_text("relative_path,score\nmine.png,1\n", encoding="utf-8")
    assert "scores.csv: not as this script wrote it, so it is not overwritten" in refused(tmp_path, "--images=10")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_scores_that_a_person_changed_are_not_overwritten(gallery, refused):
    scores = gallery / "scores.csv"
    before = scores.read_bytes()
    try:
        scores.write_bytes(before + b"landscapes/mine.jpg,9,1\n")
        assert "not as this script wrote it" in refused(gallery, "--images=12", "--seed=3")
        assert scores.read_bytes() == before + b"landscapes/mine.jpg,9,1\n"
    finally:
        scores.write_bytes(before)


def test_another_gallery_in_the_same_folder_is_refused(gallery, refused):
    message = refused(gallery, "--images=12", "--seed=4")
    assert "holds the gallery of --images=12 --seed=3; name another folder, or delete this one" in message


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--images=9", "error: --images=9: must be from 10 to 10000"),
        ("--images=20000", "error: --images=20000: must be from 10"),
        ("--seed=-1", "error: --seed=-1: must be 0 or more"),
        ("--images=many", "invalid int value: 'many'"),
        ("--sead=1", "unrecognized arguments: --sead=1"),
    ],
)
def test_bad_options_are_refused(tmp_path, refused, option, message):
    assert message in refused(tmp_path / "gallery", option)
    assert not (tmp_path / "gallery").exists()


def test_a_file_where_the_folder_should_be_is_refused(tmp_path, refused):
    (tmp_path / "gallery").write_text("", encoding="utf-8")
    assert "can't be made" in refused(tmp_path / "gallery", "--images=10")
