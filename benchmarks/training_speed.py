"""How much faster our training loop is than `transformers.Trainer` on the same network, tensors and metaparameters.

    python benchmarks/training_speed.py [--runs 5] [--epochs 25]

674 x 1280 features, batch 17, layers 606 and 491, AdamW, cosine schedule, gradient clip 1.0, one thread, runs taken
in turn. Prints seconds (median, smallest, largest) and the ratio of the medians; at least 1.3 is wanted.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

from src.model.config import PredictorConfig
from src.model.training import TrainingConfig, TrainingData, train

ROWS, WIDTH, BATCH, LAYERS = 674, 1280, 17, (606, 491)
DROPOUTS = (0.2, 0.2, 0.0)
CONFIG = PredictorConfig("benchmark", (0,), "join", (WIDTH,), LAYERS, DROPOUTS)


def make_data() -> TrainingData:
    """Features with something to learn in them."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(ROWS, WIDTH, generator=generator)
    scores = torch.tanh(inputs[:, :20].sum(1) / 5) + 0.3 * torch.randn(ROWS, generator=generator)
    return TrainingData(inputs, scores, torch.ones(ROWS))


def ours(data: TrainingData, epochs: int) -> nn.Module:
    """Our loop."""
    return train(CONFIG, TrainingConfig(epochs, BATCH, -3.5, -3.5, 0.1), data)


class Peer(nn.Module):
    """What a Trainer takes: a network that returns its own loss."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """features (B, W), labels (B,)."""
        return {"loss": nn.functional.mse_loss(self.network(features).squeeze(-1), labels)}


def plain_network() -> nn.Module:
    """The same layers out of torch's own parts."""
    (first, second), (one, two, three) = LAYERS, DROPOUTS
    hidden = [
        nn.Dropout(one),
        nn.Linear(WIDTH, first),
        nn.ReLU(),
        nn.Dropout(two),
        nn.Linear(first, second),
        nn.ReLU(),
    ]
    return nn.Sequential(*hidden, nn.Dropout(three), nn.Linear(second, 1))


class Rows(torch.utils.data.Dataset):
    """Rows of standardised features and scores."""

    def __init__(self, data: TrainingData) -> None:
        self.features = (data.inputs - data.inputs.mean(0)) / data.inputs.std(0)
        self.labels = (data.scores - data.scores.mean()) / data.scores.std()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return {"features": self.features[row], "labels": self.labels[row]}


def theirs(data: TrainingData, epochs: int, network: nn.Module, folder: str) -> nn.Module:
    """The same by `transformers.Trainer`."""
    arguments = TrainingArguments(
        output_dir=folder,
        num_train_epochs=epochs,
        per_device_train_batch_size=BATCH,
        learning_rate=10**-3.5,
        lr_scheduler_type="cosine",
        warmup_steps=round(0.1 * epochs * ROWS / BATCH),
        weight_decay=0.01,
        max_grad_norm=1.0,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        seed=1,
    )
    trainer = Trainer(model=Peer(network), args=arguments, train_dataset=Rows(data))
    trainer.train()
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=25)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = make_data()
    with tempfile.TemporaryDirectory() as folder:
        ways = {
            "our loop": lambda: ours(data, arguments.epochs),
            "transformers.Trainer": lambda: theirs(data, arguments.epochs, plain_network(), folder),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for run in range(arguments.runs + 1):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                if run > 0:  # the first is a warm-up
                    seconds[name].append(time.perf_counter() - start)
    print(f"{arguments.runs} runs in turn, {arguments.epochs} epochs, torch {torch.__version__}, one thread")
    for name, times in seconds.items():
        ratio = statistics.median(times) / statistics.median(seconds["our loop"])
        print(
            f"{name:<21} {statistics.median(times):6.2f} s ({min(times):.2f} to {max(times):.2f})  ratio {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
