"""The pictures of docs/feature-decoder.md, from the decoders that benchmarks/feature_decoder.py left.

    python benchmarks/feature_decoder_pictures.py ../shared/data/oasis [--work feature_decoder_benchmark] [--to docs]

Takes the newest finished run of each set of that benchmark: head, pixels, blocks. Writes feature-decoder-drawn.jpg,
val images and what each decoder draws of them; -way.jpg, between two images; and -taste.jpg: a Gaussian process of
the mean beauty is fitted to all images' heads and written into --work, and features walk to what it likes better.
"""

import argparse
import csv
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from PIL import Image

from benchmarks.feature_decoder import quiet, read
from src.model import fit_gp, save_predictor
from studies.common.pictures import as_image, draw_sheet
from studies.common.runs import RESULTS, numbered, read_configuration
from studies.feature_decoder import reconstruct
from studies.feature_decoder.decoder import as_pixels, drawn
from studies.feature_decoder.seeing import load_again, looked_at
from studies.feature_decoder.train import load_decoder

SETS = {  # hidden states, whether there is a perceptual term
    "from the head": ([0], True),
    "head, pixels alone": ([0], False),
    "blocks 10 and 14": ([3, 7], True),
}
SHOWN = ("Alcohol1", "Cat10", "Cups2", "Explosion6", "Hanggliding3", "Research1", "Weddingring1")
WAY = ("Path1", "Explosion4")
WALKED = ("Path1", "Fence2", "Hallway1", "Cups1")
QUALITY = 85


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--work", type=Path, default=Path("feature_decoder_benchmark"), help="that of the benchmark")
    parser.add_argument("--to", type=Path, default=Path(__file__).parents[1] / "docs", help="where pictures go")
    arguments = parser.parse_args()
    oasis, work, to = arguments.oasis.resolve(), arguments.work.resolve(), arguments.to.resolve()
    runs = {name: run_of(work, *wanted) for name, wanted in SETS.items()}
    head = runs["from the head"]
    draw_sets(oasis, work, runs, to / "feature-decoder-drawn.jpg")
    way = sheet_of(oasis, work, head, WAY, "--interpolate=7")
    as_jpeg(way / "way.png", to / "feature-decoder-way.jpg")
    taste = sheet_of(oasis, work, head, WALKED, f"--from_model={fit_beauty(oasis, work, head)}")
    as_jpeg(taste / "high.png", to / "feature-decoder-taste.jpg")


def run_of(work: Path, states: list[int], perceptual: bool) -> Path:
    """The newest one of the benchmark's that is finished and was trained on versions of all photographs."""
    found = []
    for path in numbered(work / "runs", "decoder").values():
        options = read_configuration(path)["options"]
        same = options["hidden_states_used"] == states and bool(options["perceptual_weight"]) == perceptual
        if same and options["augment"] > 1 and (path / RESULTS).is_file():
            found.append(path)
    if not found:
        raise SystemExit(
            f"{work}: no finished run of hidden states {states}; run benchmarks/feature_decoder.py first"
        )
    return found[-1]


def draw_sets(oasis: Path, work: Path, runs: dict[str, Path], path: Path) -> None:
    """The images above, and below them a row for each decoder."""
    rows = []
    for run in runs.values():
        decoder, configuration = load_decoder(run, "cpu")
        identity = configuration["identity"]
        paths = [f"images/{name}.jpg" for name in SHOWN]
        states, size = tuple(identity["hidden_states"]), identity["size"]
        looked = looked_at(read("train", oasis, work), oasis, load_again(identity, "cpu"), states, size, paths)
        rows.append([as_image(one) for one in as_pixels(drawn(decoder, torch.from_numpy(looked.features))).numpy()])
    images = [as_image(one) for one in looked.pixels]
    draw_sheet(work / "drawn.png", [images, *rows], ["the image", *runs])
    as_jpeg(work / "drawn.png", path)


def sheet_of(oasis: Path, work: Path, run: Path, names: tuple[str, ...], *words: str) -> Path:
    """The folder into which `reconstruct` drew."""
    images = ",".join(f"images/{name}.jpg" for name in names)
    with quiet():
        return reconstruct.main(read("reconstruct", oasis, work, f"--model={run}", f"--images={images}", *words))


def fit_beauty(oasis: Path, work: Path, run: Path) -> Path:
    """A model of the mean beauty of all photographs, from the features that the decoder reads."""
    identity = read_configuration(run)["identity"]
    extractor, states = load_again(identity, "cpu"), tuple(identity["hidden_states"])
    with (oasis / "ratings.csv").open(encoding="utf-8") as file:
        beauty = {row["relative_path"]: float(row["beauty_mean"]) for row in csv.DictReader(file)}
    looked = looked_at(read("train", oasis, work), oasis, extractor, states, identity["size"], sorted(beauty))
    scores = np.array([beauty[path] for path in looked.paths])
    save_predictor(work / "beauty.safetensors", fit_gp({states[0]: looked.features}, scores, extractor=extractor))
    return work / "beauty.safetensors"


def as_jpeg(path: Path, to: Path) -> None:
    Image.open(path).convert("RGB").save(to, quality=QUALITY)
    print(to, f"{to.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
