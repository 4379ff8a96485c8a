"""Context: what a segment is judged beside, pooled from all of its video.

The convolution of the embedding sees a segment and its two neighbours; what is odd shows beside the rest of
the video. The mean and the maximum of the embedded bag are the cheapest such sight, and take no more memory
the longer a video is: both can be pooled piece by piece.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Context:
    """The embedded segments of videos, pooled.

    Attributes:
        total: (N, C, H), their sum.
        highest: (N, C, H), their maximum.
        count: (N,), how many they are.
    """

    total: Tensor
    highest: Tensor
    count: Tensor

    @classmethod
    def pooled(cls, f: Tensor, mask: Tensor) -> Context:
        """Return the context of embedded segments f (N, C, T, H), of those that mask (N, T) bool marks."""
        real = mask[:, None, :, None]
        # Embedded segments are never below 0, so that one which is none changes no maximum.
        kept = f * real
        return cls(kept.sum(2), kept.amax(2), mask.sum(1))

    def joined(self, other: Context) -> Context:
        """Return the context of the segments of both."""
        highest = torch.maximum(self.highest, other.highest)
        return Context(self.total + other.total, highest, self.count + other.count)

    def of_each_view(self) -> Context:
        """Return the same where each view is a video of its own, (N * C, 1, H)."""
        n_views = self.total.shape[1]
        return Context(
            self.total.flatten(0, 1).unsqueeze(1),
            self.highest.flatten(0, 1).unsqueeze(1),
            self.count.repeat_interleave(n_views),
        )

    def beside(self, f: Tensor) -> Tensor:
        """Return segments f (N, C, T, H) with mean and maximum beside each, (N, C, T, 3 H)."""
        mean = self.total / self.count.clamp_min(1)[:, None, None]
        seen = torch.cat([mean, self.highest], dim=-1)[:, :, None]
        return torch.cat([f, seen.expand(-1, -1, f.shape[2], -1)], dim=-1)
