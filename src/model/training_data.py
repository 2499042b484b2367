"""What training takes: metaparameters, and what is learnt from."""

from dataclasses import dataclass

from torch import Tensor

from .components import Components


@dataclass(frozen=True)
class TrainingConfig:
    """Metaparameters of one training run; lr = 10 ** log_lr, and warmup_ratio is a share of all steps."""

    train_epochs: int
    batch_size: int
    log_lr: float
    log_weight_lr: float
    warmup_ratio: float
    loss_model: str = "mse"
    seed: int = 0


@dataclass(frozen=True)
class Comparisons:
    """What loss choices learns from: shown (C, K) rows and wanted (C, K) as in `metrics.Screens`, weights (C,)."""

    shown: Tensor
    wanted: Tensor
    weights: Tensor


@dataclass(frozen=True)
class TrainingData:
    """The train split: inputs as `predictor.arrange` gives them, scores (N,) and weights (N,), on one device.

    comparisons: of loss choices, which takes the scale alone from scores. components: of these inputs, which networks
    are trained on in their place, in modes that mix nothing.
    """

    inputs: Tensor
    scores: Tensor
    weights: Tensor
    comparisons: Comparisons | None = None
    components: Components | None = None
