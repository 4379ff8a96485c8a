"""The global and local self-attention of UR-DMU (arXiv 2302.05160), which BN-WVAD shares.

Each attention head has two branches: global attention, by the softmax of scaled dot products, and local
attention, by weights that decay with the temporal distance of two segments, whatever their content. So each
segment depends on the whole video.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadpipe.head.peers.parts import Convolution

N_HEADS = 4
N_BLOCKS = 2

NEAR = 285
"""Segments to each side beyond which ``exp(-distance / e)`` is 0 in float32."""

AT_ONCE = 1024


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Return softmax attention (N, heads, T, W) to the real segments, which mask (N, T) marks."""
    seen = None if bool(mask.all()) else mask[:, None, None]
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return _traced_attention(query, key, value)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=seen)


def _traced_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return the same where all segments are real, as an export writes it down.

    The sum of the softmax divides last: OpenVINO 2026.4 takes a softmax between two products for one layer,
    which is wrong where the number of segments is open and 16 or more.
    """
    products = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    weights = (products - products.amax(dim=-1, keepdim=True)).exp()
    return weights @ value / weights.sum(dim=-1, keepdim=True)


class GlobalLocalAttention(nn.Module):
    """Both attentions, concatenated and projected back to the input width.

    Args:
        width: of a segment.
        dropout: share of the output that is dropped in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.width = max(1, width // N_HEADS)  # of a head
        inner = N_HEADS * self.width
        self.project = nn.Linear(width, 4 * inner, bias=False)
        self.merge = nn.Sequential(nn.Linear(2 * inner, width), nn.Dropout(dropout))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return (N, T, W) of segments x (N, T, W); mask (N, T) is True on real ones."""
        n_bags, length, _ = x.shape
        parts = self.project(x).reshape(n_bags, length, 4, N_HEADS, self.width)
        query, key, value, near = parts.permute(2, 0, 3, 1, 4)
        whole = attend(query, key, value, mask)
        both = torch.cat([whole, _around(near, mask)], dim=-1)
        merged: Tensor = self.merge(both.transpose(1, 2).reshape(n_bags, length, -1))
        return merged


def _around(value: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of values (N, heads, T, W) by ``exp(-distance / e)`` over the real segments.

    It is computed for :data:`AT_ONCE` segments at a time, so that no memory grows with the square of T; for
    all at once while it is traced for an export, since a trace would keep how often the loop ran.
    """
    length, real = mask.shape[1], mask.to(value.dtype)
    value = value * real[:, None, :, None]
    places = torch.arange(length, device=mask.device, dtype=value.dtype)
    means = []
    at_once = length if torch.jit.is_tracing() else AT_ONCE  # type: ignore[attr-defined, no-untyped-call]
    for start in range(0, length, at_once):
        near = slice(max(0, start - NEAR), start + at_once + NEAR)
        distances = (places[start : start + at_once, None] - places[None, near]).abs()
        weights = torch.exp(-distances / math.e)
        total = (real[:, near] @ weights.T).clamp_min(1e-12)  # nothing is near far beyond a short bag's end
        means.append(weights @ value[:, :, near] / total[:, None, :, None])
    return torch.cat(means, dim=2)


class _Block(nn.Module):
    """Pre-norm attention and feed-forward network, each with a residual connection."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = GlobalLocalAttention(width, dropout)
        self.network = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(self.before_attention(x), mask)
        out: Tensor = x + self.network(x)
        return out


class Enhancer(nn.Module):
    """A temporal convolution and two blocks of attention: features in, features of width W out.

    Args:
        n_features: D.
        width: W, 512 as published.
        dropout: in training, of the outputs of attention and feed-forward network.
    """

    def __init__(self, n_features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.embedding = Convolution(n_features, width, 3)
        self.blocks = nn.ModuleList(_Block(width, dropout) for _ in range(N_BLOCKS))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return (N, T, W) of features x (N, T, D); mask (N, T) is True on real segments."""
        x = torch.relu(self.embedding(x, mask))
        for block in self.blocks:
            x = block(x, mask)
        return x
