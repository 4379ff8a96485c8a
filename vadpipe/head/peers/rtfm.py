"""RTFM: abnormal segments are those whose learned features have a large magnitude.

Tian et al., "Weakly-supervised Video Anomaly Detection with Robust Temporal Feature Magnitude Learning",
ICCV 2021, arXiv 2101.10030.

Three dilated convolutions (1, 2, 4) and a non-local block capture short-range and long-range dependencies;
a further convolution fuses them, and the input features are added. The k segments with the largest
magnitudes represent a bag: the cross entropy takes their scores, the margin loss their magnitudes. Three
details come from the authors' code and are not in the paper: batch normalisation, the random 70 % of
segments that are excluded from the selection in training, and the square of the margin term, without which
its weight of 1e-4 would have no effect. Differences: the margin loss pairs every abnormal bag with every
normal one, not one with one; and a bag's magnitude is the mean magnitude of its k segments, as in the
paper, where the code takes the magnitude of their mean feature.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadpipe.head.bags import Batch
from vadpipe.head.context import Context
from vadpipe.head.head import Head
from vadpipe.head.loss import Loss
from vadpipe.head.objective import regularisers
from vadpipe.head.peers.parts import (
    BatchNorm,
    Convolution,
    check_finite,
    longest,
    mean_of_chosen,
    mean_of_views,
    mean_or_zero,
    views_as_bags,
)
from vadpipe.head.settings import HeadSettings

DILATIONS = (1, 2, 4)
MARGIN = 100.0
MARGIN_WEIGHT = 1e-4


class Seen(NamedTuple):
    """Outputs of the network: scores and magnitudes (N, T), averaged over views."""

    scores: Tensor
    magnitudes: Tensor


class Rtfm(Head):
    """The network of RTFM and its loss.

    Args:
        n_features: D; the branches have a quarter of it.
        settings: ``hidden`` is the width of the classifier's first layer, a quarter of it the second's.
    """

    def __init__(self, n_features: int, settings: HeadSettings) -> None:
        super().__init__(settings)
        width, hidden, narrow = max(1, n_features // 4), settings.hidden, max(1, settings.hidden // 4)
        self.pyramid = nn.ModuleList(Convolution(n_features, width, 3, dilation=step) for step in DILATIONS)
        self.pyramid_norms = nn.ModuleList(BatchNorm(width) for _ in DILATIONS)
        self.reduce = Convolution(n_features, width, bias=False)
        self.non_local = _NonLocal(width)
        self.fuse = Convolution((len(DILATIONS) + 1) * width, n_features, 3, bias=False)
        self.fuse_norm = BatchNorm(n_features)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Sequential(
            nn.Linear(n_features, hidden),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(hidden, narrow),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(narrow, 1),
        )

    def forward(self, x: Tensor, mask: Tensor) -> Seen:
        """Score features x (N, C, T, D); mask (N, T) is True on real segments."""
        n_bags = x.shape[0]
        x, mask = views_as_bags(x, mask)
        branches = [
            norm(torch.relu(convolution(x, mask)), mask)
            for convolution, norm in zip(self.pyramid, self.pyramid_norms, strict=True)
        ]
        branches.append(self.non_local(torch.relu(self.reduce(x, mask)), mask))
        fused = torch.relu(self.fuse(torch.cat(branches, dim=-1), mask))
        features = self.dropout(self.fuse_norm(fused, mask) + x)
        scores = torch.sigmoid(self.classifier(features).squeeze(-1))
        magnitudes = torch.linalg.vector_norm(features, dim=-1)
        return Seen(mean_of_views(scores, n_bags), mean_of_views(magnitudes, n_bags))

    def segment_scores(self, x: Tensor, mask: Tensor, context: Context | None) -> Tensor:  # noqa: ARG002
        """Return the scores (N, T), the mean over views; see :meth:`Head.segment_scores`."""
        scores: Tensor = self(x, mask).scores
        return scores

    def loss(self, batch: Batch, *, warm: bool) -> Loss:  # noqa: ARG002
        """Return cross entropy, margin of magnitudes, smoothness and sparsity."""
        seen = self(batch.features, batch.mask)
        chosen = longest(seen.magnitudes, batch.mask, self)
        video = mean_of_chosen(seen.scores, chosen)
        check_finite(video)
        cross_entropy = F.binary_cross_entropy(video, batch.labels)
        apart = margin_loss(mean_of_chosen(seen.magnitudes, chosen), batch.labels)
        total = cross_entropy + MARGIN_WEIGHT * apart + regularisers(seen.scores, batch, self.settings)
        zero = total.detach() * 0
        return Loss(total, cross_entropy.detach(), zero, zero)

    @property
    def reach(self) -> None:
        """None: attention spans the video."""
        return


class _NonLocal(nn.Module):
    """The dot-product form of a non-local block (Wang et al., arXiv 1711.07971), with a residual connection.

    ``(query key') value / T`` is taken as ``query (key' value) / T``: no memory grows with the square of T.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        half = max(1, width // 2)
        self.query, self.key, self.value = (Convolution(width, half) for _ in range(3))
        self.back, self.norm = Convolution(half, width), BatchNorm(width)
        nn.init.zeros_(self.norm.layer.weight)  # in the beginning it adds nothing

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (part(x, mask) for part in (self.query, self.key, self.value))
        key = key * mask[..., None]  # a bias is there beyond the end as well
        seen = query @ (key.transpose(1, 2) @ value) / mask.sum(1)[:, None, None]
        out: Tensor = x + self.norm(self.back(seen, mask), mask)
        return out


def margin_loss(magnitudes: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of ``(|margin - abnormal| + normal) ** 2`` over all pairs of bags.

    Args:
        magnitudes: (N,) of the bags.
        labels: (N,), 1 for an abnormal bag.
    """
    abnormal = labels.bool()
    missing = (MARGIN - magnitudes[abnormal]).abs()
    return mean_or_zero((missing[:, None] + magnitudes[~abnormal][None]).square())
