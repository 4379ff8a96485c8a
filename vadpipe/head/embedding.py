"""The embedding that both branches share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vadpipe.head.context import Context


class Embedding(nn.Module):
    """``f = dropout(relu(conv1d(X, kernel 3)))`` over standardised features, with context beside it or not.

    Args:
        mean, std: (D,) of the normal training snippets; part of the checkpoint, so that a video is
            judged against what was normal in training.
        hidden: H.
        dropout: share of channels dropped in training.
        feature_dropout: share of the features' numbers dropped in training.
        with_context: put the mean and the maximum of the embedded bag beside each segment.

    Attributes:
        width: channels of f, H or, with context, 3 H.
        reach: segments to each side that the convolution sees.
    """

    mean: Tensor
    std: Tensor
    reach = 1

    def __init__(
        self,
        mean: Tensor,
        std: Tensor,
        hidden: int,
        dropout: float,
        feature_dropout: float = 0.0,
        *,
        with_context: bool = False,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())
        self.conv = nn.Conv1d(len(mean), hidden, kernel_size=2 * self.reach + 1, padding=self.reach)
        self.feature_dropout = nn.Dropout(feature_dropout)
        self.dropout = nn.Dropout(dropout)
        self.with_context = with_context
        self.width = 3 * hidden if with_context else hidden

    def forward(self, x: Tensor, mask: Tensor, context: Context | None = None) -> Tensor:
        """Return f (N, C, T, width) of features x (N, C, T, D).

        Args:
            x: features.
            mask: (N, T) bool, True on real segments.
            context: of the whole videos; None if x is their bags.
        """
        f = self._embed(x, mask)
        if self.with_context:
            f = (context or Context.pooled(f, mask)).beside(f)
        embedded: Tensor = self.dropout(f)
        return embedded

    def context_of(self, x: Tensor) -> Context:
        """Return the context of whole videos, squeezed to their bags x (N, C, T, D)."""
        mask = torch.ones(x.shape[0], x.shape[2], dtype=torch.bool, device=x.device)
        return Context.pooled(self._embed(x, mask), mask)

    def _embed(self, x: Tensor, mask: Tensor) -> Tensor:
        n, n_views = x.shape[:2]
        real = mask.repeat_interleave(n_views, dim=0)
        x = (x.flatten(0, 1) - self.mean) / self.std
        # What lies beyond the end of a bag must look to the convolution like its own zero padding.
        x = self.feature_dropout(x * real.unsqueeze(-1))
        f = torch.relu(self.conv(x.transpose(1, 2))).transpose(1, 2)
        return f.reshape(n, n_views, *f.shape[1:])
