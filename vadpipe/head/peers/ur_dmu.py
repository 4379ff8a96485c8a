"""UR-DMU: a memory of normal and a memory of abnormal prototypes, and the uncertainty of normal features.

Zhou, Yu and Yang, "Dual Memory Units with Uncertainty Regulation for Weakly Supervised Video Anomaly
Detection", AAAI 2023, arXiv 2302.05160.

Each segment queries both memories; their read-outs are encoded and concatenated with the segment's features
for the classifier. In training, the normal memory's read-out for normal videos is sampled from a learned
Gaussian. The losses and their weights are the paper's; the KL divergence is summed over time and averaged
over channels, as in the authors' code. Differences: triplet and distance losses pair every normal bag with
every abnormal one, not one with one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadpipe.head.bag_score import bag_loss
from vadpipe.head.bags import Batch
from vadpipe.head.context import Context
from vadpipe.head.head import Head
from vadpipe.head.loss import Loss
from vadpipe.head.peers.parts import check_finite, mean_of_views, mean_or_zero, views_as_bags
from vadpipe.head.peers.transformer import Enhancer
from vadpipe.head.settings import HeadSettings

N_SLOTS = 60
MEMORY_WEIGHT = TRIPLET_WEIGHT = 0.1
DIVERGENCE_WEIGHT = 1e-3
DISTANCE_WEIGHT = 1e-4
TRIPLET_MARGIN = 1.0
DISTANCE_MARGIN = 100.0

_N_BEST = N_SLOTS // 16 + 1
"""Slots, the most similar ones, whose mean similarity says how well a segment is known."""


class Memory(nn.Module):
    """A memory: slots that hold learned prototypes.

    Args:
        width: of a segment and of a slot.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        slots = torch.empty(N_SLOTS, width).uniform_(-1, 1)
        # Where a head is built without numbers, to divide them would load 900 modules of torch.
        self.slots = nn.Parameter(slots if slots.is_meta else slots / math.sqrt(width))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return how well each segment of x (N, T, W) is known, (N, T), and its read-out (N, T, W)."""
        likeness = torch.sigmoid(x @ self.slots.T / math.sqrt(x.shape[-1]))
        return likeness.topk(_N_BEST, dim=-1).values.mean(-1), likeness @ self.slots


class Seen(NamedTuple):
    """Outputs of the network for B bags, each view one of its own.

    Attributes:
        segments: (B, T, W), the output of the attention.
        scores: (B, T).
        known_normal, known_abnormal: (B, T), how well each memory knows a segment.
        normal: (B, T, W), the encoded read-out of the normal memory, with its noise.
        abnormal: (B, T, W), that of the abnormal one.
        mean, log_variance: (B, T, W), of the Gaussian of the normal read-out.
    """

    segments: Tensor
    scores: Tensor
    known_normal: Tensor
    known_abnormal: Tensor
    normal: Tensor
    abnormal: Tensor
    mean: Tensor
    log_variance: Tensor


class UrDmu(Head):
    """The network of UR-DMU and its losses.

    Args:
        n_features: D.
        settings: ``hidden`` is the width of attention and memories, a quarter of it the classifier's.
    """

    def __init__(self, n_features: int, settings: HeadSettings) -> None:
        super().__init__(settings)
        width, narrow = settings.hidden, max(1, settings.hidden // 4)
        self.enhancer = Enhancer(n_features, width, settings.dropout)
        self.normal_memory, self.abnormal_memory = Memory(width), Memory(width)
        self.encode_mean, self.encode_variance = nn.Linear(width, width), nn.Linear(width, width)
        self.classifier = nn.Sequential(nn.Linear(2 * width, narrow), nn.ReLU(), nn.Linear(narrow, 1))

    def forward(self, x: Tensor, mask: Tensor, noisy: Tensor) -> Seen:
        """Run the network on bags x (B, T, D); noisy (B,) bool marks whose normal read-out is sampled."""
        segments = self.enhancer(x, mask)
        known_normal, normal = self.normal_memory(segments)
        known_abnormal, abnormal = self.abnormal_memory(segments)
        mean, log_variance = self.encode_mean(normal), self.encode_variance(normal)
        drawn, abnormal = mean, self.encode_mean(abnormal)
        if self.training:
            noise = torch.randn_like(mean) * torch.exp(log_variance / 2)
            drawn = torch.where(noisy[:, None, None], mean + noise, mean)
        read = torch.cat([segments, drawn + abnormal], dim=-1)
        scores = torch.sigmoid(self.classifier(read).squeeze(-1))
        return Seen(segments, scores, known_normal, known_abnormal, drawn, abnormal, mean, log_variance)

    def segment_scores(self, x: Tensor, mask: Tensor, context: Context | None) -> Tensor:  # noqa: ARG002
        """Return the scores (N, T), the mean over views; see :meth:`Head.segment_scores`."""
        each, real = views_as_bags(x, mask)
        quiet = torch.zeros(each.shape[0], dtype=torch.bool, device=x.device)
        return mean_of_views(self(each, real, quiet).scores, x.shape[0])

    def loss(self, batch: Batch, *, warm: bool) -> Loss:  # noqa: ARG002
        """Return cross entropy, the memories' losses, triplet, divergence and distance."""
        n_bags, abnormal = len(batch.labels), batch.labels.bool()
        x, mask = views_as_bags(batch.features, batch.mask)
        of_views = abnormal.repeat_interleave(batch.features.shape[1])
        seen = self(x, mask, ~of_views)
        scores = mean_of_views(seen.scores, n_bags)
        check_finite(scores)
        cross_entropy = bag_loss(scores, batch.mask, batch.labels, self.settings.top_k)
        total = (
            cross_entropy
            + MEMORY_WEIGHT * self._memory_loss(seen, batch)
            + self._apart(seen, mask, n_bags, abnormal)
            + DIVERGENCE_WEIGHT
            * divergence(seen.mean[~of_views], seen.log_variance[~of_views], mask[~of_views])
        )
        zero = total.detach() * 0
        return Loss(total, cross_entropy.detach(), zero, zero)

    @property
    def reach(self) -> None:
        """None: attention spans the video."""
        return

    def _memory_loss(self, seen: Seen, batch: Batch) -> Tensor:
        """Return the cross entropies of what each memory should and should not know."""
        abnormal, mask = batch.labels.bool(), batch.mask
        known_normal = mean_of_views(seen.known_normal, len(mask))
        known_abnormal = mean_of_views(seen.known_abnormal, len(mask))

        def some(known: Tensor) -> Tensor:
            """Return the cross entropy to 1 of the k highest segments of each abnormal bag."""
            return _towards_1(self.settings.top_k.mean(known[abnormal], mask[abnormal]))

        calm = mask & ~abnormal[:, None]
        return (
            some(known_abnormal)
            + some(1 - known_normal)
            + _towards_1(known_normal[calm])
            + _towards_1(1 - known_abnormal[calm])
        )

    def _apart(self, seen: Seen, mask: Tensor, n_bags: int, abnormal: Tensor) -> Tensor:
        """Return the weighted triplet and distance losses of the segments that the memories know best."""
        best_normal = self.settings.top_k.mask(seen.known_normal.detach(), mask)
        best_abnormal = self.settings.top_k.mask(seen.known_abnormal.detach(), mask)

        def mean_of(segments: Tensor, chosen: Tensor) -> Tensor:
            total = (segments * chosen[..., None]).sum(1) / chosen.sum(1)[:, None]
            return mean_of_views(total, n_bags)

        by_normal, by_abnormal = (mean_of(seen.segments, chosen) for chosen in (best_normal, best_abnormal))
        triplet = triplet_loss(by_normal[~abnormal], by_normal[abnormal], by_abnormal[abnormal])
        near = torch.linalg.vector_norm(mean_of(seen.normal, best_normal)[~abnormal], dim=-1)
        far = torch.linalg.vector_norm(mean_of(seen.abnormal, best_abnormal)[abnormal], dim=-1)
        distance = mean_or_zero(torch.relu(DISTANCE_MARGIN - far[:, None] + near[None]))
        return TRIPLET_WEIGHT * triplet + DISTANCE_WEIGHT * distance


def _towards_1(known: Tensor) -> Tensor:
    """Return the cross entropy of probabilities whose target is 1; 0 where there are none."""
    return mean_or_zero(-known.clamp_min(1e-6).log())


def triplet_loss(anchors: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """Return the triplet loss of L2-normalised vectors, the mean over every anchor with every pair.

    Args:
        anchors: (A, W), of normal bags.
        positives: (P, W), the segments of each abnormal bag that look normal.
        negatives: (P, W), those that look abnormal.
    """
    a, p, n = (F.normalize(part, dim=-1) for part in (anchors, positives, negatives))
    near = torch.linalg.vector_norm(a[:, None] - p[None], dim=-1)
    far = torch.linalg.vector_norm(a[:, None] - n[None], dim=-1)
    return mean_or_zero(torch.relu(near - far + TRIPLET_MARGIN))


def divergence(mean: Tensor, log_variance: Tensor, mask: Tensor) -> Tensor:
    """Return the KL divergence from N(0, 1), summed over real segments, averaged over bags and channels.

    Args:
        mean: (B, T, W).
        log_variance: (B, T, W).
        mask: (B, T) bool, True on real segments.
    """
    each = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
    return mean_or_zero((each * mask[..., None]).sum(1))
