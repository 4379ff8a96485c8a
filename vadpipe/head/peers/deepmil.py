"""DeepMIL: a ranking loss between the highest-scoring segments of abnormal and normal videos.

Sultani, Chen and Shah, "Real-world Anomaly Detection in Surveillance Videos", CVPR 2018, arXiv 1801.04264.

Three linear layers (512, 32, 1) score each segment independently. Features are L2-normalised first, as in the
paper, but per segment, where the paper normalises the features of the clips within it. The optimiser and the
schedule are those of later works' code (Adam at 5e-5, 30 rounds of 50 steps); the paper has Adagrad at 1e-3.
Weight decay is the optimiser's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadpipe.head.bags import Batch
from vadpipe.head.context import Context
from vadpipe.head.head import Head
from vadpipe.head.loss import Loss
from vadpipe.head.peers.parts import check_finite, mean_or_zero
from vadpipe.head.settings import HeadSettings


class DeepMil(Head):
    """The network of DeepMIL and its loss.

    Args:
        n_features: D.
        settings: ``hidden`` is the width of the first layer; the second is a sixteenth as wide.
    """

    def __init__(self, n_features: int, settings: HeadSettings) -> None:
        super().__init__(settings)
        hidden, narrow = settings.hidden, max(1, settings.hidden // 16)
        self.layers = nn.Sequential(
            nn.Linear(n_features, hidden),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(hidden, narrow),
            nn.Dropout(settings.dropout),
            nn.Linear(narrow, 1),
        )

    def segment_scores(self, x: Tensor, mask: Tensor, context: Context | None) -> Tensor:  # noqa: ARG002
        """Return the scores (N, T), the mean over views; see :meth:`Head.segment_scores`."""
        return torch.sigmoid(self.layers(F.normalize(x, dim=-1)).squeeze(-1)).mean(1)

    def loss(self, batch: Batch, *, warm: bool) -> Loss:  # noqa: ARG002
        """Return the ranking loss of the bags' highest scores, with smoothness and sparsity."""
        scores = self.segment_scores(batch.features, batch.mask, None)
        check_finite(scores)
        ranking = ranking_loss(scores, batch.mask, batch.labels)
        smooth, sparse = smooth_and_sparse(scores, batch.mask, batch.labels)
        total = ranking + self.settings.smoothness * smooth + self.settings.sparsity * sparse
        zero = total.detach() * 0
        return Loss(total, ranking.detach(), zero, zero)

    @property
    def reach(self) -> int:
        """0: each segment is scored independently."""
        return 0


def ranking_loss(scores: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of ``max(0, 1 - highest abnormal + highest normal)`` over all pairs of bags.

    Args:
        scores: (N, T) in [0, 1].
        mask: (N, T) bool, True on real segments.
        labels: (N,), 1 for an abnormal bag.
    """
    highest, abnormal = scores.masked_fill(~mask, -torch.inf).amax(1), labels.bool()
    return mean_or_zero(torch.relu(1 - highest[abnormal][:, None] + highest[~abnormal][None]))


def smooth_and_sparse(scores: Tensor, mask: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return temporal smoothness and sparsity: means over abnormal bags, of sums over segments."""
    abnormal = labels.bool()
    s, real = scores[abnormal], mask[abnormal]
    steps = (s[:, 1:] - s[:, :-1]) * (real[:, 1:] & real[:, :-1])
    return mean_or_zero(steps.square().sum(1)), mean_or_zero((s * real).sum(1))
