"""The sub-commands of studies/feature_decoder.py: what they write, that a run goes on exactly, what they refuse."""

import csv
import json
import shlex
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

from src.common import UserError
from src.features import embedded_network
from src.model import fit_predictor, save_predictor
from studies.common import looking, observing
from studies.feature_decoder import reconstruct, sweep, train, validate
from studies.feature_decoder.decoder import FOLDED_FROM, Decoder
from studies.feature_decoder.export import export_onnx
from studies.feature_decoder.options import read_command
from studies.feature_decoder.steering import Taste, walk
from tests import ROOT
from tests.studies.conftest import make_styles, same_weights, stopping_after
from tests.toys import ToyExtractor

SMALL = (
    "--feature_extractor_model=toy",
    "--perceptor=efficientnet-lite0",
    "--taps=0,2",
    "--size=8",
    "--batch_size=8",
    "--epochs=3",
    "--fraction_for_val=0.25",
)

pytestmark = pytest.mark.script  # whole runs of a study


@pytest.fixture(autouse=True)
def one_perceptor(monkeypatch):
    """Its weights are read once."""
    monkeypatch.setattr(observing, "embedded_network", cache(embedded_network))


def arguments(command, root, *words):
    return read_command([command, str(root), "--device=cpu", *words])


def run(root, *words):
    return train.main(arguments("train", root, *SMALL, *words))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of 44 pictures, and a decoder of the features of the toy extractor."""
    root = make_styles(tmp_path_factory.mktemp("decoded") / "photos", {"bars": 24, "dots": 12, "rings": 8})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking, "load_extractor", lambda name, device="auto": ToyExtractor(name))
        patch.setattr(observing, "embedded_network", cache(embedded_network))
        return root, run(root, "--epochs=12", "--lr=0.02")


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_training_says_its_configuration_first_then_each_loss_and_leaves_grids(gallery, capsys):
    folder = run(gallery, "--visualize_each_step=4", "--epochs=3", "--log")
    assert folder == gallery.with_name("gallery_runs") / "decoder1"
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "command: train"
    assert any("features each; the decoder has 0." in line or " MB" in line for line in said)
    _, *epochs = "\n".join(said).partition("\n\nthe best epoch")[0].split("\nepoch ")
    assert len(epochs) == 3
    for name in ("mse", "laplace", "perceptual", "val_loss", "images/s"):
        assert all(name in epoch for epoch in epochs)
    assert max(len(line) for epoch in epochs for line in f"epoch {epoch}".splitlines()) <= 100
    words = shlex.split(said[-1])
    assert Path(words[1]).samefile(ROOT / "studies/feature_decoder.py")
    assert Path(read_command(words[2:]).model) == folder
    history = table(folder / "history.csv")
    assert float(history[-1]["loss"]) < float(history[0]["loss"])
    grids = sorted(path.name for path in (folder / "grids").iterdir())
    assert grids == ["step0000001.png", "step0000004.png", "step0000008.png", "step0000010.png", "step0000012.png"]
    assert Image.open(folder / "grids" / grids[0]).width > 9 * 96
    best = min(float(row["val_loss"]) for row in history)
    assert json.loads((folder / "results.json").read_text())["val_loss"] == pytest.approx(best, rel=1e-4)
    assert (folder / "log1.txt").read_text().startswith("command: train\n")


@pytest.mark.parametrize(
    "words", [("--schedule=plateau",), ("--augment=3", "--accumulate=2", "--adversarial_weight=0.1")]
)
def test_a_stopped_run_goes_on_to_the_same_weights_bit_for_bit(gallery, tmp_path, monkeypatch, words):
    whole = run(gallery, f"--runs={tmp_path / 'whole'}", *words)
    with monkeypatch.context() as patch:
        stopping_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(gallery, *words)
    with pytest.raises(UserError, match=r"decoder1 was run with --lr=0\.001, not 0\.002; say the same, or leave"):
        run(gallery, "--resume", "--lr=0.002", *words)
    folder = run(gallery, "--resume", "--visualize_each_step=0", *words)
    assert same_weights(folder, whole)
    assert (folder / "history.csv").read_text() == (whole / "history.csv").read_text()
    with pytest.raises(UserError, match="decoder1 is finished; leave --resume out"):
        run(gallery, "--resume", *words)


def test_versions_are_the_image_itself_then_mirrored_then_cropped_with_features_of_their_own(gallery):
    given = arguments("train", gallery, *SMALL)
    extractor, states = train.load_decoded(given)
    material = train.see(given, extractor, states)
    features, pixels = train.versions_of(material, extractor, states, 3, 1)
    rows = material.rows("train")
    assert features.shape == (3, len(rows), 6)
    assert (pixels[0] == material.pixels[rows]).all()
    assert np.abs(pixels[1] - material.pixels[rows][..., ::-1].astype(float)).max() <= 1  # resized in another order
    assert features[1] == pytest.approx(features[0], abs=2e-3)  # the toy sees a mean colour
    assert np.abs(features[2] - features[0]).max() > 1e-3
    again, _ = train.versions_of(material, extractor, states, 3, 1)
    assert (again == features).all()


def test_what_can_not_be_trained_is_refused(gallery, tmp_path):
    with pytest.raises(
        UserError,
        match=r"--perceptor=toy: is the image model whose features are decoded, .*such as efficientnet-lite0",
    ):
        run(gallery, "--perceptor=toy")
    with pytest.raises(UserError, match=r"gallery: 3 images are left for val, of 44, and 9 are needed; give more"):
        run(gallery, "--fraction_for_val=0.05")
    with pytest.raises(UserError, match="hidden state 7 does not exist; toy has hidden states 0"):
        run(gallery, "--hidden_states_used=7")
    with pytest.raises(UserError, match="all are 0; give one of them a weight"):
        run(gallery, "--mse_weight=0", "--laplace_weight=0", "--perceptual_weight=0")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no images; give a folder that does"):
        run(tmp_path / "empty")


def test_validation_judges_in_both_image_models_in_text_tables_and_pictures(trained, tmp_path):
    root, folder = trained
    found = validate.main(arguments("validate", root, f"--model={folder}"))
    assert found.parent == folder
    names = {path.name for path in found.iterdir()}
    assert names == {"validation.txt", "validation.json", "validation.csv", "page.html", "pairs.png"}
    figures = json.loads((found / "validation.json").read_text())
    assert figures["images"] == 11
    assert figures["chance"]["top5"] == pytest.approx(5 / 11)
    original = figures["A"]["original at 8 pixels"]
    assert original["top1"] == 1
    assert original["raw"]["min"] > 0.99
    assert figures["A"]["reconstruction"]["centred"]["mean"] > 0.6  # a colour is soon learnt
    assert set(figures["psnr"]) == {"reconstruction", "original at 8 pixels", "mean image"}
    rows = table(found / "validation.csv")
    assert list(rows[0]) == ["path", "cosine_A", "centred_A", "rank_A", "cosine_B", "centred_B", "rank_B", "psnr"]
    own = np.mean([float(row["rank_A"]) < 5 for row in rows])
    assert own == pytest.approx(figures["A"]["reconstruction"]["top5"])
    page = (found / "page.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 11
    assert rows[0]["path"] in page
    others = make_styles(tmp_path / "others", {"dots": 5, "rings": 5}, first=60)
    (others / "dots" / "broken.png").write_bytes(b"no picture")
    other = validate.main(arguments("validate", root, f"--model={folder}", f"--set={others}"))
    assert json.loads((other / "validation.json").read_text())["images"] == 10
    few = make_styles(tmp_path / "few", {"dots": 3})
    with pytest.raises(UserError, match="few: 3 images are too few to judge by; give 9 or more"):
        validate.main(arguments("validate", root, f"--model={folder}", f"--set={few}"))


def test_the_last_weights_draw_too_and_are_others_than_the_best(gallery):
    folder = run(gallery, "--lr=0.05", "--epochs=8", "--visualize_each_step=0")
    best, last = (train.load_decoder(folder, "cpu", which)[0].state_dict() for which in ("best", "last"))
    kept = json.loads((folder / "results.json").read_text())["epoch"]
    assert all(torch.equal(best[key], last[key]) for key in best) == (kept == 8)
    words = (f"--model={folder}", "--images=bars/000.png", "--weights=last")
    assert reconstruct.main(arguments("reconstruct", gallery, *words)).name == "reconstruction1"


def test_a_decoder_whose_doubling_is_folded_is_written_as_onnx_too(tmp_path):
    decoder, features = Decoder(6, 32, "small", True), np.random.default_rng(0).normal(size=(3, 6))
    assert decoder.sizes[-2] >= FOLDED_FROM
    assert export_onnx(decoder, tmp_path / "decoder.onnx", {}, features.astype(np.float32)) < 1e-4
    with pytest.raises(UserError, match=r"--export_onnx=.*a\.jpg: must end with \.onnx"):
        export_onnx(decoder, tmp_path / "a.jpg", {}, features.astype(np.float32))


def test_features_of_another_image_model_are_refused(trained, tmp_path, monkeypatch):
    root, folder = trained
    np.save(tmp_path / "wide.npy", np.zeros((2, 5), np.float32))
    (tmp_path / "text.npy").write_text("features")
    np.save(tmp_path / "nan.npy", np.full((1, 6), np.nan))
    for name, said in {
        "wide": r"wide\.npy: is an array of 2 x 5; the decoder takes rows of 6: hidden states 0,1 of toy",
        "text": r"text\.npy: can't be read as an array of numbers",
        "nan": r"nan\.npy: holds numbers that are not finite; leave those rows out",
    }.items():
        with pytest.raises(UserError, match=said):
            reconstruct.main(arguments("reconstruct", tmp_path / f"{name}.npy", f"--model={folder}"))
    with pytest.raises(UserError, match=r"wide\.npy: features alone don't say which decoder draws them; name its"):
        reconstruct.main(arguments("reconstruct", tmp_path / "wide.npy"))
    with pytest.raises(UserError, match="--towards=low: is for the walk with --from_model; give a model, or leave"):
        reconstruct.main(arguments("reconstruct", tmp_path / "wide.npy", f"--model={folder}", "--towards=low"))
    monkeypatch.setattr(ToyExtractor, "default_hidden_states", (0,))

    def changed(name, device="auto"):
        extractor = ToyExtractor(name)
        extractor.identity = "toy 2"
        return extractor

    monkeypatch.setattr(looking, "load_extractor", changed)
    with pytest.raises(UserError, match="toy: is another image model by now than when the decoder was trained"):
        validate.main(arguments("validate", root, f"--model={folder}"))


def test_a_run_of_another_study_is_no_decoder(trained, tmp_path):
    root, _ = trained
    (tmp_path / "ae1").mkdir()
    (tmp_path / "ae1" / "run.json").write_text('{"command": "ae", "options": {}, "split": {}}')
    with pytest.raises(UserError, match="ae1: is an output folder of ae; name one of decoder's"):
        validate.main(arguments("validate", root, f"--model={tmp_path / 'ae1'}"))


def test_pictures_of_a_folder_and_of_an_array_are_the_same(trained, tmp_path):
    root, folder = trained
    names = ("bars/000.png", "dots/001.png", "rings/002.png")
    words = (f"--model={folder}", f"--images={','.join(names)}")
    found = reconstruct.main(arguments("reconstruct", root, *words))
    log = (found / "log1.txt").read_text(encoding="utf-8")
    assert all(f"{name}  " in log for name in names)
    colours = [np.asarray(Image.open(root / name).resize((4, 4))).mean(axis=(0, 1)) / 255 for name in names]
    np.save(tmp_path / "own.npy", np.concatenate([colours, np.square(colours)], axis=1).astype(np.float32))
    again = reconstruct.main(arguments("reconstruct", tmp_path / "own.npy", f"--model={folder}"))
    for i, name in enumerate(names):
        first, second = (
            np.asarray(Image.open(path), dtype=int)
            for path in (found / f"pictures/{name}.png", again / f"pictures/row {i}.png")
        )
        assert first.shape == (8, 8, 3)
        assert np.abs(first - second).max() <= 1
    assert Image.open(found / "pairs.png").height > Image.open(again / "pairs.png").height


def test_means_and_ways_between_two_begin_and_end_at_the_images(trained):
    root, folder = trained
    words = (f"--model={folder}", "--images=bars/000.png,dots/001.png")
    each = reconstruct.main(arguments("reconstruct", root, *words))
    found = reconstruct.main(arguments("reconstruct", root, *words, "--average", "--interpolate=5"))
    ends = [(found / f"way/0{i}.png").read_bytes() for i in (0, 4)]
    assert ends == [(each / f"pictures/{name}.png").read_bytes() for name in ("bars/000.png", "dots/001.png")]
    assert (found / "average.png").read_bytes() == (found / "way/02.png").read_bytes()
    with pytest.raises(UserError, match="--interpolate: goes from one image to another, here are 44; name two by"):
        reconstruct.main(arguments("reconstruct", root, f"--model={folder}", "--interpolate=3"))
    with pytest.raises(UserError, match=r"--images: there is no bars/900\.png in "):
        reconstruct.main(arguments("reconstruct", root, f"--model={folder}", "--images=bars/900.png"))


def test_the_onnx_file_draws_what_torch_draws_and_says_what_of(trained, tmp_path, monkeypatch):
    root, folder = trained
    path = tmp_path / "decoder.onnx"
    words = (f"--model={folder}", "--images=bars/000.png,dots/001.png,rings/000.png", f"--export_onnx={path}")
    found = reconstruct.main(arguments("reconstruct", root, *words))
    assert "draws as torch does" in (found / "log1.txt").read_text()
    decoder, configuration = train.load_decoder(folder, "cpu")
    features = np.random.default_rng(0).random((5, 6)).astype(np.float32)  # another number of images
    (pictures,) = onnxruntime.InferenceSession(path.read_bytes()).run(None, {"features": features})
    assert pictures == pytest.approx(decoder(torch.from_numpy(features)).numpy(), abs=1e-4)
    said = {prop.key: json.loads(prop.value) for prop in onnx.load(path).metadata_props}
    assert (said["image_model"], said["hidden_states"]) == ("toy", [0, 1])
    monkeypatch.setattr("studies.feature_decoder.export._difference", lambda *_: float("nan"))
    path.unlink()
    with pytest.raises(UserError, match="not written, its pictures differ from torch's by nan"):
        export_onnx(decoder, path, configuration["identity"], features)
    assert not path.exists()


@pytest.fixture
def model(trained, tmp_path):
    """A model that likes red, of the toy extractor's hidden state 1."""
    red = np.random.default_rng(1).random((60, 3)).astype(np.float32)
    predictor = fit_predictor({1: red}, red[:, 0], extractor=ToyExtractor("toy"), epochs=20)
    save_predictor(tmp_path / "red.safetensors", predictor)
    return tmp_path / "red.safetensors"


