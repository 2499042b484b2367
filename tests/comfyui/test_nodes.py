"""The nodes on the stand-in of ComfyUI: schemas, series and batches, what is blocked, what is said."""

import asyncio
import csv
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import aesthetic_score_from_model as script
from src.common import errors
from src.scoring import load_scorer
from tests.comfyui import standin
from tests.comfyui.pack import UserError, module
from tests.comfyui.standin import ExecutionBlocker, run, validated


def images(count, height=24, width=32, channels=3, seed=0):
    return torch.rand(count, height, width, channels, generator=torch.Generator().manual_seed(seed))


def put(model, comfy, name="model.safetensors", folder="aesthetic"):
    """The model where the node looks for it."""
    target = comfy.base / "models" / folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(model.read_bytes())
    return target


@pytest.fixture
def scorer(comfy, model):
    put(model, comfy)
    ((loaded,),) = run(comfy.AestheticLoadModel, model=["model.safetensors"], device=["auto"])
    return loaded


def test_schemas_are_valid_and_their_names_are_ours(comfy):
    ids = [node.define_schema().node_id for node in comfy.nodes]
    assert [node.__name__ for node in comfy.nodes] == ids
    for node in comfy.nodes:
        schema = node.define_schema()
        schema.validate()
        assert schema.category == "aesthetic"
        assert schema.node_id.startswith("Aesthetic")
        assert schema.description
        assert all(output.display_name for output in schema.outputs)


def test_models_are_found_in_both_folders_and_in_those_a_person_named(comfy, model):
    elsewhere = comfy.base / "elsewhere"
    comfy.folder_paths.add_model_folder_path("customaesthetic", str(elsewhere))
    asyncio.run(comfy.extension.get_node_list())
    put(model, comfy, "new.safetensors")
    put(model, comfy, "old.safetensors", "customaesthetic")
    put(model, comfy, "notes.txt")
    elsewhere.mkdir()
    (elsewhere / "mine.safetensors").write_bytes(model.read_bytes())
    combo = comfy.AestheticLoadModel.define_schema().inputs[0]
    assert combo.options == ["mine.safetensors", "new.safetensors", "old.safetensors"]


def test_a_model_that_is_not_there_is_said_in_a_sentence(comfy, model):
    said = validated(comfy.AestheticLoadModel, model="a.safetensors", device="cpu")
    assert said == "there is no model yet; put the model.safetensors of a training into ComfyUI/models/aesthetic"
    put(model, comfy)
    said = validated(comfy.AestheticLoadModel, model="a.safetensors", device="cpu")
    assert said == "there is no 'a.safetensors' in models/aesthetic; it has model.safetensors"
    assert validated(comfy.AestheticLoadModel, model="model.safetensors", device="cpu") is True
    with pytest.raises(UserError, match="is no longer in models/aesthetic"):
        comfy.AestheticLoadModel.execute("a.safetensors", "cpu")


def test_a_model_is_loaded_once_and_again_where_its_file_changed(comfy, model):
    path = put(model, comfy)
    load, mark = comfy.AestheticLoadModel.execute, comfy.AestheticLoadModel.fingerprint_inputs
    first, before = load("model.safetensors", "cpu").args[0], mark("model.safetensors", "cpu")
    assert load("model.safetensors", "cpu").args[0] is first
    path.write_bytes(model.read_bytes())
    path.touch()
    assert mark("model.safetensors", "cpu") != before
    assert load("model.safetensors", "cpu").args[0] is not first


def test_so_many_models_are_kept_as_a_workflow_compares(comfy, model):
    names = [f"{i}.safetensors" for i in range(3)]
    for name in names:
        put(model, comfy, name)
    load = comfy.AestheticLoadModel.execute
    first, second, _ = (load(name, "cpu").args[0] for name in names)
    assert load(names[1], "cpu").args[0] is second
    assert load(names[0], "cpu").args[0] is not first


def test_on_a_gpu_comfyui_makes_room_and_auto_is_its_own_device(comfy, monkeypatch):
    asked = []
    management = sys.modules["comfy"].model_management
    monkeypatch.setattr(management, "free_memory", lambda *given: asked.append(given), raising=False)
    module("nodes.score_images")._make_room(SimpleNamespace(extractor=SimpleNamespace()))
    gpu = SimpleNamespace(type="cuda")
    monkeypatch.setattr(management, "get_torch_device", lambda: gpu)
    module("nodes.score_images")._make_room(SimpleNamespace(extractor=SimpleNamespace(device=gpu)))
    assert asked == [(3 * 2**30, gpu)]
    monkeypatch.setattr(sys.modules["comfy.model_management"], "get_torch_device", lambda: gpu)
    assert module("nodes.load_model")._device() == "cuda"
    monkeypatch.setattr(gpu, "type", "xpu")  # one that torch has and the toolkit does not know
    assert module("nodes.load_model")._device() == "cpu"


