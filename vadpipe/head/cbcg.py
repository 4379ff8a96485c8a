"""CBCG's network: embedding, classifier branch, clustering branch and the memory of clusters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vadpipe.head.bags import Batch
from vadpipe.head.batch_clusters import abnormal_probability
from vadpipe.head.branches import Branches
from vadpipe.head.classifier import Classifier
from vadpipe.head.cluster_memory import ClusterMemory
from vadpipe.head.clustering_branch import ClusteringBranch, share_gradient
from vadpipe.head.context import Context
from vadpipe.head.embedding import Embedding
from vadpipe.head.guidance import guided_score
from vadpipe.head.head import Head
from vadpipe.head.loss import Loss
from vadpipe.head.objective import batch_loss
from vadpipe.head.settings import HeadSettings


class Cbcg(Head):
    """CBCG: cross-batch clustering guidance, after the abstract of arXiv 2212.08506.

    Args:
        mean, std: (D,) of the normal training snippets.
        settings: switches and sizes.
    """

    def __init__(self, mean: Tensor, std: Tensor, settings: HeadSettings) -> None:
        super().__init__(settings)
        hidden, width = settings.hidden, settings.cluster_dim
        self.embedding = Embedding(
            mean,
            std,
            hidden,
            settings.dropout,
            settings.feature_dropout,
            with_context=settings.context == "pooled",
        )
        seen = self.embedding.width
        self.classifier = Classifier(seen, width, settings.dropout)
        self.clustering = (
            ClusteringBranch(seen, hidden, width, settings.cluster_gradient) if settings.clustering else None
        )
        self.second = _SecondHead(seen, settings) if settings.second_head else None
        self.memory = ClusterMemory(settings.queue_batches, width, settings.queue_decay)

    def forward(self, x: Tensor, mask: Tensor, context: Context | None = None) -> Branches:
        """Run both branches on features x (N, C, T, D); mask (N, T) is True on real segments."""
        n, n_views = x.shape[:2]
        f = self.embedding(x, mask, context).flatten(0, 1)

        def per_bag(y: Tensor) -> Tensor:
            return y.reshape(n, n_views, *y.shape[1:])

        return Branches(
            scores=per_bag(self.classifier(f)).mean(dim=1),
            points=None if self.clustering is None else per_bag(self.clustering(f)),
            second=None if self.second is None else per_bag(self.second(f)).mean(dim=1),
        )

    def segment_scores(self, x: Tensor, mask: Tensor, context: Context | None) -> Tensor:
        """Return the scores (N, T), guided by the memory's clusters; see :meth:`Head.segment_scores`."""
        return self.guide(self(x, mask, context))

    def loss(self, batch: Batch, *, warm: bool) -> Loss:
        """Return the loss of a batch, see :func:`vadpipe.head.objective.batch_loss`."""
        return batch_loss(self, batch, warm=warm)

    @property
    def reach(self) -> int:
        """How many segments to each side the embedding sees."""
        return self.embedding.reach

    @property
    def uses_context(self) -> bool:
        """Whether a segment's score depends on the context of its video."""
        return self.embedding.with_context

    @torch.inference_mode()
    def context_of(self, x: Tensor) -> Context | None:
        """Return the context of videos where the settings ask for it; see :meth:`Head.context_of`."""
        return self.embedding.context_of(x) if self.embedding.with_context else None

    def remember(self, loss: Loss) -> None:
        """Take the clusters of a batch into the memory."""
        if loss.clusters is not None:
            self.memory.append(loss.clusters)

    @property
    def cluster_cosine(self) -> float:
        """cos(c_n, c_a) of the memory's clusters."""
        return float(self.memory.clusters().cosine)

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

    def __init__(self, seen: int, settings: HeadSettings) -> None:
        super().__init__()
        self.gradient = settings.cluster_gradient
        hidden, width = settings.hidden, settings.cluster_dim
        self.layers = nn.Sequential(
            nn.Linear(seen, hidden), nn.ReLU(), nn.Linear(hidden, width), nn.ReLU(), nn.Linear(width, 1)
        )

    def forward(self, f: Tensor) -> Tensor:
        return torch.sigmoid(self.layers(share_gradient(f, self.gradient)).squeeze(-1))
