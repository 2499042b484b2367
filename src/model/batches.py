"""What a network sees, step after step: its images in an order of its own, and what dropout leaves of them.

All is drawn from the network's own seed, in blocks of BLOCK steps, so that it is the same whoever is trained beside.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .losses import partners

BLOCK = 16  # steps


@dataclass(frozen=True)
class Examples:
    """What a loss compares (see `losses`): rows (E, R) of inputs, targets (E, R), weights (E,).

    draws_pairs: each image has another partner in each epoch; then there are N rows (N, 1) of single images.
    """

    rows: Tensor
    targets: Tensor
    weights: Tensor
    draws_pairs: bool

    def epoch(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """All in a new order: rows, targets, weights."""
        order = torch.randperm(len(self.rows), generator=generator)
        if self.draws_pairs:
            targets = self.targets.flatten()
            others = partners(targets.cpu(), order, generator)
            pairs = torch.stack([order, others], dim=1).to(self.rows.device)
            return pairs, targets[pairs], self.weights[pairs[:, 0]]
        order = order.to(self.rows.device)
        return self.rows[order], self.targets[order], self.weights[order]

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """One step's after the other, without end; the last of an epoch may be smaller."""
        while True:
            yield from zip(*(part.split(batch_size) for part in self.epoch(generator)), strict=True)


@dataclass(frozen=True)
class Noise:
    """Dropout of one network. rates, widths: before each Linear."""

    rates: tuple[float, ...]
    widths: tuple[int, ...]
    generator: torch.Generator

    def draw(self, rows: int) -> list[Tensor | None]:
        """For BLOCK steps of so many rows what to multiply with: (BLOCK, rows, width) each, None where all is kept.

        16 bits are drawn an element: it is dropped with probability round(65536 rate) / 65536, and what is kept is
        scaled so that the mean stays. That takes a quarter of the time of torch's own dropout on a CPU.
        """
        widths = [width if rate > 0 else 0 for rate, width in zip(self.rates, self.widths, strict=True)]
        device, count = self.generator.device, BLOCK * rows * sum(widths)
        words = torch.empty(math.ceil(count / 4), dtype=torch.int64, device=device)
        words.random_(-(2**63), None, generator=self.generator)
        bits = words.view(torch.int16)[:count].split([BLOCK * rows * width for width in widths])
        return [
            _mask(part, rate).view(BLOCK, rows, -1) if rate > 0 else None
            for part, rate in zip(bits, self.rates, strict=True)
        ]


def _mask(bits: Tensor, rate: float) -> Tensor:
    dropped = min(round(65536 * rate), 65535)
    return (bits >= dropped - 32768).float() * (65536 / (65536 - dropped))


@dataclass(frozen=True)
class Block:
    """BLOCK steps of P networks, filled up to the largest batch of B examples.

    rows, targets: (P, BLOCK, B, R). weights: (P, BLOCK, B). shares: (P, BLOCK, B), what each example is of the loss:
    one by the batch's size, 0 where there is none. masks: (P, BLOCK, B * R, width) before each Linear, None where all
    is kept.
    """

    rows: Tensor
    targets: Tensor
    weights: Tensor
    shares: Tensor
    masks: list[Tensor | None]


def draw_block(
    streams: Sequence[Iterator[tuple[Tensor, Tensor, Tensor]]], noises: Sequence[Noise], widths: Sequence[int]
) -> Block:
    """The next BLOCK steps of each. widths: of the masks, filled up."""
    drawn = [[next(stream) for _ in range(BLOCK)] for stream in streams]
    largest = max(len(rows) for own in drawn for rows, _, _ in own)
    first_rows, first_targets, first_weights = drawn[0][0]
    per_example = first_rows.shape[1]
    shape = (len(drawn), BLOCK, largest)
    rows = first_rows.new_zeros(*shape, per_example)
    targets = first_targets.new_zeros(*shape, per_example)
    weights, shares = first_weights.new_zeros(shape), first_weights.new_zeros(shape)
    for place, own in enumerate(drawn):
        for step, (own_rows, own_targets, own_weights) in enumerate(own):
            count = len(own_rows)
            rows[place, step, :count], targets[place, step, :count] = own_rows, own_targets
            weights[place, step, :count], shares[place, step, :count] = own_weights, 1 / count
    sizes = [max(len(rows) for rows, _, _ in own) * per_example for own in drawn]
    return Block(rows, targets, weights, shares, _masks(noises, sizes, widths))


def _masks(noises: Sequence[Noise], sizes: Sequence[int], widths: Sequence[int]) -> list[Tensor | None]:
    """Those of all networks, filled up with ones; sizes: rows a step of each."""
    drawn = [noise.draw(size) for noise, size in zip(noises, sizes, strict=True)]
    found: list[Tensor | None] = []
    for width, masks in zip(widths, zip(*drawn, strict=True), strict=True):
        there = [mask for mask in masks if mask is not None]
        if not there:
            found.append(None)
        elif len(drawn) == 1 and there[0].shape[2] == width:
            found.append(there[0].unsqueeze(0))
        else:
            whole = there[0].new_ones(len(drawn), BLOCK, max(sizes), width)
            for one, mask in zip(whole, masks, strict=True):
                if mask is not None:
                    one[:, : mask.shape[1], : mask.shape[2]] = mask
            found.append(whole)
    return found
