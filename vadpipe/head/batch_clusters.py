"""Claim 1: a batch's segments form one normal and one abnormal cluster, compact and apart.

Source: the abstract of arXiv 2212.08506; the formulation is ours. Its nearest published relative,
CLAWS (arXiv 2011.12077), separates two clusters of one video.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vadpipe.head.bag_score import TopK, bag_loss

# Mass below which a cluster is taken as empty: its direction would be rounding noise.
MIN_MASS = 1e-6


@dataclass(frozen=True)
class Clusters:
    """A normal and an abnormal cluster.

    Attributes:
        directions: (2, Z), the centroids, of length 1; row 0 normal, row 1 abnormal.
        masses: (2,), the sums of the weights that made them; below :data:`MIN_MASS` the cluster is
            empty and its direction means nothing.
    """

    directions: Tensor
    masses: Tensor

    @property
    def cosine(self) -> Tensor:
        """cos(c_n, c_a), a scalar; near 1 the clusters have collapsed into one."""
        return (self.directions[0] * self.directions[1]).sum()

    def has(self, which: int) -> bool:
        """Return whether that cluster is not empty."""
        return bool(self.masses[which] > MIN_MASS)

    def detach(self) -> Clusters:
        """Return the same clusters outside the graph."""
        return Clusters(self.directions.detach(), self.masses.detach())


def segment_weights(teacher: Tensor, labels: Tensor, mask: Tensor, top_k: TopK) -> Tensor:
    """Return the weight of each segment in each cluster.

    Every segment of a normal bag is normal, w_n = 1. In an abnormal bag the teacher decides: its top
    k segments are abnormal, w_a = t; its lowest half is normal, w_n = 1 - t; the rest is ignored,
    since its label is not known. A segment is never both: in bags of one or two segments the top k
    come first.

    Args:
        teacher: t (N, T) in [0, 1], without gradient.
        labels: (N,), 1 for an abnormal bag.
        mask: (N, T) bool, True on real segments.
        top_k: how many segments are k.

    Returns:
        (2, N, T): w_n and w_a.
    """
    lengths = mask.sum(1)
    abnormal_bag = labels.bool()[:, None]
    top = top_k.mask(teacher, mask)
    rank = teacher.masked_fill(~mask, torch.inf).argsort(dim=1, stable=True).argsort(dim=1)
    low = (rank < (lengths // 2)[:, None]) & mask & ~top
    w_n = torch.where(abnormal_bag, (1 - teacher) * low, mask.to(teacher.dtype))
    w_a = torch.where(abnormal_bag, teacher * top, torch.zeros_like(teacher))
    return torch.stack([w_n, w_a])


def batch_clusters(z: Tensor, weights: Tensor) -> Clusters:
    """Return the weighted centroids ``c = mu / |mu|``, ``mu = sum(w z) / sum(w)``.

    Args:
        z: (N, C, T, Z), points of length 1; each crop of a segment is a point.
        weights: (2, N, T), see :func:`segment_weights`.

    Normal bags anchor the normal cluster, so the two cannot swap.
    """
    masses = weights.sum((1, 2))
    sums = torch.einsum("knt,nctz->kz", weights, z) / z.shape[1]
    return Clusters(F.normalize(sums / masses.clamp_min(MIN_MASS)[:, None], dim=-1), masses)


def abnormal_probability(z: Tensor, clusters: Clusters, temperature: float) -> Tensor:
    """Return ``p_a = softmax([cos(z, c_n), cos(z, c_a)] / tau)_a``, the mean over crops.

    Args:
        z: (N, C, T, Z).
        clusters: both must hold something.
        temperature: tau.

    Returns:
        (N, T) in (0, 1).
    """
    cosines = z @ clusters.directions.T / temperature
    return cosines.softmax(dim=-1)[..., 1].mean(dim=1)


def cluster_loss(
    z: Tensor,
    weights: Tensor,
    labels: Tensor,
    mask: Tensor,
    own: Clusters,
    against: Clusters,
    *,
    temperature: float,
    margin: float,
    top_k: TopK,
) -> Tensor:
    """Return L_BC = compactness + separation + assignment, a scalar.

    - compactness: weighted mean of ``1 - cos(z, c)`` in each cluster, the mean of both, so that each
      counts the same whatever its size;
    - separation: ``relu(cos(c_n, c_a) - margin)``, the mean over the pairs of an own and an opposite
      centroid;
    - assignment: BCE of the bags' top-k mean of p_a against their labels.

    Terms that need a cluster without mass are left out.

    Args:
        z: (N, C, T, Z), points of the batch.
        weights: (2, N, T).
        labels: (N,) float, 1 for an abnormal bag.
        mask: (N, T) bool.
        own: the batch's clusters.
        against: the clusters to be compact around: ``own``, or the memory's (cross-batch).
        temperature: tau.
        margin: of the separation.
        top_k: how many segments are k.
    """
    loss = z.new_zeros(())
    present = [which for which in (0, 1) if own.has(which) and against.has(which)]
    for which in present:
        distance = (1 - z @ against.directions[which]).mean(dim=1)
        loss = loss + (weights[which] * distance).sum() / own.masses[which] / len(present)
    pairs = [(own.directions[0], against.directions[1])] if own.has(0) and against.has(1) else []
    if against is not own and own.has(1) and against.has(0):
        pairs.append((against.directions[0], own.directions[1]))
    for normal, abnormal in pairs:
        loss = loss + F.relu((normal * abnormal).sum() - margin) / len(pairs)
    if against.has(0) and against.has(1):
        p_a = abnormal_probability(z, against, temperature)
        loss = loss + bag_loss(p_a, mask, labels, top_k)
    return loss
