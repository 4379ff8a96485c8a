"""Temporal layers that respect the padding mask, and what the losses of several methods share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadpipe.head.head import Head


class Convolution(nn.Module):
    """A convolution along time; beyond the ends of a bag everything is zero.

    Args:
        n_in: input channels.
        n_out: output channels.
        kernel_size: odd.
        dilation: step between the segments that are seen.
        bias: whether to add one.
    """

    def __init__(
        self, n_in: int, n_out: int, kernel_size: int = 1, *, dilation: int = 1, bias: bool = True
    ) -> None:
        super().__init__()
        reach = dilation * (kernel_size // 2)
        self.layer = nn.Conv1d(n_in, n_out, kernel_size, padding=reach, dilation=dilation, bias=bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return (N, T, n_out) of segments x (N, T, n_in), of which mask (N, T) marks the real ones."""
        seen: Tensor = self.layer((x * mask[..., None]).transpose(1, 2))
        return seen.transpose(1, 2)


class BatchNorm(nn.Module):
    """Batch normalisation by the real segments of a batch.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.BatchNorm1d(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return (N, T, D) of segments x (N, T, D); 0 where mask (N, T) is False."""
        return torch.zeros_like(x).masked_scatter(mask[..., None].expand_as(x), self.layer(x[mask]))


def views_as_bags(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return features (N * C, T, D) and mask (N * C, T) of x (N, C, T, D), each view a bag of its own."""
    return x.flatten(0, 1), mask.repeat_interleave(x.shape[1], dim=0)


def mean_of_views(y: Tensor, n_bags: int) -> Tensor:
    """Return the mean (N, ...) over the views of y (N * C, ...)."""
    return y.reshape(n_bags, -1, *y.shape[1:]).mean(1)


def mean_or_zero(x: Tensor) -> Tensor:
    """Return the mean of all numbers, 0 where there are none."""
    return x.mean() if x.numel() else x.sum()


def longest(magnitudes: Tensor, mask: Tensor, head: Head) -> Tensor:
    """Return (N, T) bool: the k segments of the largest magnitude of each bag, in training of a random part.

    Args:
        magnitudes: (N, T).
        mask: (N, T) bool, True on real segments.
        head: its settings give k and the share of segments that training leaves out.
    """
    kept = F.dropout(torch.ones_like(magnitudes), head.settings.dropout, head.training)
    return head.settings.top_k.mask(magnitudes.detach() * kept, mask)


def mean_of_chosen(numbers: Tensor, chosen: Tensor) -> Tensor:
    """Return the mean (N,) of numbers (N, T) over those that are chosen, (N, T) bool."""
    return (numbers * chosen).sum(1) / chosen.sum(1)


def check_finite(scores: Tensor) -> None:
    """Raise FloatingPointError where a score is not a number."""
    if not torch.isfinite(scores).all():
        raise FloatingPointError("the head's output is not finite")
