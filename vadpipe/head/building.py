"""From settings to the network of a method, with its numbers as they are before training."""

from __future__ import annotations

from torch import Tensor

from vadpipe.head.cbcg import Cbcg
from vadpipe.head.head import Head
from vadpipe.head.settings import HeadSettings


def build_head(mean: Tensor, std: Tensor, settings: HeadSettings) -> Head:
    """Return the head that the settings ask for, with random numbers.

    Args:
        mean: (D,) of the features of normal training snippets.
        std: (D,), their deviation.
        settings: the method, its switches and sizes, with nothing left open
            (:meth:`HeadSettings.for_videos`).
    """
    return Cbcg(mean, std, settings)
