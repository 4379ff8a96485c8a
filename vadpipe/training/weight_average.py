"""A moving average of a head's weights over the steps of its training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from vadpipe.head.head import Head

_Averaging = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]


def average_of(head: Head, decay: float) -> AveragedModel:
    """Return the average, which is updated after each step; memories and scales are not averaged.

    After the first step it is the head's weights; where t steps are in it, the next one keeps ``min(decay,
    (1 + t) / (10 + t))`` of it, so that the weights of the beginning are soon gone.

    Args:
        head: in training.
        decay: of a step, in (0, 1).
    """
    return AveragedModel(head, multi_avg_fn=_moving(decay))


def _moving(decay: float) -> _Averaging:
    @torch.no_grad()
    def move(averages: Sequence[Tensor], weights: Sequence[Tensor], n_averaged: Tensor | int) -> None:
        kept = min(decay, (1 + int(n_averaged)) / (10 + int(n_averaged)))
        for average, own in zip(averages, weights, strict=True):
            average.lerp_(own, 1 - kept)

    return move
