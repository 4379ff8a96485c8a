"""The head: embedding, classifier branch, clustering branch and the memory of clusters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vadpipe.head.batch_clusters import abnormal_probability
from vadpipe.head.classifier import Classifier
from vadpipe.head.clustering import ClusteringBranch, share_gradient
from vadpipe.head.embedding import Embedding
from vadpipe.head.guidance import guided_score
from vadpipe.head.memory import ClusterMemory
from vadpipe.head.scaling import log_odds, on_scale
from vadpipe.head.settings import HeadSettings
from vadpipe.head.smoothing import smoothed


@dataclass(frozen=True)
class Branches:
    """What the head says about a batch.

    Attributes:
        scores: s (N, T), the classifier's score of each segment, the mean over views.
        points: z (N, C, T, Z), the clustering branch, or None where it is off.
        second: (N, T), the control's second head, or None where it is off.
    """

    scores: Tensor
    points: Tensor | None
    second: Tensor | None


class Head(nn.Module):
    """CBCG: cross-batch clustering guidance, after the abstract of arXiv 2212.08506.

    Args:
        mean, std: (D,) of the normal training snippets.
        settings: switches and sizes.
    """

    scale: Tensor

    def __init__(self, mean: Tensor, std: Tensor, settings: HeadSettings) -> None:
        super().__init__()
        # slope and offset of the scores' log odds, see vadpipe.head.scaling; learned last
        self.register_buffer("scale", torch.tensor([1.0, 0.0], dtype=torch.float64))
        self.settings = settings
        hidden, width = settings.hidden, settings.cluster_dim
        self.embedding = Embedding(mean, std, hidden, settings.dropout, settings.feature_dropout)
        self.classifier = Classifier(hidden, width, settings.dropout)
        self.clustering = (
            ClusteringBranch(hidden, width, settings.cluster_gradient) if settings.clustering else None
        )
        self.second = _SecondHead(settings) if settings.second_head else None
        self.memory = ClusterMemory(settings.queue_batches, width, settings.queue_decay)

    def forward(self, x: Tensor, mask: Tensor) -> Branches:
        """Run both branches on features x (N, C, T, D); mask (N, T) is True on real segments."""
        n, n_views = x.shape[:2]
        f = self.embedding(x.flatten(0, 1), mask.repeat_interleave(n_views, dim=0))

        def per_bag(y: Tensor) -> Tensor:
            return y.reshape(n, n_views, *y.shape[1:])

        return Branches(
            scores=per_bag(self.classifier(f)).mean(dim=1),
            points=None if self.clustering is None else per_bag(self.clustering(f)),
            second=None if self.second is None else per_bag(self.second(f)).mean(dim=1),
        )

    @torch.inference_mode()
    def score(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the anomaly score of each segment, (N, T) in [0, 1], guided by the memory's clusters.

        Call it in evaluation mode; x (N, C, T, D) may be of any length T. Their log odds are smoothed
        along time where the settings ask for it, and put on the scale that unseen videos gave. Of several
        views the settings say how their scores are joined.
        """
        if self.settings.view_join == "max":
            return self.score_views(x, mask).amax(dim=1)
        return self._score(x, mask)

    @torch.inference_mode()
    def score_views(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the score of each segment in each view by itself, (N, C, T); see :meth:`score`."""
        n, views = x.shape[:2]
        masks = None if mask is None else mask.repeat_interleave(views, dim=0)
        return self._score(x.flatten(0, 1).unsqueeze(1), masks).reshape(n, views, -1)

    def _score(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return scores (N, T), where several views are averaged by both branches."""
        if mask is None:
            mask = torch.ones(x.shape[0], x.shape[2], dtype=torch.bool, device=x.device)
        guided = self.guide(self(x, mask))
        odds = smoothed(log_odds(guided), mask, self.settings.smoothing)
        return on_scale(odds, self.scale).to(guided.dtype)

    def guide(self, out: Branches) -> Tensor:
        """Return the guided score where guidance is on and there is something to guide by."""
        if not self.settings.guided:
            return out.scores
        if out.second is not None:
            return guided_score(out.scores, out.second, self.settings.score_mix)
        known = self.memory.clusters()
        if out.points is None or not (known.has(0) and known.has(1)):
            return out.scores
        p_a = abnormal_probability(out.points, known, self.settings.temperature)
        return guided_score(out.scores, p_a, self.settings.score_mix)


class _SecondHead(nn.Module):
    """The control: as many layers and channels as the clustering branch, and no clusters."""

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        self.gradient = settings.cluster_gradient
        hidden, width = settings.hidden, settings.cluster_dim
        self.layers = nn.Sequential(
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, width), nn.ReLU(), nn.Linear(width, 1)
        )

    def forward(self, f: Tensor) -> Tensor:
        return torch.sigmoid(self.layers(share_gradient(f, self.gradient)).squeeze(-1))