def test_a_walk_raises_the_score_at_every_stop_and_stays_in_the_range_of_the_train_images(trained, model):
    _, folder = trained
    _, configuration = train.load_decoder(folder, "cpu")
    space = train.load_space(folder, configuration["identity"])
    taste = Taste(model, ToyExtractor("toy"), (0, 1), (3, 3))
    start = np.stack([space["mean"], space["mean"]])
    for towards, sign in (("high", 1), ("low", -1)):
        stops = walk(start, taste, space, towards, 2.0)
        scores = [float(taste(stop)[0]) for stop in stops]
        assert all(sign * (after - before) > 0 for before, after in pairwise(scores))
        assert (stops >= torch.from_numpy(space["least"]) - 1e-6).all()
        assert (stops <= torch.from_numpy(space["most"]) + 1e-6).all()
        assert torch.equal(stops[0], torch.from_numpy(start))


def test_what_a_model_likes_is_drawn_with_two_scores_under_each(trained, model):
    root, folder = trained
    words = (f"--model={folder}", f"--from_model={model}", "--images=bars/000.png,dots/001.png", "--distance=2")
    found = reconstruct.main(arguments("reconstruct", root, *words, "--towards=low"))
    assert Image.open(found / "low.png").height > 2 * (96 + 18)
    line = next(x for x in (found / "log1.txt").read_text().splitlines() if x.startswith("bars/000.png"))
    scores = [float(pair) for pair in line.split(": ")[1].split() if pair != "/"]
    assert scores[0] > scores[-2]  # of the features, at the first stop and the last
    assert (found / "low/bars/000.png.png").is_file()
    average = reconstruct.main(arguments("reconstruct", root, *words, "--average"))
    assert (average / "high/average.png").is_file()


