"""Networks of one kind side by side, as one: weights stacked, and filled up with zeros to the largest.

Zeros stay zeros: a unit that is filled up says relu(0) = 0, so nothing comes back through it, and no step moves it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .network import Predictor

# Parameters of a learning rate of their own: the weights of hidden states, and those of the high-end fix.
OWN_RATE = ("weight.", "main_process.weight_fn.")


class Stack:
    """P predictors with as many layers, but of any size, trained together.

    values, gradients: (P, M), the trained parameters and what `backward` found for them; from column `own_rate` on
    those with a learning rate of their own.
    """

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        self.predictors, self.config = list(predictors), predictors[0].config
        named = dict(predictors[0].named_parameters())
        self.sizes = {name: _largest([each.get_parameter(name) for each in predictors]) for name in named}
        trained = [name for name, parameter in named.items() if parameter.requires_grad]
        self.trained = sorted(trained, key=lambda name: name.startswith(OWN_RATE))
        plain = [name for name in trained if not name.startswith(OWN_RATE)]
        self.own_rate = sum(self.sizes[name].numel() for name in plain)
        empty = named[trained[0]].new_zeros
        self.values = empty(len(predictors), sum(self.sizes[name].numel() for name in trained))
        self.gradients = torch.zeros_like(self.values)
        self.constants = {n: empty(len(predictors), *self.sizes[n]) for n in named if n not in trained}
        self._view()
        with torch.no_grad():
            for place in range(len(predictors)):
                for name, part in self._parts(place).items():
                    part.copy_(predictors[place].get_parameter(name))

    def _view(self) -> None:
        """The values as parameters have them: {name: (P, ...)}."""
        sizes = [self.sizes[name] for name in self.trained]
        columns = self.values.split([size.numel() for size in sizes], 1)
        leaves = [part.view(-1, *size).detach().requires_grad_() for part, size in zip(columns, sizes, strict=True)]
        self.weights = {**dict(zip(self.trained, leaves, strict=True)), **self.constants}

    def widths(self) -> list[int]:
        """Of what enters each Linear, filled up; of the high-end fix those of both heads."""
        heads = [""] if self.config.high_end_fix == "none" else ["primary.", "high_end."]
        linears = range(len(self.config.layers) + 1)
        return [self.sizes[f"main_process.{head}{3 * place + 1}.weight"][1] for head in heads for place in linears]

    def _parts(self, place: int) -> dict[str, Tensor]:
        """Of one network, without what is filled up."""
        parameters = self.predictors[place].named_parameters()
        return {name: self.weights[name][place][tuple(map(slice, own.shape))] for name, own in parameters}

    @torch.no_grad()
    def predictor(self, place: int) -> Predictor:
        """The predictor at this place, as it stands."""
        predictor = self.predictors[place]
        for name, part in self._parts(place).items():
            predictor.get_parameter(name).copy_(part)
        return predictor

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these alone."""
        rows = list(places)
        self.predictors = [self.predictors[place] for place in rows]
        self.values, self.gradients = self.values[rows], self.gradients[rows]
        self.constants = {name: values[rows] for name, values in self.constants.items()}
        self._view()

    def backward(self, loss: Tensor, longest: float) -> None:
        """Fill `gradients` with those of `loss`, a number; those of a network that are longer are shortened."""
        found = torch.autograd.grad(loss, [self.weights[name] for name in self.trained])
        torch.cat([gradient.flatten(1) for gradient in found], dim=1, out=self.gradients)
        length = torch.linalg.vector_norm(self.gradients, dim=1, keepdim=True)  # (P, 1)
        self.gradients.mul_(longest / length.clamp(min=longest))

    def mix(self, inputs: Tensor) -> Tensor:
        """(P, N, L, W) -> (P, N, W): in mode weight each network's own mixture of hidden states."""
        weight, bias = self.weights["weight.0.weight"], self.weights["weight.0.bias"]
        mixed = (torch.einsum("pnlw,pl->pnw", inputs, weight[:, 0]) + bias.unsqueeze(2)).relu()
        return normalize(mixed, dim=2) if self.config.input_normalisation == "l2" else mixed

    def outputs(self, inputs: Tensor, masks: Sequence[Tensor | None]) -> Tensor:
        """(P, N, W) -> (P, N, C). masks: what dropout multiplies with before each Linear, (P, N, its width)."""
        if self.config.high_end_fix == "none":
            return self._head("main_process", inputs, masks)
        primary = self._head("main_process.primary", inputs, masks[: len(masks) // 2])
        high_end = self._head("main_process.high_end", inputs, masks[len(masks) // 2 :])
        linear = [
            self.weights[f"main_process.weight_fn.{part}"] for part in ("0.weight", "0.bias", "2.weight", "2.bias")
        ]
        before, shift, after, offset = (part.reshape(-1, 1, 1) for part in linear)
        return primary + high_end * (torch.tanh(primary[..., :1] * before + shift) * after + offset) * 0.5

    def _head(self, name: str, values: Tensor, masks: Sequence[Tensor | None]) -> Tensor:
        linears = [f"{name}.{3 * place + 1}" for place in range(len(masks))]  # behind a dropout; a ReLU follows
        weights = [self.weights[f"{linear}.{part}"] for linear in linears for part in ("weight", "bias")]
        found: Tensor = _Head.apply(values, masks, *weights)
        return found


class _Head(torch.autograd.Function):
    """Dropout, Linear, ReLU for each hidden layer, then Dropout, Linear; fewer steps than on torch's own way."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, masks: Sequence[Tensor | None], *weights: Tensor) -> Tensor:
        """values (P, N, W); masks (P, N, ...), None for no dropout; weights: weight, bias of each Linear."""
        entered = []
        for place, mask in enumerate(masks):
            values = values if mask is None else values * mask
            entered.append(values)
            values = torch.baddbmm(weights[2 * place + 1].unsqueeze(1), values, weights[2 * place].mT)
            values = values.relu_() if place + 1 < len(masks) else values
        ctx.entered, ctx.masks, ctx.weights = entered, masks, weights[::2]
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Where a mask or a ReLU let nothing through, 0 entered the next Linear."""
        (gradient,) = gradients
        found: list[Tensor | None] = []
        for place in reversed(range(len(ctx.masks))):
            entered, mask = ctx.entered[place], ctx.masks[place]
            found = [gradient.mT @ entered, gradient.sum(dim=1), *found]
            if place == 0 and not ctx.needs_input_grad[0]:
                return None, None, *found
            gradient = gradient @ ctx.weights[place]
            gradient = gradient if mask is None else gradient.mul_(mask)
            if place > 0:
                gradient.mul_(entered > 0)
        return gradient, None, *found


def _largest(parameters: Sequence[Tensor]) -> torch.Size:
    return torch.Size([max(sizes) for sizes in zip(*(each.shape for each in parameters), strict=True)])
