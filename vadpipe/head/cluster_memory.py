"""Claim 2: clusters of earlier mini-batches, against the imbalance within one.

Source: the abstract of arXiv 2212.08506; the form of the queue follows cross-batch memory (XBM,
arXiv 1912.06798), which holds embeddings where this holds centroids.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadpipe.head.batch_clusters import MIN_MASS, Clusters


class ClusterMemory(nn.Module):
    """A queue of the last M batches' clusters. Its buffers are part of the checkpoint.

    Args:
        n_batches: M.
        cluster_dim: Z.
        decay: weight of an entry for each batch that came after it.
    """

    sums: Tensor
    masses: Tensor
    n_appended: Tensor

    def __init__(self, n_batches: int, cluster_dim: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("sums", torch.zeros(n_batches, 2, cluster_dim))
        self.register_buffer("masses", torch.zeros(n_batches, 2))
        self.register_buffer("n_appended", torch.zeros((), dtype=torch.int64))

    def __len__(self) -> int:
        """Return how many entries are held, counted by the queue itself."""
        return min(int(self.n_appended), len(self.masses))

    def append(self, clusters: Clusters) -> None:
        """Remember a batch's clusters, detached: ``(centroid * mass, mass)`` each."""
        slot = int(self.n_appended) % len(self.masses)
        masses = torch.where(clusters.masses > MIN_MASS, clusters.masses, 0).detach()
        self.masses[slot] = masses
        self.sums[slot] = clusters.directions.detach() * masses[:, None]
        self.n_appended += 1

    def clusters(self) -> Clusters:
        """Return the clusters of all that is remembered, older batches weighing less.

        While one of the two was never seen, its mass is 0.
        """
        n_slots = len(self.masses)
        age = (self.n_appended - 1 - torch.arange(n_slots, device=self.masses.device)) % n_slots
        weight = self.decay**age * (age < len(self))
        masses = torch.einsum("m,mk->k", weight, self.masses)
        sums = torch.einsum("m,mkz->kz", weight, self.sums)
        return Clusters(F.normalize(sums, dim=-1), masses)


def mix_memory(own: Clusters, memory: Clusters, decay: float) -> Clusters:
    """Return the batch's clusters with the memory mixed into the centroids (``memory = "ema"``).

    This scales the gradient of the separation down by ``1 - decay``: with small batches the clusters
    stay unseparated, which is why it is a switch and not the default.
    """
    directions = [
        decay * memory.directions[which] + (1 - decay) * own.directions[which]
        if memory.has(which) and own.has(which)
        else own.directions[which]
        for which in (0, 1)
    ]
    return Clusters(F.normalize(torch.stack(directions), dim=-1), own.masses)
