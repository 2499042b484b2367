"""What image files say of how they were made, written as ComfyUI, A1111's web UI and cameras write it."""

import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from src.features import facts_of

A1111 = """a cat, (masterpiece:1.2),
in the rain
Negative prompt: blurry, ugly
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234567890, Size: 512x768, Model hash: 6ce0161689, \
Model: v1-5-pruned, Lora hashes: "one: 1a2b, two: 3c4d", Version: v1.6.0"""

# The default workflow, with a LoRA, and its prompt by way of another node.
COMFYUI = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 156680208700286,
            "steps": 20,
            "cfg": 8.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1.0,
            "model": ["10", 0],
            "positive": ["6", 0],
            "negative": ["7", 0],
            "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["11", 0], "clip": ["10", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "watermark", "clip": ["10", 1]}},
    "10": {"inputs": {"lora_name": "ink.safetensors", "model": ["4", 0], "clip": ["4", 1]}},
    "11": {"inputs": {"value": "a glass bottle, Köln", "is_changed": [float("nan")]}},
}


def png(path, text=None, **texts):
    info = PngInfo()
    for name, value in texts.items():
        info.add_text(name, value, zip=len(value) > 5000)
    Image.new("RGB", (4, 4)).save(path, pnginfo=info)
    return path


def comes_from_a1111(facts):
    assert facts["prompt"] == "a cat, (masterpiece:1.2),\nin the rain"
    assert facts["negative prompt"] == "blurry, ugly"
    assert (facts["seed"], facts["model"], facts["sampler"]) == ("1234567890", "v1-5-pruned", "Euler a")
    assert facts["lora hashes"] == "one: 1a2b, two: 3c4d"


def comes_from_comfyui(facts):
    assert list(facts)[:4] == ["prompt", "negative prompt", "seed", "model"]
    assert (facts["prompt"], facts["negative prompt"]) == ("a glass bottle, Köln", "watermark")
    assert (facts["seed"], facts["model"]) == ("156680208700286", "v1-5.safetensors, ink.safetensors")
    assert (facts["steps"], facts["cfg"], facts["sampler"]) == ("20", "8.0", "euler")


def test_of_a1111s_png_and_jpeg(tmp_path):
    comes_from_a1111(facts_of(png(tmp_path / "a.png", parameters=A1111)))
    for order, name in (("utf-16-be", "big.jpg"), ("utf-16-le", "little.webp")):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + A1111.encode(order)
        Image.new("RGB", (4, 4)).save(tmp_path / name, exif=exif)
        comes_from_a1111(facts_of(tmp_path / name))


def test_of_comfyuis_png_and_webp_with_workflows_of_megabytes(tmp_path):
    graph, workflow = json.dumps(COMFYUI), json.dumps({"nodes": ["x" * 3_000_000]})
    comes_from_comfyui(facts_of(png(tmp_path / "a.png", workflow=workflow, prompt=graph)))
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "workflow:{}", f"prompt:{graph}"
    Image.new("RGB", (4, 4)).save(tmp_path / "a.webp", exif=exif)
    comes_from_comfyui(facts_of(tmp_path / "a.webp"))


def test_of_a_graph_without_a_sampler_that_is_known_all_words_are_given(tmp_path):
    graph = {"1": {"inputs": {"noise_seed": 7}}, "2": {"inputs": {"t5xxl": "a fox", "clip_l": "fox"}}, "3": "odd"}
    facts = facts_of(png(tmp_path / "a.png", prompt=json.dumps(graph)))
    assert facts == {"prompt": "fox\na fox", "seed": "7"}


def test_of_a_photograph(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "NIKON CORPORATION", "NIKON Z 6\0"
    taken = {0x9003: "2024:05:01 12:00:00", 0x8827: 400}
    exif.get_ifd(0x8769).update({0x829A: 1 / 250, 0x829D: 2.8, 0x920A: 50.0, **taken})
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg", exif=exif)
    facts = facts_of(tmp_path / "a.jpg")
    assert (facts["camera"], facts["exposure"], facts["aperture"]) == ("NIKON Z 6", "1/250 s", "f/2.8")
    assert (facts["ISO"], facts["focal length"], facts["taken"]) == ("400", "50 mm", "2024:05:01 12:00:00")


@pytest.mark.parametrize(
    "texts",
    [
        {"prompt": "{" * 100_000},
        {"prompt": '{"1": {"inputs": {"positive": ["1", 0]}}}'},  # leads to itself
        {"prompt": "[1]"},
        {"parameters": "Steps: "},
        {"parameters": "Steps: x, Seed"},
        {},
    ],
    ids=range(6),
)
def test_nonsense_says_nothing(tmp_path, texts):
    assert set(facts_of(png(tmp_path / "a.png", **texts))) <= {"prompt", "steps"}


def test_whatever_the_bytes_it_never_raises(tmp_path):
    whole = png(tmp_path / "a.png", parameters=A1111 * 30, prompt="{}").read_bytes()
    for cut in range(0, len(whole), 7):
        (tmp_path / "b.png").write_bytes(whole[:cut] + b"\xff" + whole[cut + 1 :])
        facts_of(tmp_path / "b.png")
        (tmp_path / "b.png").write_bytes(whole[:cut])
        facts_of(tmp_path / "b.png")
    assert facts_of(tmp_path / "none.png") == {}
