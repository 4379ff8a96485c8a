"""Smoothing of a video's scores over neighbouring segments.

What is smoothed are log odds: means of scores ranked frames worse (docs/benchmarks.md), since there every
score near 0 or 1 counts the same, however sure of itself it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def smoothed(odds: Tensor, mask: Tensor, deviation: float) -> Tensor:
    """Return the log odds weighted with a Gaussian over their neighbours; at the ends over those there are.

    Args:
        odds: (N, T), the log odds of scores.
        mask: (N, T) bool, True on real segments; the others weigh nothing.
        deviation: of the Gaussian, in segments; 0 returns the odds as they are.

    Returns:
        (N, T).
    """
    if not deviation:
        return odds
    reach = math.ceil(4 * deviation)
    places = torch.arange(-reach, reach + 1, device=odds.device, dtype=odds.dtype)
    kernel = torch.exp(-0.5 * (places / deviation) ** 2)[None, None]

    def spread(x: Tensor) -> Tensor:
        return F.conv1d(x[:, None], kernel, padding=reach)[:, 0]

    real = mask.to(odds.dtype)
    return torch.where(mask, spread(odds * real) / spread(real).clamp_min(1e-12), odds)
