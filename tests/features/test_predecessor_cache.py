"""Features that the predecessor kept are taken over where they can be believed."""

import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from src.features.extraction import extract_features
from src.features.feature_cache import FeatureCache
from src.features.predecessor_cache import cache_file
from tests.toys import ToyExtractor, make_gallery, make_image, make_old

COUNT = 12


@pytest.fixture
def gallery(tmp_path):
    """A folder of images, and the toy's features of them as a loop of the test's own makes them."""
    make_gallery(tmp_path / "photos", COUNT)
    make_old(tmp_path / "photos")
    return tmp_path / "photos"


def features_of(directory):
    """{path: (3,)} at hidden state 0."""
    paths = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*.png"))
    found = extract_features(
        directory, paths, ToyExtractor(), [0], FeatureCache(directory / ".other"), progress=False
    )
    return dict(zip(found.paths, found.states[0], strict=True))


def keep(directory, features, name="some/toy:x", separator="/", shape=(1, 3)):
    """What the predecessor would leave behind."""
    tensors = {
        path.replace("/", separator): torch.from_numpy(row.copy()).reshape(shape) for path, row in features.items()
    }
    save_file(tensors, cache_file(directory, name, 0))


def extract(directory, states=(0,)):
    toy = ToyExtractor("some/toy:x")
    cache = FeatureCache(directory / ".aesthetic_cache")
    paths = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*.png"))
    return toy, extract_features(directory, paths, toy, states, cache, progress=False)


@pytest.mark.parametrize(("separator", "shape"), [("/", (1, 3)), ("\\", (3,))])
def test_its_features_are_ours_but_for_three_that_are_looked_at_again(gallery, capsys, separator, shape):
    expected = features_of(gallery)
    keep(gallery, expected, separator=separator, shape=shape)
    assert (gallery / "featurecache.some_toy_x_0.safetensors").is_file()
    toy, found = extract(gallery)
    assert (toy.batches, found.extracted) == ([3], 0)
    assert np.stack(list(expected.values())) == pytest.approx(found.states[0], rel=2e-3)
    assert capsys.readouterr().err.splitlines() == [
        f"note: featurecache.some_toy_x_0.safetensors: features of {COUNT} images taken over; 3 were extracted again "
        "and agree, that the others are of these images and this image model cannot be verified"
    ]
    toy, _ = extract(gallery)
    assert (toy.batches, capsys.readouterr().err) == ([], "")  # they are in our cache now


def test_images_that_are_new_or_changed_since_are_extracted(gallery):
    expected = features_of(gallery)
    changed = next(iter(expected))
    keep(gallery, expected)
    make_image(gallery / changed, (1, 2, 3))
    make_image(gallery / "new.png", (4, 5, 6))
    after = cache_file(gallery, "some/toy:x", 0).stat().st_mtime + 10
    for name in (changed, "new.png"):
        os.utime(gallery / name, (after, after))
    _, found = extract(gallery)
    assert found.extracted == 2
    assert found.states[0][found.paths.index(changed)] == pytest.approx(np.array([1, 2, 3]) / 255, rel=2e-3)


def test_features_of_another_image_model_are_not_believed(gallery, capsys):
    keep(gallery, {path: 1 - row for path, row in features_of(gallery).items()})
    _, found = extract(gallery)
    assert found.extracted == COUNT
    assert "are not those of some/toy:x as it is here; all are extracted anew" in capsys.readouterr().err


def test_only_the_state_that_is_there_is_taken_over(gallery):
    expected = features_of(gallery)
    keep(gallery, expected)
    _, found = extract(gallery, (0, 1))
    assert found.extracted == COUNT  # for state 1
    assert found.states[1] == pytest.approx(np.stack(list(expected.values())) ** 2, rel=2e-3, abs=1e-5)


@pytest.mark.parametrize("damage", ["rubbish", "widths", "nan"])
def test_a_file_that_can_not_be_used_is_said_and_costs_nothing_but_time(gallery, capsys, damage):
    expected = features_of(gallery)
    keep(gallery, expected)
    file = cache_file(gallery, "some/toy:x", 0)
    if damage == "rubbish":
        file.write_bytes(b"no safetensors")
    else:
        odd = {"widths": torch.zeros(4), "nan": torch.full((3,), torch.nan)}[damage]
        tensors = {path: torch.from_numpy(row.copy()) for path, row in expected.items()}
        save_file({**tensors, sorted(tensors)[-1]: odd}, file)
    _, found = extract(gallery)
    assert found.extracted == COUNT
    assert "its features are extracted anew" in capsys.readouterr().err
