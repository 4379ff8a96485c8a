"""A head, whatever its method: the features of a video in, a score for each of its segments out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vadpipe.head.bags import Batch
from vadpipe.head.context import Context
from vadpipe.head.loss import Loss
from vadpipe.head.platt_scaling import apply_platt_scaling, log_odds
from vadpipe.head.settings import HeadSettings
from vadpipe.head.smoothing import smoothed


class Head(nn.Module, ABC):
    """What the heads of all methods share: how scores are smoothed, scaled, and joined over views.

    Args:
        settings: switches and sizes.
    """

    scale: Tensor

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        # slope and offset of the scores' log odds, see vadpipe.head.platt_scaling; learned last
        self.register_buffer("scale", torch.tensor([1.0, 0.0], dtype=torch.float64))
        self.settings = settings

    @abstractmethod
    def segment_scores(self, x: Tensor, mask: Tensor, context: Context | None) -> Tensor:
        """Return the scores (N, T) in [0, 1] of features x (N, C, T, D), the mean over views.

        They are neither smoothed nor scaled yet.

        Args:
            x: features.
            mask: (N, T) bool, True on real segments.
            context: of the whole videos; None if x is their bags, as in training.
        """

    @abstractmethod
    def loss(self, batch: Batch, *, warm: bool) -> Loss:
        """Return what a step minimises, in training mode.

        Args:
            batch: normal and abnormal bags.
            warm: whether the warm-up is over.

        Raises:
            FloatingPointError: if the head's output is not finite.
        """

    @property
    @abstractmethod
    def reach(self) -> int | None:
        """How many segments to each side a segment's score depends on; None if on all of the video.

        That is before the smoothing, and with the context as it is.
        """

    @property
    def uses_context(self) -> bool:
        """Whether a segment's score depends on the context of its video."""
        return False

    def context_of(self, x: Tensor) -> Context | None:  # noqa: ARG002
        """Return the context of every segment beyond those in reach; None without context.

        Args:
            x: (N, C, T, D), the bags of whole videos, squeezed as in training.
        """
        return None

    @property
    def clipped_apart(self) -> Sequence[Sequence[nn.Parameter]]:
        """The parameters whose gradients are clipped to ``clip_norm`` together; all of the head here."""
        return [[*self.parameters()]]

    def remember(self, loss: Loss) -> None:
        """Take in what a step left behind; most methods remember nothing."""

    @property
    def cluster_cosine(self) -> float:
        """cos(c_n, c_a) of the memory's clusters; 0 of a method without clusters."""
        return 0.0

    @property
    def device(self) -> torch.device:
        """Where the numbers lie."""
        return self.scale.device

    @torch.inference_mode()
    def score(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """Return the anomaly score of each segment, (N, T) in [0, 1].

        Call it in evaluation mode; x (N, C, T, D) may be of any length T. Their log odds are smoothed
        along time where the settings ask for it, and put on the scale that unseen videos gave. Of several
        views the settings say how their scores are joined.

        Args:
            x: features.
            mask: (N, T) bool, True on real segments; all by default.
            context: of the whole videos, see :meth:`context_of`; None if x is their bags.
        """
        if self.settings.view_join == "max":
            return self.score_views(x, mask, context).amax(dim=1)
        return self._score(x, mask, context)

    @torch.inference_mode()
    def score_views(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """Return the score of each segment in each view by itself, (N, C, T); see :meth:`score`."""
        n, views = x.shape[:2]
        masks = None if mask is None else mask.repeat_interleave(views, dim=0)
        alone = None if context is None else context.of_each_view()
        return self._score(x.flatten(0, 1).unsqueeze(1), masks, alone).reshape(n, views, -1)

    def _score(self, x: Tensor, mask: Tensor | None, context: Context | None) -> Tensor:
        """Return scores (N, T), where several views are averaged."""
        if mask is None:
            mask = torch.ones(x.shape[0], x.shape[2], dtype=torch.bool, device=x.device)
        scores = self.segment_scores(x, mask, context)
        odds = smoothed(log_odds(scores), mask, self.settings.smoothing)
        return apply_platt_scaling(odds, self.scale).to(scores.dtype)
