"""The network of AIM, version 1, under the names of its published tensors.

El-Nouby et al. (2024), "Scalable Pre-training of Large Autoregressive Image Models": a pre-norm vision transformer
without class token and without biases; the causal mask is for training only. The head, a cross-attention with one
learnt query behind a batch norm without affine, was trained on the frozen trunk to classify ImageNet.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from .aim_config import AimShape

NORM_EPSILON = 1e-6
MLP_RATIO = 4


class Aim(nn.Module):
    """batch_norm: eval or batch, as `Head` takes it."""

    def __init__(self, shape: AimShape, batch_norm: str) -> None:
        super().__init__()
        self.preprocessor = nn.ModuleDict({"patchifier": Patchifier(shape)})
        self.trunk = Trunk(shape)
        self.head = Head(shape.embed_dim, shape.num_heads, batch_norm)

    def forward(self, x: Tensor, hidden_states: Sequence[int]) -> dict[int, Tensor]:
        """x: (B, 3, S, S), scaled. Returns {k: (B, D)}."""
        tokens = self.preprocessor["patchifier"](x)
        return {k: self.head(normed) for k, normed in self.trunk(tokens, hidden_states)}


class Trunk(nn.Module):
    """The blocks, one after the other."""

    def __init__(self, shape: AimShape) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(shape.embed_dim, shape.num_heads) for _ in range(shape.num_blocks))
        self.post_trunk_norm = nn.LayerNorm(shape.embed_dim, NORM_EPSILON)

    def forward(self, x: Tensor, hidden_states: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
        """x: (B, N, D). Yields k and (B, N, D), normed, one state at a time; blocks behind the last one don't run."""
        for k, block in zip(range(len(self.blocks) - 1, min(hidden_states) - 1, -1), self.blocks, strict=False):
            x = block(x)
            if k in hidden_states:
                yield k, self.post_trunk_norm(x)


class Patchifier(nn.Module):
    """Patches to tokens: convolution, norm, and where each one is."""

    def __init__(self, shape: AimShape) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, shape.embed_dim, shape.patch_size, shape.patch_size)
        self.norm = nn.LayerNorm(shape.embed_dim, NORM_EPSILON)
        # On the CPU also where the rest has no memory yet.
        places = sine_cosine_positions(shape.img_size // shape.patch_size, shape.embed_dim)
        self.register_buffer("positions", places, persistent=False)
        self.positions: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, N, D), row by row."""
        x = self.proj(x.to(self.proj.weight.dtype))
        x = x.flatten(2).transpose(1, 2)  # (B, D, G, G) -> (B, N, D)
        return self.norm(x) + self.positions.to(x.dtype)


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x))."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = MLP_RATIO * width
        self.norm_1 = nn.LayerNorm(width, NORM_EPSILON)
        self.attn = nn.ModuleDict(
            {"qkv": nn.Linear(width, 3 * width, bias=False), "proj": nn.Linear(width, width, bias=False)}
        )
        self.norm_2 = nn.LayerNorm(width, NORM_EPSILON)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, inner, bias=False), "fc2": nn.Linear(inner, width, bias=False)}
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        q, k, v = (split_heads(part, self.heads) for part in self.attn["qkv"](self.norm_1(x)).chunk(3, dim=-1))
        x = x + self.attn["proj"](join_heads(scaled_dot_product_attention(q, k, v)))
        return x + self.mlp["fc2"](gelu(self.mlp["fc1"](self.norm_2(x))))


class Head(nn.Module):
    """Attention pooling. batch_norm: eval, by the running statistics; batch, each image by its own tokens alone."""

    def __init__(self, width: int, heads: int, batch_norm: str) -> None:
        super().__init__()
        self.heads, self.batch_norm = heads, batch_norm
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.bn = RunningStatistics(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, D)."""
        x = self._normalised(x.float()).to(x.dtype)
        query = split_heads(self.cls_token.expand(len(x), -1, -1), self.heads)
        k, v = (split_heads(part(x), self.heads) for part in (self.k, self.v))
        return join_heads(scaled_dot_product_attention(query, k, v)).squeeze(1)  # (B, 1, D) -> (B, D)

    def _normalised(self, x: Tensor) -> Tensor:
        if self.batch_norm == "batch":
            mean, variance = x.mean(1, keepdim=True), x.var(1, correction=0, keepdim=True)  # (B, 1, D)
        else:
            mean, variance = self.bn.running_mean.float(), self.bn.running_var.float()  # (D,)
        return (x - mean) / (variance + NORM_EPSILON).sqrt()


class RunningStatistics(nn.Module):
    """Mean and variance, (D,) each, of the tokens that the head was trained on."""

    def __init__(self, width: int) -> None:
        super().__init__()
        for name in ("running_mean", "running_var"):
            self.register_buffer(name, torch.empty(width))
        self.running_mean: Tensor
        self.running_var: Tensor


def sine_cosine_positions(side: int, width: int) -> Tensor:
    """(side * side, width) float32, row by row: [sin x, cos x, sin y, cos y], a quarter of the width each.

    x (the column) and y (the row) are multiplied by 10000^(-i / (width / 4)), i = 0 ... width / 4 - 1. Rounded once,
    from float64.
    """
    quarter = width // 4
    frequencies = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64, device="cpu") / quarter)
    angles = torch.arange(side, dtype=torch.float64, device="cpu")[:, None] * frequencies  # (G, D/4)
    line = torch.cat([angles.sin(), angles.cos()], dim=1)  # (G, D/2)
    across, down = line.repeat(side, 1), line.repeat_interleave(side, dim=0)  # (G * G, D/2)
    return torch.cat([across, down], dim=1).float()


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, D) -> (B, H, N, D / H)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(B, H, N, D / H) -> (B, N, D)."""
    return x.transpose(1, 2).flatten(2)
