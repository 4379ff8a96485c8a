"""The classifier branch: an anomaly score for each segment."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """``s = sigmoid(MLP f)``: (B, T, seen) to (B, T), in (0, 1).

    Args:
        seen: channels of the embedding.
        width: width of the layer between.
        dropout: share of that layer dropped in training.
    """

    def __init__(self, seen: int, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(seen, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1)
        )

    def forward(self, f: Tensor) -> Tensor:
        """Return the score of each segment."""
        return torch.sigmoid(self.layers(f).squeeze(-1))