def test_a_model_that_cannot_be_read_and_an_image_model_that_cannot_be_had_are_sentences(comfy, model, monkeypatch):
    (comfy.base / "models/aesthetic").mkdir(parents=True)
    (comfy.base / "models/aesthetic/broken.safetensors").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"broken\.safetensors: ") as caught:
        comfy.AestheticLoadModel.execute("broken.safetensors", "cpu")
    assert "\n" not in str(caught.value)
    put(model, comfy)

    def lacks(*_):
        raise ModuleNotFoundError("No module named 'transformers'", name="transformers")

    monkeypatch.setattr(module("..src.scoring.models"), "load_extractor", lacks)
    with pytest.raises(UserError, match=r"needs transformers, which can't be used here .*docs/comfyui\.md"):
        comfy.AestheticLoadModel.execute("model.safetensors", "cpu")


def test_scores_are_those_of_the_script_on_the_saved_files(comfy, scorer, model, monkeypatch, capsys):
    series = [images(3), images(1, 40, 20, seed=1), images(2, channels=4, seed=2), images(1, channels=1, seed=3)]
    same, scores, percentiles, errors_, text = run(
        comfy.AestheticScoreImages, model=[scorer], images=series, batch_size=[2]
    )
    assert all(a is b for a, b in zip(same, series, strict=True))
    assert len(scores) == len(percentiles) == len(errors_) == 7
    assert len(text) == 4
    assert text[0].splitlines()[2].startswith("2: ")
    run(
        comfy.AestheticSaveWithScore,
        images=same,
        scores=scores,
        percentiles=percentiles,
        filename_prefix=["saved/image"],
        xmp_rating=[True],
    )
    written = score_with_the_script(comfy.base / "output/saved", model, monkeypatch)
    assert [row["relative_path"] for row in written] == [f"image_{i:05}_.png" for i in range(1, 8)]
    np.testing.assert_allclose([float(row["model_score"]) for row in written], scores, atol=1e-5, rtol=0)
    np.testing.assert_allclose([float(row["percentile"]) for row in written], percentiles, atol=0.0051)


def score_with_the_script(folder, model, monkeypatch):
    """The rows of aesthetic_score_from_model.py's CSV, which also has the scores in the PNGs' texts."""
    out = folder.parent / "scores.csv"
    words = ["-d", str(folder), "--modelpath", str(model), "-o", str(out), "--device=cpu"]
    monkeypatch.setattr(sys, "argv", ["aesthetic_score_from_model.py", *words])
    errors.run(script.main)
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        with Image.open(folder / row["relative_path"]) as opened:
            assert float(opened.text["aesthetic_score"]) == pytest.approx(float(row["model_score"]), abs=1e-5)
    return rows


def test_a_batch_is_scored_as_single_images_are(comfy, scorer):
    batch = images(3)
    _, together, *_ = run(comfy.AestheticScoreImages, model=[scorer], images=[batch], batch_size=[2])
    _, alone, *_ = run(comfy.AestheticScoreImages, model=[scorer], images=[each[None] for each in batch])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert standin.Progress.done == [2, 1, 1, 1, 1]


def test_cancel_stops_in_the_middle(comfy, scorer, monkeypatch):
    monkeypatch.setattr(standin.Progress, "cancel_after", 4)
    with pytest.raises(standin.Interrupted):
        run(comfy.AestheticScoreImages, model=[scorer], images=[images(9)], batch_size=[2])
    assert standin.Progress.done == [2, 2]


def test_what_a_model_does_not_say_is_not_shown():
    said = module("scoring").in_words([0.5, -1.25], [float("nan"), 87.4], [0.1, float("nan")])
    assert said == "0: 0.500 ± 0.100\n1: -1.250, percentile 87"


def test_the_best_are_kept_with_their_latents_and_masks(comfy):
    series = [images(2), images(1, 8, 8)]
    marked = {"samples": torch.arange(3.0).reshape(3, 1, 1, 1)}
    kept, latents, masks, scores, indexes, rest = run(
        comfy.AestheticKeepBest,
        images=series,
        scores=[1.0, 3.0, 2.0],
        k=[2],
        order=["descending"],
        latents=[marked],
        masks=[torch.stack([torch.full((4, 4), float(i)) for i in range(3)])],
    )
    assert torch.equal(kept[0], series[0][1:2])
    assert torch.equal(kept[1], series[1])
    assert latents[0]["samples"].flatten().tolist() == [1.0, 2.0]
    assert masks[0][:, 0, 0].tolist() == [1.0, 2.0]
    assert (scores, indexes) == ([3.0, 2.0], ["1,2"])
    assert torch.equal(rest[0], series[0][:1])


def test_where_nothing_is_kept_nothing_comes_after(comfy):
    kept, latents, _, scores, indexes, rest = run(
        comfy.AestheticKeepBest, images=[images(2)], scores=[1.0, 2.0], k=[1], order=["descending"], threshold=[5.0]
    )
    assert all(isinstance(part[0], ExecutionBlocker) and part[0].message is None for part in (kept, scores))
    assert latents[0].message == "Keep Best: gives latents only where its input latents is connected"
    assert indexes == [""]
    assert len(rest[0]) == 2


