"""The outputs of CBCG's branches for one batch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Branches:
    """The outputs of the branches for one batch.

    Attributes:
        scores: s (N, T), the classifier's score of each segment, the mean over views.
        points: z (N, C, T, Z), the clustering branch, or None if it is off.
        second: (N, T), the control's second head, or None if it is off.
    """

    scores: Tensor
    points: Tensor | None
    second: Tensor | None
