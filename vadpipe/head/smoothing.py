"""Smoothing of a curve over neighbouring segments."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def smoothed(scores: Tensor, mask: Tensor, deviation: float) -> Tensor:
    """Return the scores weighted with a Gaussian over their neighbours; at the ends over those there are.

    Args:
        scores: (N, T) in [0, 1].
        mask: (N, T) bool, True on real segments; the others weigh nothing.
        deviation: of the Gaussian, in segments; 0 returns the scores as they are.

    Returns:
        (N, T) in [0, 1].
    """
    if not deviation:
        return scores
    reach = math.ceil(4 * deviation)
    places = torch.arange(-reach, reach + 1, device=scores.device, dtype=scores.dtype)
    kernel = torch.exp(-0.5 * (places / deviation) ** 2)[None, None]

    def spread(x: Tensor) -> Tensor:
        return F.conv1d(x[:, None], kernel, padding=reach)[:, 0]

    real = mask.to(scores.dtype)
    return torch.where(mask, spread(scores * real) / spread(real).clamp_min(1e-12), scores)
