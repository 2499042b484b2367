"""Configurations in, as many trained predictors out: plain torch, everything in memory, each from its own seed.

They are trained side by side as one stacked network (`stack`), by the same code on a CPU and on a GPU; each comes out
as it would alone. Inputs and targets are standardised on the train split; the predictors take raw features and return
scores on the score file's own scale.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from ..common import standardisation, torch_threads
from .batches import BLOCK, Block, Examples, Noise, draw_block
from .config import PredictorConfig
from .losses import LOSS_FUNCTIONS, WITHOUT_SCALE
from .network import Predictor, fold_directions, fold_scaling
from .stack import Stack
from .training_data import Comparisons, TrainingConfig, TrainingData

GRADIENT_CLIP = 1.0
# Called after each epoch with the network's place, how many of its epochs are done (from 1), and what makes a
# finished copy of it as it stands; False ends it.
AfterEpoch = Callable[[int, int, Callable[[], Predictor]], bool]

__all__ = ["Comparisons", "TrainingConfig", "TrainingData", "learning_rate_factor", "train", "train_population"]


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

    def after(_: int, epoch: int, finished: Callable[[], Predictor]) -> bool:
        if after_epoch:
            after_epoch(epoch, finished())
        return True

    (predictor,) = train_population([(predictor_config, config)], data, fixed_weights, after)
    assert predictor is not None
    return predictor


def train_population(
    configs: Sequence[tuple[PredictorConfig, TrainingConfig]],
    data: TrainingData,
    fixed_weights: Tensor | None = None,
    after_epoch: AfterEpoch | None = None,
) -> list[Predictor | None]:
    """Train all of them, each as `train` does; None where `after_epoch` ended one.

    They have their loss, mode, number of layers and high-end fix in common.
    """
    # First weights alone are drawn from torch's own generator, that of the CPU. One thread: on a busy machine,
    # threads that wait for each other in matrices this small cost many times what they gain.
    with torch.random.fork_rng(devices=[]), torch_threads(1):
        return _Population(configs, data, fixed_weights, after_epoch).run()


class _Member:
    """One network of a population: what its seed draws, its learning rate, and how far it is."""

    def __init__(
        self, place: int, predictor: Predictor, whole: PredictorConfig, config: TrainingConfig, examples: Examples
    ) -> None:
        self.place, self.predictor, self.whole, self.config, self.step = place, predictor, whole, config, 0
        self.batches = examples.batches(config.batch_size, torch.Generator().manual_seed(config.seed))
        self.steps_per_epoch = math.ceil(len(examples.rows) / config.batch_size)
        self.total_steps = config.train_epochs * self.steps_per_epoch
        heads = 1 if predictor.config.high_end_fix == "none" else 2
        widths = (predictor.config.number_of_features, *predictor.config.layers)
        noise = torch.Generator(examples.rows.device).manual_seed(config.seed)
        self.noise = Noise(tuple(predictor.config.dropouts) * heads, widths * heads, noise)

    def begin(self, values: Tensor, gradients: Tensor, own_rate: int) -> None:
        """values, gradients: (M,), its rows in a `Stack`."""
        parts = (slice(own_rate), self.config.log_lr), (slice(own_rate, None), self.config.log_weight_lr)
        self.optimizers = [_Adam(part, 10**rate, values[part]) for part, rate in parts if len(values[part])]
        self.move(values, gradients)

    def move(self, values: Tensor, gradients: Tensor) -> None:
        """Its rows are elsewhere now."""
        self.values, self.gradients = values, gradients

    def take_step(self) -> None:
        """With the gradients as they are."""
        factor = learning_rate_factor(self.step, self.total_steps, self.config.warmup_ratio)
        for optimizer in self.optimizers:
            optimizer.take_step(self.values, self.gradients, factor)
        self.step += 1


class _Adam:
    """Torch's AdamW with its defaults, as a function: its class would import for a second what is never used."""

    def __init__(self, part: slice, rate: float, values: Tensor) -> None:
        self.part, self.rate = part, rate
        self.first, self.second = [torch.zeros_like(values)], [torch.zeros_like(values)]  # moments
        self.steps = [values.new_zeros(())]

    def take_step(self, values: Tensor, gradients: Tensor, factor: float) -> None:
        """Of these (M,), of which `part` is its own, at this share of the rate."""
        adamw(
            [values[self.part]],
            [gradients[self.part]],
            self.first,
            self.second,
            [],
            self.steps,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.rate * factor,
            weight_decay=0.01,
            eps=1e-8,
            maximize=False,
        )


