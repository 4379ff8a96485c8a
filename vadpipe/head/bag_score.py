"""Aggregation of segment scores to the score of a bag."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class TopK:
    """The k highest segments stand for a bag: ``k = max(T // divisor + 1, at_least)``, at most T.

    T is the bag's own length. BN-WVAD and UR-DMU use a divisor of 16; with T = 32, as in RTFM, that
    is k = 3. Shorter bags keep these 3 (``at_least``), where the rule alone would let one segment
    stand for the whole video.
    """

    divisor: int
    at_least: int

    def counts(self, lengths: Tensor) -> Tensor:
        """Return k for bags of these lengths, (N,) int64 both."""
        return torch.minimum((lengths // self.divisor + 1).clamp_min(self.at_least), lengths)

    def mask(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Mark the k highest real segments of each bag.

        Args:
            scores: (N, T).
            mask: (N, T) bool, True on real segments, at least one a bag.

        Returns:
            (N, T) bool. Of equal scores the earlier segment counts first.
        """
        ranked = scores.masked_fill(~mask, -torch.inf).argsort(dim=1, descending=True, stable=True)
        first_k = torch.arange(scores.shape[1], device=scores.device) < self.counts(mask.sum(1))[:, None]
        return torch.zeros_like(mask).scatter(1, ranked, first_k)

    def mean(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Return the mean of the k highest scores of each bag, (N,): the score of the video."""
        chosen = self.mask(scores.detach(), mask)
        return (scores * chosen).sum(1) / chosen.sum(1)


def bag_loss(scores: Tensor, mask: Tensor, labels: Tensor, top_k: TopK) -> Tensor:
    """Return the BCE of the bags' top-k means against their labels, a scalar.

    Args:
        scores: (N, T) in [0, 1].
        mask: (N, T) bool, True on real segments.
        labels: (N,) float, 1 for an abnormal bag.
        top_k: how many segments are k.
    """
    # Rounding can reach 0 or 1 exactly, where the gradient of a logarithm ends.
    return F.binary_cross_entropy(top_k.mean(scores, mask).clamp(1e-6, 1 - 1e-6), labels)
