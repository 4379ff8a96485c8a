"""BN-WVAD: abnormal segments are outliers of the running statistics of batch normalisation.

Zhou et al., "BatchNorm-based Weakly Supervised Video Anomaly Detection", TCSVT 2024, arXiv 2311.15367.

Two batch-normalised layers follow UR-DMU's attention. The Mahalanobis distance of a segment from their
running mean (the paper's DFM, with running variances) selects segments of abnormal bags, per bag and across
the batch; a triplet loss pulls the most distant segments of normal bags towards the mean and pushes the
selected ones away. The classifier is trained on normal bags alone, to score 0. A segment's score is the
classifier's, multiplied by the sum of both distances. Differences: the running variance has the layer's
epsilon added; every selected segment of a normal bag is paired with every one of an abnormal bag, not one
with one; and as scores have to be in [0, 1], the product p becomes ``p / (1 + p)``, which preserves the
order.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vadpipe.head.bags import Batch
from vadpipe.head.context import Context
from vadpipe.head.head import Head
from vadpipe.head.loss import Loss
from vadpipe.head.peers.parts import (
    BatchNorm,
    Convolution,
    check_finite,
    mean_of_views,
    mean_or_zero,
    views_as_bags,
)
from vadpipe.head.peers.transformer import Enhancer
from vadpipe.head.settings import HeadSettings

RATIOS = (16, 32)
"""Of the width of the attention to the widths of the two normalised layers."""

LAYER_WEIGHTS = (5.0, 20.0)
OF_A_BAG, OF_THE_BATCH = 0.1, 0.2
"""Shares of segments that are selected: of each abnormal bag, and of all abnormal bags together."""

MARGIN = 1.0


class Seen(NamedTuple):
    """Outputs of the network.

    Attributes:
        scores: (N, T) of the classifier, averaged over views.
        layers: the input (N, C, T, W) of each batch normalisation.
    """

    scores: Tensor
    layers: list[Tensor]


class BnWvad(Head):
    """The network of BN-WVAD and its losses.

    Args:
        n_features: D.
        settings: ``hidden`` is the width of the attention.
    """

    def __init__(self, n_features: int, settings: HeadSettings) -> None:
        super().__init__(settings)
        widths = [settings.hidden, *(max(1, settings.hidden // ratio) for ratio in RATIOS)]
        self.enhancer = Enhancer(n_features, settings.hidden, settings.dropout)
        self.narrowing = nn.ModuleList(Convolution(*pair) for pair in pairwise(widths))
        self.norms = nn.ModuleList(BatchNorm(width) for width in widths[1:])
        self.classifier = Convolution(widths[-1], 1)

    def forward(self, x: Tensor, mask: Tensor) -> Seen:
        """Run the network on features x (N, C, T, D); mask (N, T) is True on real segments."""
        n_bags, n_views = x.shape[:2]
        x, mask = views_as_bags(x, mask)
        seen, layers = self.enhancer(x, mask), []
        for narrow, norm in zip(self.narrowing, self.norms, strict=True):
            seen = narrow(seen, mask)
            layers.append(seen.reshape(n_bags, n_views, *seen.shape[1:]))
            seen = torch.relu(norm(seen, mask))
        scores = torch.sigmoid(self.classifier(seen, mask).squeeze(-1))
        return Seen(mean_of_views(scores, n_bags), layers)

    def segment_scores(self, x: Tensor, mask: Tensor, context: Context | None) -> Tensor:  # noqa: ARG002
        """Return the scores (N, T), of means over views; see :meth:`Head.segment_scores`."""
        seen = self(x, mask)
        divergence = torch.zeros_like(seen.scores)
        for layer, norm in zip(seen.layers, self.norms, strict=True):
            divergence = divergence + _from_mean(layer, norm).mean(1)
        product: Tensor = seen.scores * divergence
        return product / (1 + product)

    def loss(self, batch: Batch, *, warm: bool) -> Loss:  # noqa: ARG002
        """Return the L2 norm of normal bags' scores, and a triplet loss for each normalised layer."""
        seen, abnormal = self(batch.features, batch.mask), batch.labels.bool()
        check_finite(seen.scores)
        calm = torch.linalg.vector_norm((seen.scores * batch.mask)[~abnormal], dim=1)
        normal = mean_or_zero(calm)
        total = normal
        for layer, norm, weight in zip(seen.layers, self.norms, LAYER_WEIGHTS, strict=True):
            picked = picked_segments(_from_mean(layer, norm).mean(1).detach(), batch.mask, abnormal)
            distances = _from_mean(layer.mean(1), norm)
            near, far = distances[picked & ~abnormal[:, None]], distances[picked & abnormal[:, None]]
            total = total + weight * mean_or_zero(torch.relu(near[:, None] - far[None] + MARGIN))
        zero = total.detach() * 0
        return Loss(total, normal.detach(), zero, zero)

    @property
    def reach(self) -> None:
        """None: attention spans the video."""
        return


def _from_mean(x: Tensor, norm: nn.Module) -> Tensor:
    """Return the Mahalanobis distance (...) of x (..., W) from a batch normalisation's running mean."""
    assert isinstance(norm, BatchNorm)
    known = norm.layer
    assert known.running_mean is not None
    assert known.running_var is not None
    mean, variance = known.running_mean.clone(), known.running_var.clone()  # the next batch updates them
    return ((x - mean).square() / (variance + known.eps)).sum(-1).clamp_min(1e-12).sqrt()


def picked_segments(distances: Tensor, mask: Tensor, abnormal: Tensor) -> Tensor:
    """Return (N, T) bool, the segments from which the triplets are made.

    Of an abnormal bag the farthest tenth, and those among the farthest fifth of all abnormal bags'
    segments; of each normal bag its farthest, one more than an abnormal bag has on average.

    Args:
        distances: (N, T).
        mask: (N, T) bool, True on real segments.
        abnormal: (N,) bool.
    """
    lengths = mask.sum(1)
    real = mask & abnormal[:, None]
    rank = _ranks(distances, mask)
    of_bags = real & (rank < (lengths * OF_A_BAG).long().clamp_min(1)[:, None])
    n_of_all = max(1, int(int(real.sum()) * OF_THE_BATCH))
    of_all = real & (_ranks(distances.reshape(1, -1), real.reshape(1, -1)).reshape(mask.shape) < n_of_all)
    picked = of_bags | of_all
    n_normal = int((~abnormal).sum())
    n_of_each = int(picked.sum()) // max(1, n_normal) + 1
    return picked | (mask & ~abnormal[:, None] & (rank < n_of_each))


def _ranks(x: Tensor, mask: Tensor) -> Tensor:
    """Return the rank of each number in its row of x (N, T), 0 for the highest that mask marks."""
    order = x.masked_fill(~mask, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1)
