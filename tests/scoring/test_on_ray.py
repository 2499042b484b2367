"""--engine=ray: what is asked of a cluster, what comes back, what is kept of it, what is said where nothing comes.

Where Ray is not installed, a stand-in for it runs the same tasks and actors in this process.
"""

import csv
import itertools
import json
import os
import socket
import sys
import time
import types
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from src.common import UserError
from src.features import FeatureCache, load_extractor
from src.model.config import PredictorConfig
from src.model.file import save_predictor
from src.model.network import Predictor
from src.scoring import ScoringSettings, load_models, score_images, score_on_ray
from src.scoring.on_ray import cluster, flow, parts_of, pulse
from src.scoring.on_ray.cluster import Plan, check_ray, joined, plan, twice
from src.scoring.on_ray.parts import Parts
from src.scoring.on_ray.pulse import Listener, Patience, Pulse
from tests.scripts.test_score_script import make_model
from tests.toys import ToyExtractor, make_gallery, make_image, make_old
from tests.waiting import wait_for

# ---- what is asked of a cluster ----


@pytest.mark.parametrize(
    ("cpus", "gpus", "nodes", "device", "expected"),
    [
        (2, 0, 1, "auto", Plan(1, 0.5, 0)),
        (64, 0, 4, "auto", Plan(4, 0.5, 0)),
        (4, 0, 4, "cpu", Plan(3, 0.5, 0)),
        (64, 8, 4, "auto", Plan(8, 0, 1)),
        (1, 1, 1, "cuda", Plan(1, 0, 1)),
        (64, 8, 4, "cpu", Plan(4, 0.5, 0)),
    ],
)
def test_a_cpu_is_always_left_to_open_images(cpus, gpus, nodes, device, expected):
    found = plan({"CPU": cpus, "GPU": gpus}, nodes, device)
    assert found == expected
    assert cpus - found.actors * found.cpus >= 1


@pytest.mark.parametrize(
    ("resources", "device", "message"),
    [
        ({"CPU": 1}, "auto", "Ray has 1 CPUs, and needs 2: one for the image model, one that opens images"),
        ({}, "cpu", "Ray has 0 CPUs"),
        ({"CPU": 8}, "cuda", "--device=cuda: Ray knows of no GPU"),
    ],
)
def test_a_cluster_that_can_not_do_it_is_refused(resources, device, message):
    with pytest.raises(UserError, match=message):
        plan(resources, 1, device)


# ---- starting it ----


def test_without_ray_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"Ray is not installed; run: pip install -r requirements-ray\.txt"):
        check_ray(None)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1", "write auto, or the head's host:port"),
        ("ray://127.0.0.1:10001", "write auto, or the head's host:port"),
        ("127.0.0.1:99999999", "nobody answers there"),
        ("127.0.0.1:{free}", "nobody answers there .*refused"),
    ],
)
def test_an_address_where_nobody_is_is_refused_at_once(monkeypatch, address, message):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: name)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        start = time.monotonic()
        with pytest.raises(UserError, match=message):
            check_ray(address.format(free=taken.getsockname()[1]))
    assert time.monotonic() - start < 2


def fake_start(monkeypatch, *outcomes):
    """A Ray whose starts give these, one after the other: an error, or None. Returns what it is asked."""
    asked, left = [], list(outcomes)

    def init(**options):
        asked.append(options)
        if (outcome := left.pop(0)) is not None:
            raise outcome

    fake = types.SimpleNamespace(init=init, is_initialized=lambda: False, shutdown=lambda: asked.append("left"))
    monkeypatch.setattr(cluster, "imported", lambda: fake)
    monkeypatch.setattr(cluster, "SECONDS_BETWEEN_STARTS", 0.0)
    return asked


def test_a_start_that_fails_is_tried_once_more(monkeypatch, capsys):
    asked = fake_start(monkeypatch, RuntimeError("port in use\nand so on"), None)

    def run():
        with joined(None):
            return [type(one) for one in asked]

    assert twice(run) == [dict, str, dict]
    assert asked[0]["num_cpus"] >= 2
    assert "can't be started (port in use); trying once more" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_twice_is_one_sentence(monkeypatch):
    asked = fake_start(monkeypatch, ConnectionError("gone"), SystemExit(15))  # Ray ends the process there
    with pytest.raises(UserError, match=r"the cluster at auto can't be joined \(no answer\)"):
        twice(lambda: joined("auto").__enter__())
    assert asked[-1] == "left"
    assert Path(asked[0]["runtime_env"]["py_modules"][0], "scoring").is_dir()


