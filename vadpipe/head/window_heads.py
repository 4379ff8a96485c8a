"""A head for each window of the backbone, where features were made by several.

A snippet that the backbone sees by itself tells its moment from the next. In a longer window it knows what
came before and after, which carries over better to other cameras, but blurs the moment. One network over both
learns from whichever is easier. So each window has a network and a loss of its own, and only their scores are
joined (docs/benchmarks.md, "Two windows").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn

from vadpipe.head.mean_of_heads import MeanOfHeads
from vadpipe.head.smoothing import smoothed


class WindowHeads(MeanOfHeads):
    """Heads that share their bags and their settings, each of which sees the features of one window.

    The log odds of the longer windows are smoothed over ``window_smoothing`` segments and have together the
    share ``window_weight`` of the whole; the shortest window, which is the first, has the rest.
    """

    def inputs(self, x: Tensor) -> Sequence[Tensor]:
        """Return the part of features x (..., D) that each head sees, (..., D / W)."""
        return x.chunk(len(self.members), dim=-1)

    def joined(self, odds: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Return the weighted mean of the log odds (N, T) of each window, the longer ones smoothed."""
        share = self.settings.window_weight
        longer = [smoothed(own, mask, self.settings.window_smoothing) for own in odds[1:]]
        return (1 - share) * odds[0] + share * torch.stack(longer).mean(dim=0)

    @property
    def clipped_apart(self) -> Sequence[Sequence[nn.Parameter]]:
        """The parameters of all windows together; of those with context and those without, by themselves."""
        return [[*chain(*parts)] for parts in zip(*(head.clipped_apart for head in self.heads), strict=True)]

    @property
    def reach(self) -> int | None:
        """How many segments to each side a score depends on, by the networks and the smoothing of some."""
        reach = super().reach
        return None if reach is None else reach + math.ceil(4 * self.settings.window_smoothing)
