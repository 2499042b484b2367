"""What a GPU gains, and whether it finds what the CPU finds.

    python benchmarks/gpu.py [--images 256] [--networks 64]

Nothing is needed but the project: everything is made up. Where there is no GPU it says so in one line. Prints seconds
on the GPU and on the CPU (after a warm-up; the GPU is waited for), their ratio, and how far apart the results are:

1. extraction: a ViT-L/14 of random weights, saved as a checkpoint and loaded by the toolkit, over noise of 224
   pixels; the largest difference in deviations of the features (on the GPU products may be rounded to TF32);
2. a population: so many networks of 1,280 features side by side, against one after the other on the CPU; the largest
   difference of their scores, in deviations;
3. a Gaussian process of 1,000 images: it is fitted on the CPU in any case, and scores 100,000.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from PIL import Image

from src.features import FeatureCache, extract_features, load_extractor
from src.model import (
    PredictorConfig,
    TrainingConfig,
    TrainingData,
    fit_components,
    fit_gaussian_process,
    train_population,
)

DEVICES = ("cpu", "cuda")


def extraction(images: int) -> tuple[dict[str, float], float]:
    """Seconds by device, and the largest difference."""
    seconds, found = {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _checkpoint(folder / "vit")
        generator, paths = np.random.default_rng(0), [f"{number}.png" for number in range(images + 8)]
        for path in paths:
            Image.fromarray(generator.integers(0, 256, (224, 224, 3), dtype=np.uint8)).save(folder / path)
        for device in DEVICES:
            extractor = load_extractor(str(folder / "vit"), device)
            cache = FeatureCache(folder / f"cache-{device}")
            extract_features(folder, paths[:8], extractor, (0,), cache)
            start = time.perf_counter()
            found[device] = extract_features(folder, paths[8:], extractor, (0,), cache).states[0]
            seconds[device] = time.perf_counter() - start
    return seconds, float(np.abs(found["cuda"] - found["cpu"]).max() / found["cpu"].std())


def _checkpoint(folder: Path) -> None:
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    large = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    config = CLIPVisionConfig(patch_size=14, image_size=224, projection_dim=768, **large)
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)


def population(networks: int) -> tuple[dict[str, float], float]:
    """The same for networks that are trained."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(1000, 1280, generator=generator)
    known = TrainingData(inputs, torch.tanh(inputs[:, :20].sum(1) / 5), torch.ones(1000))
    config = PredictorConfig("benchmark", (0,), "join", (1280,), (200, 50), (0.0, 0.0, 0.0))
    configs = [(config, TrainingConfig(10, 32, -3.0, 0.0, 0.1, seed=seed)) for seed in range(networks)]

    def on(device: str, few: int) -> np.ndarray:
        data = TrainingData(*(part.to(device) for part in (inputs, known.scores, known.weights)))
        data = replace(data, components=fit_components(data.inputs, (1280,), 256))
        if device == "cuda":
            found = train_population(configs[:few], data)
        else:
            found = [each for one in configs[:few] for each in train_population([one], data)]
        return np.stack([each.predict(data.inputs)[0] for each in found if each])

    return _both(lambda device: on(device, 2), lambda device: on(device, networks))


def process() -> tuple[dict[str, float], float]:
    """The same for scores of a Gaussian process."""
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(100_000, 1280, generator=generator)
    config = PredictorConfig("benchmark", (0,), "join", (1280,), (), (0.0,))
    fitted = fit_gaussian_process(config, inputs[:1000], inputs[:1000, :20].sum(1).double().numpy())

    def on(device: str, few: int) -> np.ndarray:
        return fitted.to(device).predict(inputs[:few])[0]

    return _both(lambda device: on(device, 1000), lambda device: on(device, len(inputs)))


def _both(warm: Callable[[str], np.ndarray], work: Callable[[str], np.ndarray]) -> tuple[dict[str, float], float]:
    seconds, found = {}, {}
    for device in DEVICES:
        warm(device)
        start = time.perf_counter()
        found[device] = work(device)
        seconds[device] = time.perf_counter() - start
    return seconds, float(np.abs(found["cuda"] - found["cpu"]).max() / found["cpu"].std())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--networks", type=int, default=64)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no GPU here that torch can use; nothing was measured.")
        return
    print(f"{torch.cuda.get_device_name()}, {os.cpu_count()} cores, torch {torch.__version__}")
    print(f"{'':<24}{'GPU, s':>10}{'CPU, s':>10}{'ratio':>8}{'apart':>12}")
    parts = {
        f"{arguments.images} images, ViT-L/14": lambda: extraction(arguments.images),
        f"{arguments.networks} networks": lambda: population(arguments.networks),
        "100,000 scores of a GP": process,
    }
    for name, part in parts.items():
        seconds, apart = part()
        ratio = seconds["cpu"] / seconds["cuda"]
        print(f"{name:<24}{seconds['cuda']:>10.2f}{seconds['cpu']:>10.2f}{ratio:>8.1f}{apart:>12.2g}", flush=True)


if __name__ == "__main__":
    main()
