"""`fast:`: large JPEGs decoded at a fraction of their size, by image models of another identity and by no others."""

import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.common import UserError
from src.features import extract, load_extractor, open_image, pixels_of
from src.features.extraction import extract_features
from src.features.extractors import BEST_EMBEDDED, EMBEDDED, FAST
from src.features.extractors.efficientnet import LEAST
from src.features.extractors.several import SeveralExtractors
from src.features.feature_cache import FeatureCache
from src.features.images import UnreadableImage, content_of
from src.model import fit_gp, save_predictor
from src.scoring import load_scorer
from tests import profiles
from tests.toys import ToyExtractor

SHORT = 64  # pixels that both sides stay, where no image model says how many it needs
PHOTO, HALF = (144, 128), (72, 64)  # of whole blocks of any JPEG, and at the least fraction that leaves SHORT


def photo(width: int, height: int) -> Image.Image:
    """Soft shapes; no two corners are alike."""
    coarse = np.random.default_rng(3).integers(40, 216, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def saved(path: Path, image: Image.Image, **how) -> Path:
    image.save(path, "JPEG", quality=95, **how)
    return path


def far(a: Image.Image, b: Image.Image) -> int:
    """The largest difference of two images, the first box by box as small as the second."""
    factor = round(a.width / b.width)
    small = a.reduce(factor) if factor > 1 else a
    return np.abs(np.asarray(small).astype(int) - np.asarray(b)).max()


class Looking(ToyExtractor):
    """Keeps the sizes of the images that it was given."""

    def __init__(self, name: str, least: int) -> None:
        super().__init__(name)
        self.identity, self.least = f"{name} {least}", least
        self.sizes: list[tuple[int, int]] = []

    def prepare(self, image):
        self.sizes.append(image.size)
        return super().prepare(image)


# ---- opening ----


@pytest.mark.parametrize(
    ("size", "becomes"),
    [
        ((40, 25), (40, 25)),
        ((127, 175), (127, 175)),
        ((128, 177), (64, 89)),
        ((276, 255), (138, 128)),
        ((276, 256), (69, 64)),
        ((512, 516), (64, 65)),
        ((1500, 1024), (188, 128)),
    ],
)
def test_a_jpeg_is_reduced_as_far_as_both_sides_stay_as_long_as_they_must(tmp_path, size, becomes):
    path = saved(tmp_path / "x.jpg", photo(*size))
    assert open_image(path).size == size
    reduced = open_image(path, SHORT)
    assert reduced.size == becomes
    inner = (8, 8, becomes[0] - 8, becomes[1] - 8)  # at the right and the lower edge boxes are not full
    factor = round(size[0] / becomes[0])
    whole = open_image(path).crop(tuple(side * factor for side in inner))
    assert far(whole, reduced.crop(inner)) <= 4


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "tif", "gif"])
def test_other_formats_are_what_they_are(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    photo(2 * SHORT, 2 * SHORT).save(path)
    np.testing.assert_array_equal(np.asarray(open_image(path, SHORT)), np.asarray(open_image(path)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_one_is_turned_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "x.jpg", photo(*PHOTO), exif=exif)
    whole, reduced = open_image(path), open_image(path, SHORT)
    assert (2 * reduced.width, 2 * reduced.height) == whole.size
    assert far(whole, reduced) <= 4


@pytest.mark.parametrize("how", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 2}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_of_every_kind_of_jpeg(tmp_path, mode, how):
    path = saved(tmp_path / "x.jpg", photo(*PHOTO).convert(mode), **how)
    reduced = open_image(path, SHORT)
    assert (reduced.mode, reduced.size) == ("RGB", HALF)
    assert far(open_image(path), reduced) <= 4


def test_of_a_jpeg_with_a_profile_and_of_one_with_more_pictures_behind_it(tmp_path):
    wide = profiles.rgb_profile(profiles.PROPHOTO, 1.8)
    coloured = saved(tmp_path / "wide.jpg", photo(288, 256), icc_profile=wide)
    reduced = open_image(coloured, 128)
    assert far(open_image(coloured), reduced) <= 20  # as they are far apart in so wide a space
    assert far(photo(288, 256), reduced) > 20  # it was converted
    phones = tmp_path / "phone.jpg"
    photo(*PHOTO).save(phones, "MPO", save_all=True, append_images=[photo(20, 20)], quality=95)
    with Image.open(phones) as image:
        assert image.format == "MPO"
    assert open_image(phones, SHORT).size == HALF
    assert far(open_image(phones), open_image(phones, SHORT)) <= 4


def outcome(path: Path, least: int) -> object:
    try:
        return np.asarray(open_image(path, least)).tobytes()
    except UnreadableImage as error:
        return error.reason


def test_what_lacks_its_end_is_decoded_whole_with_the_same_words(tmp_path):
    target = io.BytesIO()
    photo(288, 256).save(target, "JPEG", quality=95)
    data, path = target.getvalue(), tmp_path / "x.jpg"
    kinds = set()
    for share in (0.02, 0.1, 0.2, 0.3, 0.6, 0.9, 0.999):
        path.write_bytes(data[: int(share * len(data))])
        found = outcome(path, 128)
        assert found == outcome(path, 0)
        kinds.add(type(found))
    assert kinds == {str, bytes}
    path.write_bytes(data[:-2])
    assert outcome(path, 128) == outcome(path, 0)
    assert content_of(path).note == ""


def test_damage_within_and_bombs_are_refused_as_ever(tmp_path, monkeypatch):
    path = saved(tmp_path / "x.jpg", photo(*PHOTO))
    data = path.read_bytes()
    for damaged in (data[:200] + b"\xff\xd9", b"\xff\xd8" + bytes(300) + b"\xff\xd9", data[:2] + data[400:]):
        (tmp_path / "y.jpg").write_bytes(damaged)
        assert isinstance(outcome(tmp_path / "y.jpg", SHORT), str)
        assert outcome(tmp_path / "y.jpg", SHORT) == outcome(tmp_path / "y.jpg", 0)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6_000)  # reduced it would have fewer
    assert "decompression-bomb" in str(outcome(path, SHORT))


# ---- image models ----


def test_fast_ones_are_other_image_models_and_the_others_are_what_they_were():
    usual, fast = load_extractor("efficientnet-lite0", "cpu"), load_extractor("fast:efficientnet-lite0", "cpu")
    assert (usual.least, fast.least, fast.name) == (0, LEAST, "fast:efficientnet-lite0")
    before, now = (json.loads(each.identity) for each in (usual, fast))
    assert before["preprocessing"] == "squash 224 bicubic by torch, (x - 127) / 128"  # as in caches that there are
    assert (
        now.pop("preprocessing") == f"JPEGs at 1/2, 1/4 or 1/8 if both sides stay 512, {before.pop('preprocessing')}"
    )
    assert now == before
    assert usual.earlier_identity == usual.identity != fast.earlier_identity == fast.identity


@pytest.mark.parametrize("name", ["fast:embedded", "fast:{},fast:{}", "fast:{}__fast:{}"])
def test_several_fast_ones_are_named_as_others_are(name):
    parts = load_extractor(name.format(*BEST_EMBEDDED), "cpu").parts
    assert [part.name for part in parts] == [FAST + one for one in BEST_EMBEDDED]
    assert [part.least for part in parts] == [LEAST, LEAST]


@pytest.mark.parametrize("name", ["fast:", "fast:toy", "fast:openai/clip-vit-large-patch14", "fast:fast:embedded"])
def test_only_embedded_ones_can_be_fast(name):
    with pytest.raises(UserError, match=r"fast: is for the embedded ones: fast:efficientnet-lite0, fast:eff"):
        load_extractor(name, "cpu")


def test_the_network_is_twice_as_small_as_what_a_jpeg_is_reduced_to():
    sides = [load_extractor(name, "cpu").prepare(photo(9, 9)).shape[0] for name in BEST_EMBEDDED]
    assert all(1.9 * side < LEAST for side in sides)
    assert set(BEST_EMBEDDED) <= set(EMBEDDED)


def test_a_file_is_opened_once_for_all_that_want_it_alike():
    opened: list[int] = []

    def open_it(least: int) -> Image.Image:
        opened.append(least)
        return photo(1000 - least, 600)

    parts = [Looking("a", 512), Looking("b", 0), Looking("c", 512)]
    pixels, _ = pixels_of(SeveralExtractors(parts), open_it)
    assert sorted(opened) == [0, 512]
    assert [part.sizes for part in parts] == [[(488, 600)], [(1000, 600)], [(488, 600)]]
    assert pixels is not None
    assert len(pixels) == 3


def test_files_are_reduced_images_in_memory_are_not_and_the_cache_keeps_both_ways_apart(tmp_path):
    path = saved(tmp_path / "x.jpg", photo(*PHOTO))
    cache = FeatureCache(tmp_path / "cache")
    whole, reduced = Looking("toy", 0), Looking("toy", SHORT)
    for extractor in (whole, reduced, whole, reduced):
        extract_features(tmp_path, ["x.jpg"], extractor, (0,), cache, progress=False)
    assert (whole.sizes, reduced.sizes) == ([PHOTO], [HALF])
    with Image.open(path) as image:
        image.load()
    extract([path, image, np.asarray(image)], reduced, [0])
    assert sorted(reduced.sizes[1:]) == [HALF, PHOTO, PHOTO]


def test_rays_tasks_reduce_as_well(tmp_path):
    workers = pytest.importorskip("src.scoring.on_ray.workers")
    saved(tmp_path / "x.jpg", photo(*PHOTO))
    extractor = Looking("toy", SHORT)
    workers._prepared(tmp_path, "x.jpg", [extractor], lambda: None)
    assert extractor.sizes == [HALF]


def test_a_model_trained_on_reduced_ones_reduces_what_it_scores(tmp_path):
    paths = [saved(tmp_path / f"{i}.jpg", photo(1024, 1024).rotate(7 * i)) for i in range(4)]
    extractor = load_extractor("fast:efficientnet-lite0", "cpu")
    features = extract(paths, extractor)
    predictor = fit_gp(features, list(range(4)), extractor=extractor)
    save_predictor(tmp_path / "model.safetensors", predictor)
    scorer = load_scorer(tmp_path / "model.safetensors", device="cpu")
    np.testing.assert_allclose(scorer.score(paths).values, predictor.predict(features)[0], rtol=1e-4, atol=1e-4)
    seen = [scorer.extractor.prepare_file(partial(open_image, path)) for path in paths[:1]]
    np.testing.assert_array_equal(seen[0], extractor.prepare(open_image(paths[0], LEAST)))