# ---- what is kept ----


def some_parts(folder, names, asked="x"):
    parts = Parts(folder / "out.parts", asked)
    values = np.arange(3.0 * len(names) * 2).reshape(3, len(names), 2)
    values[2] = np.nan
    parts.add(names, values)
    parts.flush()
    return parts, values


def read(parts, directory):
    found = list(parts.read(directory))
    return {name: values[:, row].tolist() for names, values in found for row, name in enumerate(names)}


def test_parts_give_back_what_came_whatever_the_names(tmp_path):
    names = ["a.png", "ü/\udcff.png", "s3://bucket/b.png"]
    parts, values = some_parts(tmp_path, names)
    parts.add(["later.png"], values[:, :1])
    parts.flush()
    found = read(Parts(parts.folder, "x"), tmp_path)
    assert sorted(found) == sorted([*names, "later.png"])
    np.testing.assert_array_equal(found["ü/\udcff.png"], values[:, 1])


def test_an_image_that_was_changed_since_is_scored_again(tmp_path):
    paths = make_gallery(tmp_path, 3)
    make_old(tmp_path)
    parts, _ = some_parts(tmp_path, paths)
    for file in parts.folder.glob("*.parquet"):
        os.utime(file, (time.time() + 5, time.time() + 5))
    assert sorted(read(parts, tmp_path)) == sorted(paths)
    os.utime(tmp_path / paths[1], (time.time() + 60, time.time() + 60))
    assert sorted(read(parts, tmp_path)) == sorted([paths[0], paths[2]])


def test_a_damaged_part_is_said_and_the_others_count(tmp_path, capsys):
    parts, values = some_parts(tmp_path, ["a.png"])
    (damaged,) = parts.folder.glob("*.parquet")
    damaged.write_bytes(damaged.read_bytes()[:-30])
    parts.add(["b.png"], values)
    parts.flush()
    assert list(read(parts, tmp_path)) == ["b.png"]
    assert f"{damaged.name}: damaged" in capsys.readouterr().err


def test_parts_of_other_models_are_refused(tmp_path):
    some_parts(tmp_path, ["a.png"])
    with pytest.raises(UserError, match=r"out.parts: holds what another model or other settings gave; delete it"):
        Parts(tmp_path / "out.parts", "y")
    (tmp_path / "out.parts/about.json").write_text(json.dumps([]))
    with pytest.raises(UserError, match="holds what another model"):
        Parts(tmp_path / "out.parts", "x")


def test_what_the_scores_depend_on_is_told_apart(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    parts_of(tmp_path / "out.csv", [tmp_path / "a"], ScoringSettings(threshold=(1,), device="cpu"))
    parts_of(tmp_path / "out.csv", [tmp_path / "a"], ScoringSettings())  # scores are the same
    for files, settings in (("b", ScoringSettings()), ("a", ScoringSettings(gate=False)), ("ab", ScoringSettings())):
        with pytest.raises(UserError, match="holds what another model"):
            parts_of(tmp_path / "out.csv", [tmp_path / name for name in files], settings)


# ---- while it runs ----


class Stream:
    """A dataset that gives these, one after the other: a table, an error, or seconds to wait."""

    def __init__(self, *items):
        self.items = items

    def iter_batches(self, **_):
        for item in self.items:
            if isinstance(item, float):
                time.sleep(item)
            elif isinstance(item, Exception):
                raise item
            else:
                yield item


class Clock:
    """Time that passes when somebody looks. heard: what the pulse says at each look, the last one for ever."""

    def __init__(self, monkeypatch, *heard):
        self.now, self.left = 1000.0, list(heard)
        monkeypatch.setattr(pulse, "time", types.SimpleNamespace(monotonic=lambda: self.now))
        self.patience = Patience(self.heard, lambda: "0 of 2 CPUs are free")

    def heard(self):
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]

    def look(self, seconds):
        """So many seconds, looking in each; how many of them passed before it ended."""
        for second in range(seconds):
            self.now += 1
            try:
                self.patience.look()
            except UserError as error:
                return second + 1, str(error)
        return seconds, ""


