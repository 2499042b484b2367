"""Images to features: cache first, the extractor for the rest, and nothing lost."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.common.errors import UserError
from src.features.extraction import extract_features
from src.features.feature_cache import FeatureCache
from src.features.images import find_images
from tests import ROOT
from tests.forks import start
from tests.toys import ToyExtractor, colour, make_gallery, make_image, make_old
from tests.waiting import wait_for


def extract(directory: Path, paths: list[str], extractor: ToyExtractor, states=(0, 1), **options):
    return extract_features(directory, paths, extractor, states, FeatureCache(directory / "cache"), **options)


def expected(i: int) -> np.ndarray:
    """Hidden state 0 of the toy extractor for the i-th image of a gallery."""
    return np.array(colour(i), np.float32) / 255


# ---- what comes out ----


def test_features_stand_in_the_order_of_the_paths_asked_for(tmp_path):
    make_gallery(tmp_path, 20)
    order = ["more/0007.png", "0002.png", "more/0001.png", "0002.png"]
    features = extract(tmp_path, order, ToyExtractor())
    assert features.paths == order
    assert features.unreadable == {}
    assert features.states[0].dtype == np.float32
    np.testing.assert_allclose(features.states[0], [expected(i) for i in (7, 2, 1, 2)], atol=5e-4)  # float16 steps
    np.testing.assert_allclose(features.states[1], features.states[0] ** 2, atol=1e-3)


def test_the_next_run_gets_the_same_bits_and_calls_no_extractor(tmp_path):
    paths = make_gallery(tmp_path, 50)
    first = extract(tmp_path, paths, ToyExtractor())
    extractor = ToyExtractor()
    second = extract(tmp_path, paths, extractor)
    assert not extractor.loaded
    for k in (0, 1):
        np.testing.assert_array_equal(first.states[k], second.states[k])


def test_an_unchanged_folder_is_loaded_without_opening_a_file(tmp_path, monkeypatch):
    paths = make_gallery(tmp_path, 5)
    make_old(tmp_path)
    extract(tmp_path, paths, ToyExtractor())
    for function in ("open_image", "content_of"):
        monkeypatch.setattr(f"src.features.extraction.{function}", lambda path: pytest.fail(f"{path} was opened"))
    assert extract(tmp_path, paths, ToyExtractor()).paths == paths


def test_only_what_is_missing_goes_through_the_extractor(tmp_path):
    paths = make_gallery(tmp_path, 10)
    extract(tmp_path, paths[:6], ToyExtractor(), [0])
    extractor = ToyExtractor()
    extract(tmp_path, paths, extractor, [0])
    assert sum(extractor.batches) == 4
    extract(tmp_path, paths, extractor, [1, 0])  # state 1 of all ten, and state 0 of none
    assert sum(extractor.batches) == 14


def test_a_hidden_state_that_is_there_keeps_its_bits_when_another_is_added(tmp_path):
    class Drifting(ToyExtractor):
        """Never gives the same numbers twice."""

        def __call__(self, prepared, hidden_states):
            return {k: block + len(self.batches) for k, block in super().__call__(prepared, hidden_states).items()}

    make_gallery(tmp_path, 3)
    paths, extractor = find_images(tmp_path), Drifting()
    first = extract(tmp_path, paths[:2], extractor, [0])
    both = extract(tmp_path, paths, extractor, [0, 1])
    np.testing.assert_array_equal(both.states[0][:2], first.states[0])


def test_an_edited_image_is_extracted_again_a_renamed_or_copied_one_is_not(tmp_path):
    paths = make_gallery(tmp_path, 4)
    make_old(tmp_path)
    extract(tmp_path, paths, ToyExtractor())
    make_image(tmp_path / paths[0], (250, 250, 250))
    (tmp_path / paths[1]).rename(tmp_path / "renamed.png")
    shutil.copy(tmp_path / paths[2], tmp_path / "copy, of it.png")
    extractor = ToyExtractor()
    features = extract(tmp_path, [paths[0], "renamed.png", "copy, of it.png", *paths[2:]], extractor)
    assert extractor.batches == [1]
    np.testing.assert_allclose(features.states[0][0], [250 / 255] * 3, atol=5e-4)
    np.testing.assert_array_equal(features.states[0][2], features.states[0][3])


def test_equal_content_goes_through_the_extractor_once(tmp_path):
    for i in range(40):
        make_image(tmp_path / f"{i}.png", colour(i % 3))
    extractor = ToyExtractor()
    features = extract(tmp_path, find_images(tmp_path), extractor, batch_size=2)
    assert sum(extractor.batches) == 3
    assert len(features.states[0]) == 40


def test_another_extractor_does_not_get_these_features(tmp_path):
    paths = make_gallery(tmp_path, 3)
    extract(tmp_path, paths, ToyExtractor())
    extractor = ToyExtractor("other")
    extract(tmp_path, paths, extractor)
    assert sum(extractor.batches) == 3


def test_images_go_through_in_batches(tmp_path):
    paths = make_gallery(tmp_path, 10)
    extractor = ToyExtractor()
    extract(tmp_path, paths, extractor, batch_size=4)
    assert extractor.batches == [4, 4, 2]


def test_no_images_give_no_features(tmp_path):
    features = extract(tmp_path, [], ToyExtractor())
    assert (features.paths, features.unreadable) == ([], {})
    assert features.states[0].shape == (0, 0)


def test_the_bar_is_shown_for_missing_images_only(tmp_path, capsys):
    paths = make_gallery(tmp_path, 6)
    extract(tmp_path, paths, ToyExtractor(), progress=False)
    assert capsys.readouterr().err == ""
    make_image(tmp_path / "new.png", (9, 9, 9))
    make_old(tmp_path)
    extract(tmp_path, [*paths, "new.png"], ToyExtractor())
    assert "7/7" in capsys.readouterr().err  # too young to be relied on in the first run, so all were looked at
    extract(tmp_path, [*paths, "new.png"], ToyExtractor())
    assert capsys.readouterr().err == ""


# ---- bad input ----


def test_unreadable_images_are_listed_and_stop_nothing(tmp_path):
    paths = make_gallery(tmp_path, 4)
    (tmp_path / "text.png").write_text("no image")
    shutil.copy(tmp_path / "text.png", tmp_path / "same text.png")
    whole = make_image(tmp_path / "cut.bmp", size=(50, 50)).read_bytes()
    (tmp_path / "cut.bmp").write_bytes(whole[:1000])
    for _ in range(2):
        features = extract(tmp_path, ["cut.bmp", "gone.png", *paths, "same text.png", "text.png"], ToyExtractor())
        assert features.paths == paths
        assert features.states[0].shape == (4, 3)
        assert features.unreadable == {
            "cut.bmp": "truncated",
            "gone.png": "no such file",
            "same text.png": "not an image, or a damaged one (it begins with b'no image')",
            "text.png": "not an image, or a damaged one (it begins with b'no image')",
        }


def test_an_image_that_the_extractor_cannot_take_is_listed(tmp_path):
    class Choosy(ToyExtractor):
        def prepare(self, image: Image.Image) -> np.ndarray:
            if image.width > 100:
                raise ValueError("too wide")
            return super().prepare(image)

    make_image(tmp_path / "wide.png", size=(200, 1))
    make_image(tmp_path / "x.png")
    features = extract(tmp_path, ["wide.png", "x.png"], Choosy("choosy"))
    assert features.paths == ["x.png"]
    assert features.unreadable == {"wide.png": "choosy can't take it: too wide"}


def test_features_that_are_no_numbers_are_listed_and_not_kept(tmp_path):
    class Overflowing(ToyExtractor):
        def __call__(self, prepared, hidden_states):
            features = super().__call__(prepared, hidden_states)
            for block in features.values():
                block[block[:, 0] > 0.9] = np.inf
            return features

    make_image(tmp_path / "bright.png", (255, 0, 0))
    make_image(tmp_path / "dark.png", (1, 0, 0))
    features = extract(tmp_path, ["bright.png", "dark.png"], Overflowing())
    assert features.paths == ["dark.png"]
    assert "no finite features; leave out --fp16_features" in features.unreadable["bright.png"]


def test_a_hidden_state_that_does_not_exist_is_refused_with_the_valid_range(tmp_path):
    with pytest.raises(UserError, match=r"hidden state 2 does not exist; toy has hidden states 0 .* to 1"):
        extract(tmp_path, [], ToyExtractor(), [0, 2])
    with pytest.raises(UserError, match="one is named twice"):
        extract(tmp_path, [], ToyExtractor(), [0, 0])
    with pytest.raises(UserError, match="no hidden state is asked for"):
        extract(tmp_path, [], ToyExtractor(), [])
    with pytest.raises(UserError, match="batches of 0 images: give 1 or more"):
        extract(tmp_path, [], ToyExtractor(), batch_size=0)


def test_damaged_shards_are_extracted_again_within_the_run(tmp_path, capsys):
    paths = make_gallery(tmp_path, 5)
    before = extract(tmp_path, paths, ToyExtractor())
    for shard in (tmp_path / "cache/shards").iterdir():
        shard.write_bytes(b"nonsense")
    extractor = ToyExtractor()
    after = extract(tmp_path, paths, extractor)
    assert sum(extractor.batches) == 5
    np.testing.assert_array_equal(before.states[1], after.states[1])
    assert "its features are extracted again" in capsys.readouterr().err


# ---- memory ----


class Small(ToyExtractor):
    """Has memory for so many images at once."""

    room = 3

    def __call__(self, prepared, hidden_states):
        if len(prepared) > self.room:
            raise type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate")
        return super().__call__(prepared, hidden_states)


def test_a_batch_too_large_for_memory_is_halved_once_and_for_all(tmp_path, capsys):
    paths = make_gallery(tmp_path, 20)
    extractor = Small()
    features = extract(tmp_path, paths, extractor, batch_size=8)
    assert len(features.paths) == 20
    assert max(extractor.batches) == 2
    notes = [line for line in capsys.readouterr().err.splitlines() if "no memory for" in line]
    assert [note[note.index("no memory") :] for note in notes] == [
        "no memory for 8 images at once; going on with 4",
        "no memory for 4 images at once; going on with 2",
    ]


def test_no_memory_for_one_image_is_a_plain_sentence(tmp_path):
    extractor = Small()
    extractor.room = 0
    with pytest.raises(UserError, match="toy: no memory for a single image; free some, or use --device=cpu"):
        extract(tmp_path, make_gallery(tmp_path, 3), extractor)


def test_other_errors_of_the_network_are_not_taken_for_lack_of_memory(tmp_path):
    class Broken(ToyExtractor):
        def __call__(self, prepared, hidden_states):
            raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        extract(tmp_path, make_gallery(tmp_path, 3), Broken())


# ---- interruptions ----


def test_ctrl_c_keeps_what_is_done(tmp_path):
    class Interrupted(ToyExtractor):
        def __call__(self, prepared, hidden_states):
            if len(self.batches) == 3:
                raise KeyboardInterrupt
            return super().__call__(prepared, hidden_states)

    paths = make_gallery(tmp_path, 20)
    with pytest.raises(KeyboardInterrupt):
        extract(tmp_path, paths, Interrupted(), batch_size=2)
    extractor = ToyExtractor()
    extract(tmp_path, paths, extractor, batch_size=2)
    assert sum(extractor.batches) == 20 - 6


SLOW_RUN = """
import sys
from pathlib import Path
import src.features.feature_cache as feature_cache
from src.features.feature_cache import cache
from src.features.extraction import extract_features
from src.features.images import find_images
from tests.toys import ToyExtractor
cache.ROWS_IN_MEMORY = 8
directory = Path(sys.argv[1])
extractor = ToyExtractor(seconds=0.02)
store = feature_cache.FeatureCache(directory / "cache")
extract_features(directory, find_images(directory), extractor, (0, 1), store, batch_size=4)
"""


@pytest.mark.script
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_after_kill_9_only_the_rest_is_extracted_and_the_result_is_the_same(tmp_path):
    paths = make_gallery(tmp_path / "killed", 400)
    shutil.copytree(tmp_path / "killed", tmp_path / "whole")
    whole = extract(tmp_path / "whole", paths, ToyExtractor())

    run = start([sys.executable, "-c", SLOW_RUN, tmp_path / "killed"], cwd=ROOT, stderr=subprocess.DEVNULL)
    shards = tmp_path / "killed" / "cache" / "shards"
    wait_for(lambda: run.poll() is not None or len(list(shards.glob("*.safetensors"))) >= 9, every=0.005)
    assert run.poll() is None, "it ended before it could be killed"
    run.send_signal(signal.SIGKILL)
    run.wait()

    extractor = ToyExtractor()
    resumed = extract(tmp_path / "killed", paths, extractor)
    assert 0 < sum(extractor.batches) <= 400 - 32  # nine shards of two states: four whole groups of eight images
    assert resumed.paths == whole.paths
    for k in (0, 1):
        np.testing.assert_array_equal(resumed.states[k], whole.states[k])
