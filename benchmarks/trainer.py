"""The predecessor's way to train one network: `transformers.Trainer` on torch's own layers."""

import tempfile

import torch
from torch import Tensor, nn
from transformers import PrinterCallback, Trainer, TrainingArguments

from src.model.training import TrainingConfig, TrainingData


class Peer(nn.Module):
    """What a Trainer takes: a network that returns its own loss."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """features (B, W), labels (B,)."""
        return {"loss": nn.functional.mse_loss(self.network(features).squeeze(-1), labels)}


def plain_network(width: int, layers: tuple[int, ...], dropouts: tuple[float, ...]) -> nn.Module:
    """Two hidden layers out of torch's own parts."""
    (first, second), (one, two, three) = layers, dropouts
    hidden = [
        nn.Dropout(one),
        nn.Linear(width, first),
        nn.ReLU(),
        nn.Dropout(two),
        nn.Linear(first, second),
        nn.ReLU(),
    ]
    return nn.Sequential(*hidden, nn.Dropout(three), nn.Linear(second, 1))


class Rows(torch.utils.data.Dataset):
    """Rows of standardised features and scores."""

    def __init__(self, data: TrainingData) -> None:
        self.features = (data.inputs - data.inputs.mean(0)) / data.inputs.std(0).clamp(min=1e-6)
        self.labels = (data.scores - data.scores.mean()) / data.scores.std()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return {"features": self.features[row], "labels": self.labels[row]}


def train_by_trainer(
    data: TrainingData, layers: tuple[int, ...], dropouts: tuple[float, ...], config: TrainingConfig
) -> nn.Module:
    """A network of standardised features to standardised scores."""
    steps = config.train_epochs * len(data.scores) / config.batch_size
    network = plain_network(data.inputs.shape[1], layers, dropouts)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=config.train_epochs,
            per_device_train_batch_size=config.batch_size,
            learning_rate=10**config.log_lr,
            lr_scheduler_type="cosine",
            warmup_steps=round(config.warmup_ratio * steps),
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
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return network.eval()
