"""MGFN: a glance at the whole video, a focus on neighbouring segments, and a contrast of feature magnitudes.

Chen et al., "MGFN: Magnitude-Contrastive Glance-and-Focus Network for Weakly-Supervised Video Anomaly
Detection", AAAI 2023, arXiv 2211.15098.

The L2 norm of each segment's features is embedded by a convolution of its own and added, scaled, to the
embedded features. Three stages follow: three glance blocks (self-attention over the video), then three and
two focus blocks (self-attentional convolution over five segments). The k segments with the largest
magnitudes represent a bag. As in the authors' code, selection ranks by L2 norm and excludes a random 70 %
of segments in training, while the contrastive loss takes L1 norms. Differences: the contrast is of the mean
over a bag's k segments, as the paper defines it, and of all pairs of bags, not between halves of a batch;
smoothness and sparsity are taken over abnormal bags.
"""

from __future__ import annotations

from itertools import pairwise
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
from vadpipe.head.peers.transformer import attend
from vadpipe.head.settings import HeadSettings

WIDTHS = (1, 2, 16)
"""Of the stages, in multiples of the first."""

DEPTHS = (3, 3, 2)
AMPLIFICATION = 0.1
FOCUS_SEGMENTS = 5
EXPANSION = 4
MARGIN = 200.0
CONTRAST_WEIGHT = 1e-3
APART_WEIGHT = 1e-3
"""Of pairs of different classes, relative to pairs of one class."""


class Seen(NamedTuple):
    """Outputs of the network, (N, T) each, averaged over views.

    Attributes:
        scores: in [0, 1].
        norms: L2 norms of the learned features.
        sums: their L1 norms.
    """

    scores: Tensor
    norms: Tensor
    sums: Tensor


class Mgfn(Head):
    """The network of MGFN and its losses.

    Args:
        n_features: D.
        settings: ``hidden`` is the width of the first stage, and that of an attention's head.
    """

    def __init__(self, n_features: int, settings: HeadSettings) -> None:
        super().__init__(settings)
        head_width = settings.hidden
        widths = [head_width * width for width in WIDTHS]
        self.embedding = Convolution(n_features, widths[0], 3)
        self.magnitude = Convolution(1, widths[0], 3)
        self.stages = nn.ModuleList(
            nn.ModuleList(_Block(width, head_width, glances=stage == 0) for _ in range(depth))
            for stage, (width, depth) in enumerate(zip(widths, DEPTHS, strict=True))
        )
        self.widening = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(narrow), nn.Linear(narrow, wide)) for narrow, wide in pairwise(widths)
        )
        self.norm = nn.LayerNorm(widths[-1])
        self.classifier = nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor, mask: Tensor) -> Seen:
        """Run the network on features x (N, C, T, D); mask (N, T) is True on real segments."""
        n_bags = x.shape[0]
        x, mask = views_as_bags(x, mask)
        norms = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        x = self.embedding(x, mask) + AMPLIFICATION * self.magnitude(norms, mask)
        for stage, blocks in enumerate(self.stages):
            if stage:
                x = self.widening[stage - 1](x)
            assert isinstance(blocks, nn.ModuleList)
            for block in blocks:
                x = block(x, mask)
        x = self.norm(x)
        scores = torch.sigmoid(self.classifier(x).squeeze(-1))
        norms, sums = (torch.linalg.vector_norm(x, power, dim=-1) for power in (2, 1))
        return Seen(*(mean_of_views(part, n_bags) for part in (scores, norms, sums)))

    def segment_scores(self, x: Tensor, mask: Tensor, context: Context | None) -> Tensor:  # noqa: ARG002
        """Return the scores (N, T), the mean over views; see :meth:`Head.segment_scores`."""
        scores: Tensor = self(x, mask).scores
        return scores

    def loss(self, batch: Batch, *, warm: bool) -> Loss:  # noqa: ARG002
        """Return cross entropy, contrast of magnitudes, smoothness and sparsity."""
        seen = self(batch.features, batch.mask)
        chosen = longest(seen.norms, batch.mask, self)
        video = mean_of_chosen(seen.scores, chosen)
        check_finite(video)
        cross_entropy = F.binary_cross_entropy(video, batch.labels)
        contrast = contrast_loss(mean_of_chosen(seen.sums, chosen), batch.labels)
        total = cross_entropy + CONTRAST_WEIGHT * contrast + regularisers(seen.scores, batch, self.settings)
        zero = total.detach() * 0
        return Loss(total, cross_entropy.detach(), zero, zero)

    @property
    def reach(self) -> None:
        """None: attention spans the video."""
        return


class _Block(nn.Module):
    """A convolution, a glance or a focus, and a feed-forward network, each with a residual connection."""

    def __init__(self, width: int, head_width: int, *, glances: bool) -> None:
        super().__init__()
        self.shortcut = Convolution(width, width, 3)
        self.attention = _Glance(width, head_width) if glances else _Focus(width, head_width)
        self.network = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, EXPANSION * width),
            nn.GELU(),
            nn.Linear(EXPANSION * width, width),
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.shortcut(x, mask)
        x = x + self.attention(x, mask)
        out: Tensor = x + self.network(x)
        return out


class _Glance(nn.Module):
    """Self-attention over the whole video."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.n_heads = width // head_width
        self.norm, self.project = nn.LayerNorm(width), nn.Linear(width, 3 * width, bias=False)
        self.merge = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        n_bags, length, width = x.shape
        parts = self.project(self.norm(x)).reshape(n_bags, length, 3, self.n_heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = attend(query, key, value, mask)
        merged: Tensor = self.merge(seen.transpose(1, 2).reshape(n_bags, length, width))
        return merged


class _Focus(nn.Module):
    """A convolution over five segments whose weights are shared by the channels of a head."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        n_heads = width // head_width
        self.norm, self.project = BatchNorm(width), nn.Linear(width, width, bias=False)
        self.around = nn.Conv1d(n_heads, n_heads, FOCUS_SEGMENTS, padding=FOCUS_SEGMENTS // 2, groups=n_heads)
        self.merge = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        n_bags, length, width = x.shape
        value = self.project(self.norm(x, mask)) * mask[..., None]
        heads = value.reshape(n_bags, length, -1, self.around.in_channels).permute(0, 2, 3, 1)
        seen = self.around(heads.flatten(0, 1)).unflatten(0, (n_bags, -1))
        merged: Tensor = self.merge(seen.permute(0, 3, 1, 2).reshape(n_bags, length, width))
        return merged


def contrast_loss(magnitudes: Tensor, labels: Tensor) -> Tensor:
    """Return the contrastive loss: squared distances within a class, squared hinges between classes.

    Both are means over pairs of bags.

    Args:
        magnitudes: (N,) of the bags.
        labels: (N,), 1 for an abnormal bag.
    """
    abnormal = labels.bool()
    between = (magnitudes[abnormal][:, None] - magnitudes[~abnormal][None]).abs()
    loss = APART_WEIGHT * mean_or_zero(torch.relu(MARGIN - between).square())
    for own in (magnitudes[~abnormal], magnitudes[abnormal]):
        first, second = torch.triu_indices(len(own), len(own), offset=1, device=own.device)
        loss = loss + mean_or_zero((own[first] - own[second]).square())
    return loss