LOADING, READY = (0, True), (1, False)


def test_a_minute_without_progress_ends_it_with_a_sentence(monkeypatch, capsys):
    clock = Clock(monkeypatch, READY)
    seconds, sentence = clock.look(1000)
    assert seconds == 62  # the first look hears that it is ready
    assert "--engine=ray: nothing was done for 60 seconds (0 of 2 CPUs are free)" in sentence
    assert "started again, it goes on from what is done" in sentence
    assert capsys.readouterr().err == ""


def test_a_slow_start_is_no_error_for_ten_minutes_and_is_said(monkeypatch, capsys):
    clock = Clock(monkeypatch, LOADING)
    assert clock.look(590) == (590, "")
    notes = capsys.readouterr().err
    assert notes.count("note: ") == 9
    assert "for 5 min Ray has been starting processes and loading image models (0 of 2 CPUs are free)" in notes
    clock.left = [READY]
    assert clock.look(61) == (61, "")
    assert "nothing was done for 60 seconds" in clock.look(1)[1]


def test_image_models_that_never_get_ready_end_it_after_ten_minutes(monkeypatch):
    clock = Clock(monkeypatch, LOADING)
    seconds, sentence = clock.look(1000)
    assert seconds == 601
    assert "after 10 minutes no image model is loaded (0 of 2 CPUs are free)" in sentence


