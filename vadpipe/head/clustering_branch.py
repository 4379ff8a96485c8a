"""The clustering branch: a point on the unit sphere for each segment."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def share_gradient(f: Tensor, share: float) -> Tensor:
    """Return f itself, but let only ``share`` of the gradient pass: ``g f + (1 - g) stopgrad f``."""
    if share == 1:
        return f
    if share == 0:
        return f.detach()
    return share * f + (1 - share) * f.detach()


class ClusteringBranch(nn.Module):
    """``z = unit-norm MLP(g f + (1 - g) stopgrad f)``: (B, T, seen) to (B, T, Z).

    Args:
        seen: channels of the embedding.
        hidden: width of the layer between.
        cluster_dim: Z.
        gradient: g, the share of the clustering gradient that reaches the embedding. 1 is the
            literal reading of the abstract, 0 cuts the branch off.
    """

    def __init__(self, seen: int, hidden: int, cluster_dim: int, gradient: float) -> None:
        super().__init__()
        self.gradient = gradient
        self.layers = nn.Sequential(nn.Linear(seen, hidden), nn.ReLU(), nn.Linear(hidden, cluster_dim))

    def forward(self, f: Tensor) -> Tensor:
        """Return the point of each segment, of length 1."""
        return F.normalize(self.layers(share_gradient(f, self.gradient)), dim=-1)