def test_a_model_of_another_image_model_or_of_other_states_is_refused(trained, model, tmp_path):
    root, folder = trained
    features = np.random.default_rng(1).random((20, 3)).astype(np.float32)
    other = tmp_path / "other.safetensors"
    save_predictor(other, fit_predictor({0: features}, features[:, 0], extractor="efficientnet-lite0", epochs=1))
    with pytest.raises(UserError, match="takes features of efficientnet-lite0, and the decoder those of toy; give"):
        reconstruct.main(arguments("reconstruct", root, f"--model={folder}", f"--from_model={other}"))
    with pytest.raises(UserError, match="takes hidden state 1, which the decoder does not read; train a decoder"):
        Taste(model, ToyExtractor("toy"), (0,), (3,))


def test_a_sweep_sets_decoders_of_several_states_side_by_side(gallery):
    words = [word for word in SMALL if "epochs" not in word]
    folder = sweep.main(arguments("sweep", gallery, *words, "--epochs=1", "--states=0:0,1"))
    assert folder.name == "sweep1"
    rows = table(folder / "sweep.csv")
    assert [(row["states"], row["features"]) for row in rows] == [("0", "3"), ("0,1", "6")]
    assert {path.name for path in folder.iterdir()} >= {"decoder1", "decoder2", "sweep.png", "run.json"}
    assert Image.open(folder / "sweep.png").height > 3 * 96
    with pytest.raises(UserError, match="--states: a set is named twice; give different ones"):
        sweep.main(arguments("sweep", gallery, *words, "--states=0:0"))
