"""What do features still hold, and what does the perceptual term add? The figures of docs/feature-decoder.md.

    python benchmarks/feature_decoder.py ../shared/data/oasis [--only head,pixels,blocks,overfit,speed] [--epochs 36]

The folder holds the OASIS photographs and is only read. Split by theme (file name without its number): four fifths to
learn from, one to judge by. efficientnet-lite0 is decoded (A), efficientnet-lite2 is the perceptor (B). Prints, each
run with its CPU seconds:

- head: from the pooled head, 1280 features, 64 x 64 pixels; pixels: the same decoder without the perceptual term, the
  peer; blocks: from blocks 10 and 14 (hidden states 7 and 3) instead;
- overfit: 16 images, learnt by heart (the last weights, as val images get worse meanwhile): is each found by its
  reconstruction?
- speed: images a second in training, as a share of forward and backward alone on tensors that are ready.
"""

import argparse
import contextlib
import io
import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from studies.common.observing import Observer
from studies.common.runs import read_configuration
from studies.feature_decoder import train, validate
from studies.feature_decoder.losses import Perceptor, laplacian
from studies.feature_decoder.options import read_command
from studies.feature_decoder.train import build

THEME = r"--group_regex=([^/]*?)[\s\d]*\.\w+$"
LEARNT = ("--batch_size=24", "--augment=8", THEME)
SETS = {
    "head": ("--hidden_states_used=0",),
    "pixels": ("--hidden_states_used=0", "--perceptual_weight=0"),
    "blocks": ("--hidden_states_used=3,7",),
}
BY_HEART = ("--hidden_states_used=0", "--fraction_for_val=0.36", "--visualize_each_step=0")
LEARNING = {  # to learn by heart pixels weigh more than for images that are new
    "with the perceptor": ("--perceptual_weight=1.5", "--laplace_weight=10", "--mse_weight=10", "--lr=0.0008",
                           "--batch_size=4", "--epochs=220"),
    "by pixels alone": ("--perceptual_weight=0", "--laplace_weight=3", "--batch_size=8", "--epochs=300"),
}  # fmt: skip
IMAGES = 25  # of which 9 are val, and 16 learnt by heart
STEPS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--only", default="head,pixels,blocks,overfit,speed")
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--work", type=Path, default=Path("feature_decoder_benchmark"), help="features, runs")
    arguments = parser.parse_args()
    work, oasis = arguments.work.resolve(), arguments.oasis.resolve()
    wanted = arguments.only.split(",")
    heading()
    for name in [name for name in SETS if name in wanted]:
        run, seconds = trained(oasis, work, *LEARNT, *SETS[name], f"--epochs={arguments.epochs}")
        line(name, judged(oasis, work, run), seconds)
        print(f"{'':<10}{run}", flush=True)
    if "overfit" in wanted:
        overfit(oasis, work)
    if "speed" in wanted:
        speed(oasis, work)
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}", end=", ")
    print(f"threads: {torch.get_num_threads()}")


def read(command: str, root: Path, work: Path, *words: str) -> Namespace:
    folders = (f"--cache_directory={work / 'cache'}", f"--runs={work / 'runs'}", "--device=cpu")
    return read_command([command, str(root), *folders, *words])


@contextlib.contextmanager
def quiet():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def trained(root: Path, work: Path, *words: str) -> tuple[Path, float]:
    """The run's folder, and its CPU seconds, features included."""
    began = time.process_time()
    with quiet():
        run = train.main(read("train", root, work, *words))
    return run, time.process_time() - began


def judged(root: Path, work: Path, run: Path, *words: str) -> dict:
    with quiet():
        folder = validate.main(read("validate", root, work, f"--model={run}", *words))
    return json.loads((folder / "validation.json").read_text(encoding="utf-8"))


def heading() -> None:
    columns = ("top-1 A", "top-5 A", "centred A", "top-5 B", "centred B", "dB", "CPU s")
    print(f"{'':<10}" + "".join(f"{column:>11}" for column in columns))


def line(name: str, found: dict, seconds: float | None) -> None:
    rows = [(name, "reconstruction")]
    if name == "head":
        rows.append(("at 64 px", next(what for what in found["A"] if what != "reconstruction")))
        chance = found["chance"]
        print(f"{'chance':<10}{chance['top1']:>11.3f}{chance['top5']:>11.3f}{'':>11}{chance['top5']:>11.3f}")
    for label, what in rows:
        a, b = found["A"][what], found["B"][what]
        numbers = (a["top1"], a["top5"], a["centred"]["mean"], b["top5"], b["centred"]["mean"])
        text = "".join(f"{number:>11.3f}" for number in numbers) + f"{found['psnr'][what]:>11.2f}"
        print(f"{label:<10}{text}" + (f"{seconds:>11.0f}" if label == name and seconds else ""), flush=True)


def overfit(oasis: Path, work: Path) -> None:
    """16 images of different themes, and how often the nearest original of a reconstruction is its own."""
    few = work / "few"
    linked(sorted((oasis / "images").glob("*1.jpg"))[:: 240 // IMAGES][:IMAGES], few)
    for name, words in LEARNING.items():
        run, seconds = trained(few, work, *BY_HEART, *words)
        known = [few / path for path, split in read_configuration(run)["split"].items() if split == "train"]
        linked(known, work / "known")
        found = judged(few, work, run, f"--set={work / 'known'}", "--weights=last")
        print(f"{len(known)} images by heart, {name}, in {seconds:.0f} CPU s", end="")
        for model in ("A", "B"):
            one = found[model]["reconstruction"]
            print(f"; {model}: top-1 {one['top1']:.3f}, centred cosine {one['centred']['mean']:.3f}", end="")
        print(flush=True)


def linked(paths: Sequence[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for path in paths:
        (folder / path.name).symlink_to(path.resolve())


def speed(oasis: Path, work: Path) -> None:
    """Alternating: an epoch as the study trains it, and as many steps on tensors that are ready."""
    words = ("--hidden_states_used=0", "--batch_size=24", THEME, "--epochs=1", "--visualize_each_step=0")
    ratios = []
    for _ in range(2):
        ready = bare(24, STEPS)
        run, _ = trained(oasis, work, *words)
        rows = json.loads((run / "results.json").read_text(encoding="utf-8"))
        ratios.append(rows["images_per_second"] / ready)
    print(f"training reaches {min(ratios):.2f} to {max(ratios):.2f} of the speed of forward and backward alone")


def bare(batch: int, steps: int) -> float:
    """Images a second: forward, the three losses, backward; no step, no choosing of images."""
    torch.manual_seed(0)
    identity = {"widths": [1280], "size": 64, "decoder": "small", "normalise_features": True, "critic": False}
    decoder = build(identity).decoder
    wanted = torch.rand(batch, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    observer = Observer("efficientnet-lite2", (1, 4, 9, 15, 20), 64, torch.device("cpu"), "taps")
    perceptor = Perceptor(observer, (wanted * 255).to(torch.uint8))
    features = torch.rand(batch, 1280)
    began = time.perf_counter()
    for _ in range(steps):
        pictures = decoder(features)
        loss = (pictures - wanted).square().mean() + laplacian(pictures, wanted) + perceptor(pictures, wanted, True)
        loss.backward()
        decoder.zero_grad()
    return batch * steps / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
