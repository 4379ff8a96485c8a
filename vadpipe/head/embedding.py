"""The embedding that both branches share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Embedding(nn.Module):
    """``f = dropout(relu(conv1d(X, kernel 3)))`` over standardised features.

    Args:
        mean, std: (D,) of the normal training snippets; part of the checkpoint, so that a video is
            judged against what was normal in training and not against itself.
        hidden: H.
        dropout: share of channels dropped in training.
        feature_dropout: share of the features' numbers dropped in training.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: Tensor, std: Tensor, hidden: int, dropout: float, feature_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())
        self.conv = nn.Conv1d(len(mean), hidden, kernel_size=3, padding=1)
        self.feature_dropout = nn.Dropout(feature_dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return f (B, T, H) of features x (B, T, D); mask (B, T) bool is True on real segments."""
        x = (x - self.mean) / self.std
        # What lies beyond the end of a bag must look to the convolution like its own zero padding.
        x = self.feature_dropout(x * mask.unsqueeze(-1))
        f: Tensor = self.dropout(torch.relu(self.conv(x.transpose(1, 2)))).transpose(1, 2)
        return f
