"""The loss of a training step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vadpipe.head.batch_clusters import Clusters


@dataclass(frozen=True)
class Loss:
    """The loss of a step, and its by-products.

    Attributes:
        total: the scalar to minimise.
        mil, cluster: its two main parts before weighting, without gradient; of a method without clusters
            ``mil`` is what it takes of the bags' scores, and ``cluster`` 0.
        spread: deviation of the points z, the mean over dimensions; 0 without clustering.
        clusters: the batch's clusters for the memory, detached, or None without clustering.
        parts: the losses that this one is the sum of, where several heads are trained as one.
    """

    total: Tensor
    mil: Tensor
    cluster: Tensor
    spread: Tensor
    clusters: Clusters | None = None
    parts: tuple[Loss, ...] = ()
