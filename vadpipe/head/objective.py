"""The loss of CBCG on one batch: video-level labels in, one scalar out."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from vadpipe.head.bag_score import bag_loss
from vadpipe.head.bags import Batch
from vadpipe.head.batch_clusters import (
    Clusters,
    abnormal_probability,
    batch_clusters,
    cluster_loss,
    segment_weights,
)
from vadpipe.head.branches import Branches
from vadpipe.head.cluster_memory import ClusterMemory, mix_memory
from vadpipe.head.guidance import guided_score, teacher
from vadpipe.head.loss import Loss
from vadpipe.head.settings import HeadSettings


class Network(Protocol):
    """The network whose loss is taken: :class:`vadpipe.head.cbcg.Cbcg`."""

    settings: HeadSettings
    memory: ClusterMemory

    def __call__(self, x: Tensor, mask: Tensor) -> Branches:
        """Run both branches on features x (N, C, T, D); mask (N, T) is True on real segments."""
        ...


def batch_loss(head: Network, batch: Batch, *, warm: bool) -> Loss:
    """Return ``BCE(top-k mean of s_g, label) + lambda L_BC + smoothness + sparsity``.

    With ``whole_bag_weight`` the same is taken of the bags' means and added, see :func:`whole_bags`.

    Args:
        head: in training mode.
        batch: normal and abnormal bags.
        warm: whether the warm-up is over, so that clusters guide and the memory speaks.

    Raises:
        FloatingPointError: if the head's output is not finite.
    """
    loss, weight = _loss(head, batch, warm=warm), head.settings.whole_bag_weight
    if not weight:
        return loss
    return replace(loss, total=loss.total + weight * _loss(head, whole_bags(batch), warm=warm).total)


def whole_bags(batch: Batch) -> Batch:
    """Return the bags as bags of one segment, the mean of all of theirs.

    It is the calmest view of a video, which no odd snippet can sway. Where videos are few and short, learning
    from it as well steadies all branches; it is ours, docs/method.md has the figures.
    """
    real = batch.mask[:, None, :, None]
    means = (batch.features * real).sum(2, keepdim=True) / real.sum(2, keepdim=True)
    return Batch(means, batch.mask.new_ones(len(batch.labels), 1), batch.labels)


def _loss(head: Network, batch: Batch, *, warm: bool) -> Loss:
    """Return the loss of one view of the bags."""
    settings = head.settings
    out = head(batch.features, batch.mask)
    for branch in (out.scores, out.points, out.second):
        if branch is not None and not torch.isfinite(branch).all():
            raise FloatingPointError("the head's output is not finite")
    final, cluster, clusters = out.scores, out.scores.new_zeros(()), None
    spread = out.scores.new_zeros(())
    if out.second is not None:
        cluster = bag_loss(out.second, batch.mask, batch.labels, settings.top_k)
        if settings.guided and warm:
            final = guided_score(out.scores, out.second, settings.score_mix)
    elif out.points is not None:
        spread = out.points.detach().transpose(1, 2)[batch.mask].flatten(0, 1).std(0, correction=0).mean()
        p_a, cluster, clusters = _clustering(head, out.scores, out.points, batch, warm=warm)
        if settings.guided and warm and p_a is not None:
            final = guided_score(out.scores, p_a, settings.score_mix)
    mil = bag_loss(final, batch.mask, batch.labels, settings.top_k)
    total = mil + settings.cluster_weight * cluster + regularisers(out.scores, batch, settings)
    return Loss(total, mil.detach(), cluster.detach(), spread, clusters)


def _clustering(
    head: Network, scores: Tensor, z: Tensor, batch: Batch, *, warm: bool
) -> tuple[Tensor | None, Tensor, Clusters]:
    """Return p_a (None while a cluster is empty), L_BC, and the batch's own clusters for the memory."""
    settings = head.settings
    known = head.memory.clusters()
    crossing = warm and settings.memory == "queue" and known.has(0) and known.has(1)

    def weights_by(decider: Tensor) -> Tensor:
        return segment_weights(decider, batch.labels, batch.mask, settings.top_k)

    def p_by(clusters: Clusters) -> Tensor | None:
        if not (clusters.has(0) and clusters.has(1)):
            return None
        return abnormal_probability(z, clusters, settings.temperature)

    first = teacher(scores, None)
    if warm:
        # The teacher's own p_a: by the memory, or else by clusters that the classifier alone forms.
        first = teacher(scores, p_by(known if crossing else batch_clusters(z, weights_by(first)).detach()))
    weights = weights_by(first)
    batch_own = batch_clusters(z, weights)
    own = batch_own
    if settings.memory == "ema" and warm:
        own = mix_memory(batch_own, known, settings.ema_decay)

    def loss_against(clusters: Clusters) -> Tensor:
        return cluster_loss(
            z,
            weights,
            batch.labels,
            batch.mask,
            own,
            clusters,
            temperature=settings.temperature,
            margin=settings.margin,
            top_k=settings.top_k,
        )

    loss = loss_against(own)
    if crossing:
        loss = loss + loss_against(known)
    return p_by(known if crossing else own), loss, batch_own.detach()


def regularisers(scores: Tensor, batch: Batch, settings: HeadSettings) -> Tensor:
    """Return smoothness and sparsity of the abnormal bags' scores, as in RTFM (arXiv 2101.10030)."""
    abnormal = batch.labels.bool()
    s, mask = scores[abnormal], batch.mask[abnormal]
    if not len(s):
        return scores.new_zeros(())
    steps = (s[:, 1:] - s[:, :-1]) * (mask[:, 1:] & mask[:, :-1])
    smooth = steps.square().sum()
    sparse: Tensor = torch.linalg.vector_norm(s * mask)
    return settings.smoothness * smooth + settings.sparsity * sparse
