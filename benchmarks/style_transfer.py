"""Do transferred images have the style, and still the content? The figures of docs/style-folders.md on transfer.

    python benchmarks/style_transfer.py ../shared/data/oasis [--seeds 1,2,3] [--transfer=--style_weight=4]

Photographs of harmless themes (lakes, flowers, dogs, …), each through five filters of Pillow: grey, sepia, posterise,
contour, mode. A photograph is on one side of a split in all styles. Trains autoencode, embed and transfer, then asks,
for the test images, each drawn in another style:

- how often logistic regression on efficientnet-lite2's head (transfer trains with lite0), taught by the train images,
  takes what is drawn for the wanted style; and how often the reconstruction, which is not transferred;
- how often the photograph is among the five of its style in the test split whose lite2 head is nearest.
"""

import argparse
import contextlib
import io
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from sklearn.linear_model import LogisticRegression

from src.features import extract
from studies.common.pictures import as_image
from studies.common.runs import numbered, read_configuration
from studies.style_folders import autoencode, embed, transfer
from studies.style_folders.options import read_command

THEMES = (
    "Lake|Beach|Sunset|Flowers|Dog|Cat|Rocks|Grass|Galaxy|Camping|Dessert|Acorns|Bird|Boat|Bricks|Penguins|Horse|Elephant|"
    "Nature|Sky|Sunflower|Waterfall|Pinecone|Ferret|Fence|Road|Sidewalk|Yarn|Snow|Desert|Tiger|Lion|Monkey|Cold|Bark|"
    "Roofing|Wall|Skyscraper|City|Bridge"
)
FILTERS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "sepia": lambda image: ImageOps.colorize(ImageOps.grayscale(image), "#2b1608", "#ffe9c4", mid="#a9743f"),
    "posterise": lambda image: ImageOps.posterize(image, 2),
    "contour": lambda image: image.filter(ImageFilter.CONTOUR),
    "mode": lambda image: image.filter(ImageFilter.ModeFilter(9)),
}
SIDE = 128  # pixels of the filtered photographs
TAUGHT = 400  # train images that the classifier learns from
NEAREST = 5
PHOTOGRAPH = r"--group_regex=/(.*)\.png$"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--work", type=Path, default=Path("style_transfer_benchmark"), help="pictures and runs")
    parser.add_argument("--transfer", default="", help="options of transfer, such as --transfer=--style_weight=4")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    make_folders(arguments.oasis.resolve() / "images", work / "filters")
    for seed in arguments.seeds.split(","):
        began = time.process_time()
        folder = train(work, int(seed), arguments.transfer.split())
        print(f"seed {seed}: trained in {time.process_time() - began:.0f} CPU seconds, {folder.name}", flush=True)
        ask(work / "filters", folder, int(seed))
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, a thread")


def make_folders(photographs: Path, folder: Path) -> None:
    for path in sorted(photographs.iterdir()):
        if not re.fullmatch(f"({THEMES})s?", re.sub(r"[\s\d]+$", "", path.stem)):
            continue
        image = ImageOps.fit(Image.open(path).convert("RGB"), (SIDE, SIDE))
        for name, filtered in FILTERS.items():
            target = folder / name / f"{path.stem}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                filtered(image).save(target)


def train(work: Path, seed: int, words: Sequence[str]) -> Path:
    """An autoencoder that an earlier run of this seed left is used again. words: more options of transfer."""
    runs = f"--runs={work / 'runs'}"
    known = numbered(work / "runs", "ae").values()
    if not (own := [path for path in known if read_configuration(path)["options"]["seed"] == seed]):
        own = [command("autoencode", autoencode.main, work, runs, f"--seed={seed}", PHOTOGRAPH, "--epochs=10")]
    embedded = command("embed", embed.main, work, runs, f"--seed={seed}", f"--model={own[-1]}", "--epochs=1")
    return command("transfer", transfer.main, work, runs, f"--seed={seed}", f"--model={embedded}", *words)


def command(name: str, run: Callable[..., Path], work: Path, *words: str) -> Path:
    given = read_command([name, str(work / "filters"), "--device=cpu", *words])
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return run(given)


def ask(root: Path, folder: Path, seed: int) -> None:
    network, encoder = transfer.load_transfer(folder, "cpu")
    embedded = Path(read_configuration(folder)["identity"]["embed"])
    configuration = read_configuration(Path(read_configuration(embedded)["identity"]["model"]))
    styles, x = embed.seen_by(configuration, root)
    generator = np.random.default_rng(seed)
    taught = generator.permutation(styles.rows("train"))[:TAUGHT]
    test = styles.rows("test")
    codes = styles.codes[test]
    wanted = (codes + generator.integers(1, len(styles.names), len(test))) % len(styles.names)
    drawn = {
        "reconstruction": autoencode.drawn_again(encoder, torch.from_numpy(x[test])),
        "transferred": transfer.transferred(network, encoder, x[test], wanted),
    }
    classifier = LogisticRegression(C=0.01, max_iter=300).fit(seen(x[taught]), styles.codes[taught])
    originals = seen(x[test])
    print(f"classifier on untouched test images: {np.mean(classifier.predict(originals) == codes):.3f}")
    print(f"{'':<18}{'wanted style':>14}{'found among 5':>15}")
    for name, pictures in drawn.items():
        features = seen(pictures)
        hits = classifier.predict(features) == wanted
        print(f"{name:<18}{hits.mean():>14.3f}{found(features, originals, codes).mean():>15.3f}", flush=True)
        by_style = [f"{style} {hits[wanted == code].mean():.2f}" for code, style in enumerate(styles.names)]
        print(f"{'':<18}{', '.join(by_style)}", flush=True)


def seen(pictures: np.ndarray) -> np.ndarray:
    """(N, 1280) standardised by nothing but its own length."""
    features = extract([as_image(one) for one in pictures], "efficientnet-lite2", [0])[0]
    return 30 * features / np.linalg.norm(features, axis=1, keepdims=True)


def found(features: np.ndarray, originals: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(N,) bool: is an image's own original among the five nearest of the same style?"""
    hits = []
    for row, feature in enumerate(features):
        others: Sequence[int] = np.flatnonzero(codes == codes[row])
        nearest = np.argsort(-(originals[others] @ feature))[:NEAREST]
        hits.append(row in np.asarray(others)[nearest])
    return np.array(hits)


if __name__ == "__main__":
    main()
