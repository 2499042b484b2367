"""One configuration in, one trained predictor out: plain torch, everything in memory, one seed.

Inputs and targets are standardised on the train split; the predictor that comes out takes raw features and returns
scores on the score file's own scale.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..common import standardisation, torch_threads
from .config import PredictorConfig
from .losses import LOSS_FUNCTIONS, WITHOUT_SCALE, Loss, partners
from .network import Predictor, fold_scaling

GRADIENT_CLIP = 1.0


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

    comparisons: of loss choices, which takes the scale alone from scores.
    """

    inputs: Tensor
    scores: Tensor
    weights: Tensor
    comparisons: Comparisons | None = None


def train(
    predictor_config: PredictorConfig,
    config: TrainingConfig,
    data: TrainingData,
    fixed_weights: Tensor | None = None,
    after_epoch: Callable[[int, Predictor], None] | None = None,
) -> Predictor:
    """Train a predictor from scratch; the same arguments give the same predictor on one machine.

    fixed_weights: (L + 1,), the mixing weights of mode weight and their bias, which are then not trained.
    after_epoch: called with the number of epochs done (from 1) and a finished copy of the predictor as it stands.
    The random state of torch outside is left as it was.
    """
    mean, deviation = _mean_and_deviation(data.scores)
    predictor_config = replace(predictor_config, score_mean=mean, score_deviation=deviation)
    devices = [data.inputs.device] if data.inputs.is_cuda else []
    # One thread: on a busy machine, threads that wait for each other in matrices this small cost many times what
    # they gain.
    with torch.random.fork_rng(devices=devices), torch_threads(1):
        torch.manual_seed(config.seed)
        predictor = Predictor(predictor_config)
        if predictor_config.hidden_states_mode == "weight":
            _start_mixing(predictor, fixed_weights)
        predictor.to(data.inputs.device)
        run = _Run(predictor, config, data)
        for epoch in range(config.train_epochs):
            run.epoch()
            if after_epoch:
                after_epoch(epoch + 1, run.finished())
        return run.finished()


class _Run:
    """Everything that stays the same from step to step."""

    def __init__(self, predictor: Predictor, config: TrainingConfig, data: TrainingData) -> None:
        self.predictor, self.config, self.data = predictor, config, data
        self.loss: Loss = LOSS_FUNCTIONS[config.loss_model]
        self.generator = torch.Generator().manual_seed(config.seed)
        with torch.no_grad():
            mixed = predictor.mix(data.inputs).cpu().numpy()  # as it stands before training
        shift, scale = (torch.from_numpy(values).float() for values in standardisation(mixed))
        self.shift, self.scale = shift.to(data.inputs.device), scale.to(data.inputs.device)
        self.mixes = predictor.config.hidden_states_mode == "weight"
        # Where nothing is mixed, the inputs are standardised once and for all.
        self.inputs = data.inputs if self.mixes else (data.inputs - self.shift) / self.scale
        self.targets = (data.scores - predictor.config.score_mean) / predictor.config.score_deviation
        self.parameters = [parameter for parameter in predictor.parameters() if parameter.requires_grad]
        self.optimizer = _optimizer(predictor, config)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        examples = len(self.targets if data.comparisons is None else data.comparisons.shown)
        self.total_steps = config.train_epochs * math.ceil(examples / config.batch_size)
        self.step = 0

    def epoch(self) -> None:
        """One pass over the train split in a new random order."""
        self.predictor.train()
        if self.data.comparisons is not None:
            self._epoch_of_choices(self.data.comparisons)
            return
        order = torch.randperm(len(self.targets), generator=self.generator)
        if self.config.loss_model == "ab":
            others = partners(self.targets.cpu(), order, self.generator)
            order = torch.stack([order, others], dim=1).flatten()  # (2N,)
        order = order.to(self.targets.device)
        rows_per_step = self.config.batch_size * (2 if self.config.loss_model == "ab" else 1)
        inputs, targets, weights = self.inputs[order], self.targets[order], self.data.weights[order]
        for start in range(0, len(order), rows_per_step):
            rows = slice(start, start + rows_per_step)
            self._step(inputs[rows], targets[rows], weights[rows])

    def _epoch_of_choices(self, comparisons: Comparisons) -> None:
        order = torch.randperm(len(comparisons.shown), generator=self.generator).to(comparisons.shown.device)
        for rows in order.split(self.config.batch_size):
            shown = (
                comparisons.shown[rows].clamp(min=0).flatten()
            )  # (B * K,); what fills up is row 0, and not counted
            self._step(self.inputs[shown], comparisons.wanted[rows], comparisons.weights[rows])

    def _step(self, inputs: Tensor, targets: Tensor, weights: Tensor) -> None:
        factor = learning_rate_factor(self.step, self.total_steps, self.config.warmup_ratio)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        loss = self.loss(self._forward(inputs), targets, weights)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        _clip(self.optimizer, self.parameters)
        self.optimizer.step()
        self.step += 1

    def _forward(self, inputs: Tensor) -> Tensor:
        if self.mixes:
            inputs = (self.predictor.mix(inputs) - self.shift) / self.scale
        return self.predictor.main_process(inputs)

    @torch.no_grad()
    def finished(self) -> Predictor:
        """A copy that takes raw features and returns scores on the score file's own scale."""
        config = self.predictor.config
        slope, offset = self._calibration() if self.config.loss_model in WITHOUT_SCALE else (1.0, 0.0)
        finished = copy.deepcopy(self.predictor).eval()  # drawing no random number, unlike a new Predictor
        shift = config.score_mean + config.score_deviation * offset
        fold_scaling(finished, self.shift, self.scale, shift, config.score_deviation * slope)
        return finished

    def _calibration(self) -> tuple[float, float]:
        """Slope and offset from ranking outputs, whose scale means nothing, to targets, by least squares."""
        self.predictor.eval()
        outputs = self._forward(self.inputs)[:, 0]
        variance = outputs.var(correction=0)
        if float(variance) == 0.0:
            return 0.0, 0.0
        slope = ((outputs - outputs.mean()) * self.targets).mean() / variance
        # A slope below zero would turn the order that was learnt upside down.
        slope = slope.clamp(min=1e-6)
        return float(slope), float(self.targets.mean() - slope * outputs.mean())