class _Population:
    """Everything that stays the same from step to step."""

    def __init__(
        self,
        configs: Sequence[tuple[PredictorConfig, TrainingConfig]],
        data: TrainingData,
        fixed_weights: Tensor | None,
        after_epoch: AfterEpoch | None,
    ) -> None:
        self.data, self.after_epoch = data, after_epoch
        self.loss_model = configs[0][1].loss_model
        self.mean, self.deviation = _mean_and_deviation(data.scores)
        self.targets = (data.scores - self.mean) / self.deviation
        known = [replace(own, score_mean=self.mean, score_deviation=self.deviation) for own, _ in configs]
        networks = [
            self._start(own, config.seed, fixed_weights) for own, (_, config) in zip(known, configs, strict=True)
        ]
        self.mixes = known[0].hidden_states_mode == "weight"
        self.shift, self.scale = self._scaling(networks[0])
        self.inputs = self._inputs()
        examples = _examples(data, self.targets, self.loss_model)
        self.members = [
            _Member(place, network, known[place], config, examples)
            for place, (network, (_, config)) in enumerate(zip(networks, configs, strict=True))
        ]
        self.stack = Stack(networks)
        for place, member in enumerate(self.members):
            member.begin(self.stack.values[place], self.stack.gradients[place], self.stack.own_rate)
        self.finished: list[Predictor | None] = [None] * len(configs)

    def _start(self, config: PredictorConfig, seed: int, fixed_weights: Tensor | None) -> Predictor:
        torch.default_generator.manual_seed(seed)
        components = self.data.components
        predictor = Predictor(config if components is None else components.config(config))
        if components is not None:
            components.start(predictor)
        if config.hidden_states_mode == "weight":
            _start_mixing(predictor, fixed_weights)
        return predictor.to(self.data.inputs.device)

    @torch.no_grad()
    def _scaling(self, predictor: Predictor) -> tuple[Tensor, Tensor]:
        """What is subtracted from inputs, mixed as it stands before training, and what they are divided by; (W,)."""
        if self.data.components is not None:
            return self.data.components.shift, self.data.components.scale
        inputs = self.data.inputs
        found = standardisation(predictor.mix(inputs).cpu().numpy())
        shift, scale = (torch.from_numpy(values).float().to(inputs.device) for values in found)
        return shift, scale

    def _inputs(self) -> Tensor:
        """What enters a network; where nothing is mixed, that is scaled once and for all."""
        if self.data.components is not None:
            return self.data.components.values
        return self.data.inputs if self.mixes else (self.data.inputs - self.shift) / self.scale

    def run(self) -> list[Predictor | None]:
        """Until all are done."""
        while self.members:
            running = list(self.members)
            block = draw_block(
                [member.batches for member in running], [member.noise for member in running], self.stack.widths()
            )
            for step in range(min(BLOCK, max(member.total_steps - member.step for member in running))):
                self._step(block, step)
                for place, member in enumerate(running):
                    self._look_at(place, member)
            left = [place for place, member in enumerate(running) if member in self.members]
            if len(left) < len(running):
                self.stack.keep(left)
                for place, member in enumerate(self.members):
                    member.move(self.stack.values[place], self.stack.gradients[place])
        return self.finished

    def _step(self, block: Block, step: int) -> None:
        targets, weights = block.targets[:, step], block.weights[:, step]  # (P, B, R), (P, B)
        masks = [None if mask is None else mask[:, step] for mask in block.masks]
        inputs = self.inputs[block.rows[:, step].flatten(1)]  # (P, B * R, W)
        if self.mixes:
            inputs = (self.stack.mix(inputs) - self.shift) / self.scale
        outputs = self.stack.outputs(inputs, masks).unflatten(1, targets.shape[1:])  # (P, B, R, C)
        losses = LOSS_FUNCTIONS[self.loss_model](outputs, targets, weights)
        self.stack.backward((losses * block.shares[:, step]).sum(), GRADIENT_CLIP)
        for member in self.members:
            member.take_step()

    def _look_at(self, place: int, member: _Member) -> None:
        """After a step: whether an epoch, or all, is done."""
        epoch, rest = divmod(member.step, member.steps_per_epoch)
        if rest or member not in self.members:
            return
        goes_on = self.after_epoch is None or self.after_epoch(
            member.place, epoch, lambda: self._finish(place, member)
        )
        if goes_on and member.step == member.total_steps:
            self.finished[member.place] = self._finish(place, member)
        if not goes_on or member.step == member.total_steps:
            self.members.remove(member)

    @torch.no_grad()
    def _finish(self, place: int, member: _Member) -> Predictor:
        """A copy that takes raw features and returns scores on the score file's own scale."""
        # Drawing no random number, unlike a new Predictor.
        finished = copy.deepcopy(self.stack.predictor(place)).eval()
        slope, offset = self._calibration(finished) if self.loss_model in WITHOUT_SCALE else (1.0, 0.0)
        if self.data.components is not None:
            fold_directions(finished, self.data.components.directions, member.whole)
        shift = self.mean + self.deviation * offset
        fold_scaling(finished, self.shift, self.scale, shift, self.deviation * slope)
        return finished

    def _calibration(self, predictor: Predictor) -> tuple[float, float]:
        """Slope and offset from ranking outputs, whose scale means nothing, to targets, by least squares."""
        inputs = self.inputs
        if self.mixes:
            inputs = (predictor.mix(inputs) - self.shift) / self.scale
        outputs = predictor.main_process(inputs)[:, 0]
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


def _examples(data: TrainingData, targets: Tensor, loss_model: str) -> Examples:
    if loss_model != "choices":
        rows = torch.arange(len(targets), device=targets.device).unsqueeze(1)
        return Examples(rows, targets.unsqueeze(1), data.weights, draws_pairs=loss_model == "ab")
    assert data.comparisons is not None
    rows = data.comparisons.shown.clamp(min=0)  # what fills up is row 0, and not counted
    return Examples(rows, data.comparisons.wanted, data.comparisons.weights, draws_pairs=False)


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