@pytest.mark.parametrize("wrong", [{"scores": [1.0]}, {"masks": [torch.zeros(3, 4, 4)]}])
def test_counts_that_do_not_match_are_said(comfy, wrong):
    given = {"scores": [1.0, 2.0], **wrong}
    with pytest.raises(UserError, match=r"there are \d for 2 images; connect those that belong to these images"):
        run(comfy.AestheticKeepBest, images=[images(2)], k=[1], order=["descending"], **given)


def test_a_gate_lets_images_pass_or_stops_them(comfy):
    gate, batch = comfy.AestheticScoreGate, images(3)
    passed, scores, under = run(gate, images=[batch], score=[1.0, -1.0, 0.0], threshold=[0.0], below=["stop"])
    assert torch.equal(passed[0], batch[[0, 2]])
    assert scores == [1.0, 0.0]
    assert torch.equal(under[0], batch[1:2])
    passed, scores, _ = run(gate, images=[batch], score=[1.0, -1.0, 0.0], threshold=[0.0], below=["pass"])
    assert torch.equal(passed[0], batch)
    assert scores == [1.0, -1.0, 0.0]
    passed, _, under = run(gate, images=[batch[:1]], score=[-1.0], threshold=[0.0], below=["stop"])
    assert isinstance(passed[0], ExecutionBlocker)
    assert torch.equal(under[0], batch[:1])


def test_scores_of_two_models_become_one_series(comfy):
    combine = comfy.AestheticCombineScores
    assert run(combine, a=[1.0, 2.0], b=[3.0, 0.0], rule=["min"]) == [[1.0, 0.0]]
    assert run(combine, a=[1.0, 2.0], b=[3.0, 0.0], rule=["weighted"], weight=[1.0]) == [[1.0, 2.0]]
    assert validated(combine, rule="max(x,y)") is True


def test_a_saved_file_holds_the_workflow_unless_metadata_are_off(comfy, monkeypatch):
    hidden = SimpleNamespace(prompt={"1": {}}, extra_pnginfo={"workflow": {"nodes": []}})
    monkeypatch.setattr(comfy.AestheticSaveWithScore, "hidden", hidden)
    given = {"images": [images(2)], "scores": [1.0, 2.0], "filename_prefix": ["a/%rank%_%batch_num%"]}
    comfy.AestheticSaveWithScore.execute(**given)
    with Image.open(comfy.base / "output/a/2_0_00001_.png") as opened:
        assert json.loads(opened.text["workflow"]) == {"nodes": []}
        assert json.loads(opened.text["prompt"]) == {"1": {}}
        assert opened.text["Score"] == "1.000000"
    monkeypatch.setattr(comfy.args, "disable_metadata", True)
    shown = comfy.AestheticSaveWithScore.execute(**given, threshold=[1.5]).ui
    assert [each["filename"] for each in shown["images"]] == ["1_0_00001_.png"]
    with Image.open(comfy.base / "output/a/1_0_00001_.png") as opened:
        assert opened.text == {}


def test_a_choice_is_logged_and_its_images_go_on(comfy):
    batch = images(3)
    ((same,),) = run(
        comfy.AestheticLogChoice, images=[batch], picked=["2"], comparisons=["a/comparisons.sqlite"], rater=["me"]
    )
    assert same is batch
    assert (comfy.base / "output/a/comparisons.sqlite").is_file()
    assert len(list((comfy.base / "output/a").rglob("*.png"))) == 3
    with pytest.raises(UserError, match="is no file below"):
        run(comfy.AestheticLogChoice, images=[batch], picked=["2"], comparisons=["../c.sqlite"], rater=["me"])


def test_older_workflows_are_replaced_where_comfyui_can(comfy, monkeypatch):
    asyncio.run(comfy.extension.on_load())  # 0.3.64 knows no replacements
    assert comfy.latest.api.registered == []
    monkeypatch.setattr(comfy.latest.io, "NodeReplace", standin.NodeReplace, raising=False)
    asyncio.run(comfy.extension.on_load())
    schemas = {node.__name__: node.define_schema() for node in comfy.nodes}
    old = {"Image Aesthetic Scorer", "Sort by Scores", "Save If", "Score Operations"}
    assert {each.old_node_id for each in comfy.latest.api.registered} == old
    for each in comfy.latest.api.registered:
        schema = schemas[each.new_node_id]
        given = {mapped["new_id"] for mapped in each.input_mapping}
        assert given <= {one.id for one in schema.inputs}
        # Nobody can know the model's name: the person connects one.
        assert {one.id for one in schema.inputs if not one.optional} - given - {"model"} == set()
        assert all(mapped["new_idx"] < len(schema.outputs) for mapped in each.output_mapping)


def test_the_scorer_of_the_pack_is_that_of_the_toolkit(scorer, model):
    picture = Image.new("RGB", (20, 20), (200, 100, 50))
    ours = load_scorer(model, "cpu").score([picture]).values
    np.testing.assert_allclose(scorer.score([picture]).values, ours, atol=1e-5)