def learning_rate_factor(step: int, total_steps: int, warmup_ratio: float) -> float:
    """Linear warm-up from 0 to 1, then half a cosine to 0 (Loshchilov & Hutter 2017, SGDR, one cycle).

    The same numbers as `transformers.get_cosine_schedule_with_warmup`.
    """
    warmup_steps = math.ceil(total_steps * warmup_ratio)
    if step < warmup_steps:
        return step / max(1, warmup_steps)
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * progress)))


def _clip(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
    """What torch's `clip_grad_norm_` does, without a pass of its own over the gradients: steps wait for memory.

    A fused optimizer divides gradients by its `grad_scale` as it reads them; torch.amp.GradScaler uses it so.
    """
    length = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    optimizer.grad_scale = (length / GRADIENT_CLIP).clamp(min=1.0)  # type: ignore[attr-defined]


def _optimizer(predictor: Predictor, config: TrainingConfig) -> torch.optim.Optimizer:
    """The weights of hidden states, and of the high-end fix, have a rate of their own."""
    trained = {name: parameter for name, parameter in predictor.named_parameters() if parameter.requires_grad}
    own = [name for name in trained if name.startswith(("weight.", "main_process.weight_fn."))]
    groups = [{"params": [trained[name] for name in trained if name not in own], "lr": 10**config.log_lr}]
    groups += [{"params": [trained[name] for name in own], "lr": 10**config.log_weight_lr}] if own else []
    return torch.optim.AdamW(groups, fused=True)


@torch.no_grad()
def _start_mixing(predictor: Predictor, fixed: Tensor | None) -> None:
    """Mixing starts as the plain average; fixed weights stay what they are."""
    linear = predictor.weight[0]
    assert isinstance(linear, nn.Linear)
    states = linear.in_features
    values = torch.tensor([1 / states] * states + [0.0]) if fixed is None else fixed
    linear.weight.copy_(values[:-1].reshape(1, states))
    linear.bias.copy_(values[-1:])
    linear.requires_grad_(fixed is None)


def _mean_and_deviation(scores: Tensor) -> tuple[float, float]:
    values = scores.cpu().double()
    deviation = float(values.std(correction=0))
    return float(values.mean()), deviation if deviation > 0 else 1.0
