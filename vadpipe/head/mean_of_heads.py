"""Several heads taken as one: the mean of the log odds that they give each segment."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vadpipe.head.context import Context
from vadpipe.head.head import Head
from vadpipe.head.platt_scaling import log_odds


class MeanOfHeads(Head):
    """The mean of the log odds that several heads give each segment, on one scale of its own.

    The members' own scales are not applied: that of the whole takes their place. Views are joined, and scores
    smoothed, after the mean.

    Args:
        members: at least one, all with the same settings.
    """

    def __init__(self, members: Sequence[Head]) -> None:
        super().__init__(members[0].settings)
        self.members = nn.ModuleList(members)

    @property
    def heads(self) -> list[Head]:
        """The members."""
        return [member for member in self.members if isinstance(member, Head)]

    def inputs(self, x: Tensor) -> Sequence[Tensor]:
        """Return what each member sees of features x (..., D): all of them, unless a subclass parts them."""
        return [x] * len(self.members)

    def segment_scores(self, x: Tensor, mask: Tensor, context: Context | None) -> Tensor:
        """Return the scores (N, T) of the mean log odds, see :meth:`Head.segment_scores`."""
        heads = self.heads
        contexts = [None] * len(heads) if context is None else context.divided(len(heads))
        odds = [
            log_odds(head.segment_scores(own, mask, beside))
            for head, own, beside in zip(heads, self.inputs(x), contexts, strict=True)
        ]
        return torch.sigmoid(self.joined(odds, mask)).to(x.dtype)

    def joined(self, odds: Sequence[Tensor], mask: Tensor) -> Tensor:  # noqa: ARG002
        """Return one log odds of each segment (N, T) for those that each member gives; the mean here."""
        return torch.stack(list(odds)).mean(dim=0)

    @property
    def reach(self) -> int | None:
        """How many segments to each side the farthest seeing member sees; None if all."""
        reaches = [head.reach for head in self.heads]
        return None if None in reaches else max(reach for reach in reaches if reach is not None)

    @torch.inference_mode()
    def context_of(self, x: Tensor) -> Context | None:
        """Return the contexts of all members beside each other; see :meth:`Head.context_of`."""
        contexts = [head.context_of(own) for head, own in zip(self.heads, self.inputs(x), strict=True)]
        return Context.joined([context for context in contexts if context is not None])

    @property
    def cluster_cosine(self) -> float:
        """The highest cos(c_n, c_a) of the members' memories."""
        return max(head.cluster_cosine for head in self.heads)