def test_batches_that_go_through_and_scores_that_come_are_progress(monkeypatch):
    clock = Clock(monkeypatch, *[(beat // 50, False) for beat in range(50, 500)])
    assert clock.look(450) == (450, "")
    clock.left = [None]  # the actor that hears of them is gone
    for _ in range(5):
        clock.patience.came()
        assert clock.look(50) == (50, "")
    assert clock.look(100)[0] == 11


def test_a_process_that_loads_its_models_anew_has_the_time_it_needs(monkeypatch):
    clock = Clock(monkeypatch, READY, (1, True))
    assert clock.look(500) == (500, "")


def test_hours_in_which_this_process_was_stopped_do_not_count(monkeypatch):
    clock = Clock(monkeypatch, READY)
    clock.look(5)
    clock.now += 10_000
    assert clock.look(50) == (50, "")


def test_the_pulse_tells_work_from_loading():
    heart = Pulse()
    assert heart.heard() == (0, True)
    heart.loads("a")
    heart.beat()
    assert heart.heard() == (1, True)
    heart.ready("a")
    assert heart.heard() == (2, False)
    heart.loads("b")
    assert heart.heard() == (2, True)


def coming(*items):
    return list(flow._coming(Stream(*items), Patience(lambda: READY, str)))


def test_what_comes_late_comes_and_what_does_not_ends_it(monkeypatch):
    monkeypatch.setattr(flow, "SECONDS_A_LOOK", 0.02)
    monkeypatch.setattr(pulse, "SECONDS_OF_SILENCE", 0.2)
    assert coming("a", 0.05, "b") == ["a", "b"]
    with pytest.raises(UserError, match="nothing was done for 0 seconds"):
        coming("a", 1.0, "b")


def test_a_sentence_of_a_process_of_ray_is_said_here_and_an_error_of_the_code_is_raised(monkeypatch):
    wrapped = RuntimeError("Ray's own words")
    wrapped.cause = UserError("m.safetensors: no such file; give another")
    outer = ValueError("more of them")
    outer.__cause__ = wrapped
    with pytest.raises(UserError, match=r"^m.safetensors: no such file; give another$"):
        coming(outer)
    with pytest.raises(ZeroDivisionError):
        coming("a", ZeroDivisionError("ours"))


# ---- all of it ----


class Dataset:
    """Runs in this process what Ray would in others."""

    def __init__(self, tables):
        self.tables = tables

    def map_batches(self, function, fn_constructor_args=(), batch_size=None, **_):
        if isinstance(function, type):
            function = function(*fn_constructor_args)
        pieces = (table.slice(i, batch_size) for table in self.tables for i in range(0, len(table), batch_size))
        return Dataset(map(function, pieces))

    def iter_batches(self, **_):
        return iter(self.tables)


class Actor:
    """An actor in this process: what its methods give is there at once."""

    def __init__(self, actors, name, kind):
        self._kept, self._name, self._kind = actors, name, kind

    def remote(self):
        self._kept[self._name] = self
        self._one = self._kind()
        return self

    def __getattr__(self, name):
        return types.SimpleNamespace(remote=getattr(self._one, name))


def stand_in():
    """As much of Ray as is used."""
    ray, data, exceptions = (types.ModuleType(name) for name in ("ray", "ray.data", "ray.exceptions"))
    ray.__spec__ = ModuleSpec("ray", None)  # by which it is told that it is installed
    ray.data, ray.exceptions, ray.is_initialized = data, exceptions, lambda: True
    ray.nodes = lambda: [{"Alive": True, "Resources": {"CPU": 2.0}}]
    ray.cluster_resources = ray.available_resources = lambda: {"CPU": 2.0}
    ray.actors = {}
    ray.remote = lambda num_cpus: (
        lambda kind: types.SimpleNamespace(options=lambda name: Actor(ray.actors, name, kind))
    )
    ray.get, ray.get_actor = lambda value, timeout: value, ray.actors.__getitem__
    context = types.SimpleNamespace()
    data.DataContext = types.SimpleNamespace(get_current=lambda: context)
    data.from_arrow, data.ActorPoolStrategy = Dataset, dict
    exceptions.RayError = type("RayError", (Exception,), {})
    exceptions.RayTaskError = type("RayTaskError", (exceptions.RayError,), {})
    return ray


def put_stand_in(monkeypatch):
    ray = stand_in()
    for name, module in (("ray", ray), ("ray.data", ray.data), ("ray.exceptions", ray.exceptions)):
        monkeypatch.setitem(sys.modules, name, module)
    return ray


@pytest.fixture(scope="module")
def started():
    """Ray itself, once for all tests of this file."""
    with joined(None) as ray:
        yield ray


IS_MISSING = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (requirements-ray.txt)")


@pytest.fixture(params=["stand-in", pytest.param("ray", marks=[IS_MISSING, pytest.mark.script])])
def ray(request, monkeypatch):
    if request.param == "ray":
        return request.getfixturevalue("started")
    return put_stand_in(monkeypatch)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of 150 images, more than two batches, of which one is none, and two models of an embedded network."""
    import torch

    folder = tmp_path_factory.mktemp("photos")
    make_gallery(folder, 148)
    (folder / "broken.png").write_bytes(b"no image")
    make_image(folder / os.fsdecode(b"odd\xff.png"), (10, 90, 200), (90, 300))
    make_old(folder)
    extractor = load_extractor("efficientnet-lite0", "cpu")
    for seed in (0, 1):
        torch.manual_seed(seed)
        config = PredictorConfig(
            extractor.name, (0, 7), "join", (1280, 112), (8, 8), extractor_identity=extractor.identity
        )
        quantiles = {"train_score_quantiles": np.linspace(-1, 1, 101).tolist()}
        save_predictor(folder / f"{seed}.safetensors", Predictor(config), quantiles)
    return folder


SETTINGS = ScoringSettings(device="cpu", extract_batch_size=8, threshold=(0.1, 0.2))


@pytest.mark.script
def test_scores_on_ray_are_those_of_one_process_and_a_killed_run_goes_on(ray, photos, tmp_path, capsys):
    paths = sorted(path.relative_to(photos).as_posix() for path in photos.glob("**/*.png"))
    models = load_models([photos / "0.safetensors", photos / "1.safetensors"], SETTINGS)
    expected = score_images(photos, paths, models, FeatureCache(tmp_path / "cache"), progress=False)
    assert len(expected) == 149

    parts = parts_of(tmp_path / "out.csv", [model.path for model in models], SETTINGS)
    known = paths[:60]
    marked = np.full((3, 60, 2), 7.0)  # so that it shows who is scored again
    parts.add(known, marked)
    parts.flush()
    found = score_on_ray(photos, paths, models, SETTINGS, parts)
    assert found.paths == expected.paths
    assert found.unreadable == expected.unreadable
    assert found.extracted == 149 - sum(path in known for path in expected.paths)
    is_new = np.array([path not in known for path in found.paths])
    assert (found.scores[~is_new] == 7).all()
    np.testing.assert_allclose(found.scores[is_new], expected.scores[is_new], atol=1e-4)
    assert np.isnan(found.errors[is_new]).all()
    assert "60 images are in" in capsys.readouterr().err

    again = score_on_ray(
        photos, paths, models, SETTINGS, parts_of(tmp_path / "out.csv", [m.path for m in models], SETTINGS)
    )
    np.testing.assert_array_equal(again.scores, found.scores)
    assert again.extracted == 0


SOME = r"--regex=00\d0\.png|broken|odd"


def run_script(monkeypatch, folder, *words):
    """The script, in this process, with the first model of a folder."""
    import aesthetic_score_from_model as script

    asked = ["score", f"--directory={folder}", f"--model={folder / '0.safetensors'}", "--device=cpu"]
    asked += words
    monkeypatch.setattr(sys, "argv", asked)
    script.main()


def read_table(path):
    """{relative path: model score}."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        return {row["relative_path"]: float(row["model_score"]) for row in csv.DictReader(lines)}


def test_shards_on_ray_are_put_together_to_what_one_process_without_either_says(
    ray, photos, tmp_path, monkeypatch, capsys
):
    whole, merged = tmp_path / "whole.csv", tmp_path / "out.csv"
    run_script(monkeypatch, photos, SOME, f"--outfile={whole}", f"--cache_directory={tmp_path / 'cache'}")
    for number in (1, 2):
        run_script(monkeypatch, photos, SOME, f"--outfile={merged}", f"--shard={number}/2", "--engine=ray")
    shards = [tmp_path / f"out.shard-{number}-of-2.csv" for number in (1, 2)]
    assert min(len(read_table(shard)) for shard in shards) > 3
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["cache"]  # no out….parts any more
    capsys.readouterr()

    monkeypatch.setattr("src.scoring.on_ray.flow.joined", lambda *_: pytest.fail("Ray is asked again"))
    run_script(monkeypatch, photos, SOME, f"--outfile={merged}", "--shard=2/2", "--engine=ray")
    assert capsys.readouterr().out == f"{shards[1]} is there already, with all that --shard=2/2 asks for.\n"
    monkeypatch.setattr(sys, "argv", ["score", "--merge", f"--outfile={merged}"])
    import aesthetic_score_from_model as script

    script.main()
    assert (
        capsys.readouterr().out
        == f"{merged}: {len(read_table(whole))} rows of 2 shards; 1 image could not be read.\n"
    )
    expected, found = read_table(whole), read_table(merged)
    assert list(found) == list(expected)
    np.testing.assert_allclose(list(found.values()), list(expected.values()), atol=1e-4)


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """A folder of 16 images and a model of the toy, which is in the place of every extractor."""
    make_gallery(tmp_path / "toys", 16)
    make_model(tmp_path / "toys" / "0.safetensors")
    monkeypatch.setattr("src.scoring.models.load_extractor", lambda *_: ToyExtractor())
    return tmp_path / "toys"


def test_a_shard_on_ray_that_was_killed_goes_on_and_the_other_one_knows_nothing_of_it(
    monkeypatch, toys, tmp_path, capsys
):
    ray = put_stand_in(monkeypatch)
    words = [f"--outfile={tmp_path / 'out.csv'}", "--engine=ray"]
    gone, real = ray.exceptions.RayError("killed"), ray.data.from_arrow
    monkeypatch.setattr(flow, "BATCH", 2)
    monkeypatch.setattr("src.scoring.on_ray.parts.SECONDS_IN_MEMORY", 0)
    monkeypatch.setattr(ray.data, "from_arrow", lambda tables: real(itertools.chain(tables[:2], raising(gone))))
    with pytest.raises(UserError, match="killed; started again, it goes on"):
        run_script(monkeypatch, toys, *words, "--shard=1/2")
    assert (tmp_path / "out.shard-1-of-2.parts").is_dir()
    monkeypatch.setattr(ray.data, "from_arrow", real)
    capsys.readouterr()
    run_script(monkeypatch, toys, *words, "--shard=2/2")
    assert "already, from before" not in capsys.readouterr().err
    run_script(monkeypatch, toys, *words, "--shard=1/2")
    assert "4 images are in" in capsys.readouterr().err
    assert len(read_table(tmp_path / "out.shard-1-of-2.csv")) > 4
    assert not list(tmp_path.glob("*.parts"))


def run_small(folder, tmp_path, name="out.csv"):
    """Three images."""
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.glob("**/0*.png"))[:3]
    settings = ScoringSettings(device="cpu")
    models = load_models([folder / "0.safetensors"], settings)
    return score_on_ray(folder, paths, models, settings, parts_of(tmp_path / name, [models[0].path], settings))


def test_ray_that_is_gone_before_anything_was_done_is_started_once_more(monkeypatch, toys, tmp_path, capsys):
    ray = put_stand_in(monkeypatch)
    monkeypatch.setattr(cluster, "SECONDS_BETWEEN_STARTS", 0.0)
    gone, real = ray.exceptions.RayError("the raylet died\nand many lines"), ray.data.from_arrow
    failures = [gone, None]

    def from_arrow(tables):
        return Dataset(raising(failure)) if (failure := failures.pop(0)) else real(tables)

    monkeypatch.setattr(ray.data, "from_arrow", from_arrow)
    assert len(run_small(toys, tmp_path)) == 3
    assert "--engine=ray: the raylet died; started again" in capsys.readouterr().err
    failures += [gone, gone]
    with pytest.raises(UserError, match="--engine=ray: the raylet died; started again"):
        run_small(toys, tmp_path, "other.csv")


def test_ray_that_is_gone_later_is_a_sentence_at_once(monkeypatch, toys, tmp_path, capsys):
    ray = put_stand_in(monkeypatch)
    gone, real = ray.exceptions.RayError("out of memory\nand many lines"), ray.data.from_arrow
    monkeypatch.setattr(flow, "BATCH", 1)
    monkeypatch.setattr(ray.data, "from_arrow", lambda tables: real(itertools.chain(tables, raising(gone))))
    with pytest.raises(UserError, match="--engine=ray: out of memory; started again, it goes on from what is done"):
        run_small(toys, tmp_path)
    assert "once more" not in capsys.readouterr().err


def raising(error):
    raise error
    yield


@IS_MISSING
@pytest.mark.script
def test_processes_of_ray_tell_what_they_do(started, photos):
    listener = Listener(started)
    wait_for(lambda: listener.heard() == (0, True))
    order = flow.Order(photos, (photos / "0.safetensors",), ScoringSettings(device="cpu"), photos, listener.name)
    paths = sorted(path.relative_to(photos).as_posix() for path in photos.glob("**/0*.png"))[:3]
    stream = flow._stream(started, paths, np.arange(3), order, plan({"CPU": 2}, 1, "cpu"))
    assert len(list(flow._coming(stream, Patience(listener.heard, str)))) == 1
    beats, is_loading = listener.heard()
    assert (beats, is_loading) >= (3, False)  # an image opened, the models ready, a batch through them


@IS_MISSING
@pytest.mark.script
def test_images_are_opened_by_others_than_ask_the_models(started, photos):
    order = flow.Order(photos, (photos / "0.safetensors",), ScoringSettings(device="cpu"), photos)
    paths = sorted(path.relative_to(photos).as_posix() for path in photos.glob("**/0*.png"))[:3]
    stream = flow._stream(started, paths, np.arange(3), order, plan({"CPU": 2}, 1, "cpu"))
    assert (
        len(
            list(
                itertools.chain.from_iterable(
                    t["place"].to_pylist() for t in stream.iter_batches(batch_size=None, batch_format="pyarrow")
                )
            )
        )
        == 3
    )
    assert "prepare)->" not in stream.stats()
    assert "Asking" in stream.stats()
