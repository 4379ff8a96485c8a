"""Context: a summary of the whole video that each segment is compared with.

The convolution of the embedding sees a segment and its two neighbours; what is odd shows beside the rest of
the video. The mean and the maximum of the embedded bag are the cheapest such sight. The bag is that of
training, squeezed to T segments: over all snippets of a long video the maximum would be one that no training
has shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Context:
    """The embedded segments of videos, pooled.

    Attributes:
        mean: (N, C, H).
        highest: (N, C, H), their maximum.
    """

    mean: Tensor
    highest: Tensor

    @classmethod
    def pooled(cls, f: Tensor, mask: Tensor) -> Context:
        """Return the context of embedded segments f (N, C, T, H), of those that mask (N, T) bool marks."""
        # Embedded segments are never below 0, so that padding changes no maximum.
        kept = f * mask[:, None, :, None]
        return cls(kept.sum(2) / mask.sum(1).clamp_min(1)[:, None, None], kept.amax(2))

    @classmethod
    def joined(cls, contexts: Sequence[Context]) -> Context | None:
        """Return the contexts of several heads beside each other, (N, C, K H); None of none."""
        if not contexts:
            return None
        return cls(
            torch.cat([context.mean for context in contexts], dim=-1),
            torch.cat([context.highest for context in contexts], dim=-1),
        )

    def divided(self, n_heads: int) -> list[Context]:
        """Return the contexts that were joined."""
        parts = zip(self.mean.chunk(n_heads, dim=-1), self.highest.chunk(n_heads, dim=-1), strict=True)
        return [Context(mean, highest) for mean, highest in parts]

    def of_each_view(self) -> Context:
        """Return the same where each view is a video of its own, (N * C, 1, H)."""
        return Context(self.mean.flatten(0, 1).unsqueeze(1), self.highest.flatten(0, 1).unsqueeze(1))

    def beside(self, f: Tensor) -> Tensor:
        """Return segments f (N, C, T, H) with mean and maximum beside each, (N, C, T, 3 H)."""
        seen = torch.cat([self.mean, self.highest], dim=-1)[:, :, None]
        return torch.cat([f, seen.expand(-1, -1, f.shape[2], -1)], dim=-1)
