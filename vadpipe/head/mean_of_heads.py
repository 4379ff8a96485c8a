"""Several heads taken as one: the mean of the log odds that they give each segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from vadpipe.head.bags import Batch
from vadpipe.head.context import Context
from vadpipe.head.head import Head
from vadpipe.head.loss import Loss
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
        parts = zip(self.heads, self.inputs(x), self.contexts(context), strict=True)
        odds = [log_odds(head.segment_scores(own, mask, beside)) for head, own, beside in parts]
        return torch.sigmoid(self.joined(odds, mask)).to(x.dtype)

    def joined(self, odds: Sequence[Tensor], mask: Tensor) -> Tensor:  # noqa: ARG002
        """Return one log odds of each segment (N, T) for those that each member gives; the mean here."""
        return torch.stack(list(odds)).mean(dim=0)

    @property
    def reach(self) -> int | None:
        """How many segments to each side the farthest seeing member sees; None if all."""
        reaches = [head.reach for head in self.heads]
        return None if None in reaches else max(reach for reach in reaches if reach is not None)

    @property
    def uses_context(self) -> bool:
        """Whether the scores of any member depend on the context of the video."""
        return any(head.uses_context for head in self.heads)

    def contexts(self, context: Context | None) -> list[Context | None]:
        """Return each member's part of what :meth:`context_of` returned; None for those that use none."""
        using = [head.uses_context for head in self.heads]
        parts = iter([] if context is None else context.divided(sum(using)))
        return [next(parts, None) if uses else None for uses in using]

    @torch.inference_mode()
    def context_of(self, x: Tensor) -> Context | None:
        """Return the contexts of all members beside each other; see :meth:`Head.context_of`."""
        contexts = [head.context_of(own) for head, own in zip(self.heads, self.inputs(x), strict=True)]
        return Context.joined([context for context in contexts if context is not None])

    @property
    def cluster_cosine(self) -> float:
        """The highest cos(c_n, c_a) of the members' memories."""
        return max(head.cluster_cosine for head in self.heads)

    def loss(self, batch: Batch, *, warm: bool) -> Loss:
        """Return the sum of the heads' losses; of its parts, which are only shown, the means."""
        parts = tuple(
            head.loss(replace(batch, features=own), warm=warm)
            for head, own in zip(self.heads, self.inputs(batch.features), strict=True)
        )
        return Loss(
            total=torch.stack([part.total for part in parts]).sum(),
            mil=torch.stack([part.mil for part in parts]).mean(),
            cluster=torch.stack([part.cluster for part in parts]).mean(),
            spread=torch.stack([part.spread for part in parts]).mean(),
            parts=parts,
        )

    def remember(self, loss: Loss) -> None:
        """Let each head take in what its own loss left behind."""
        for head, part in zip(self.heads, loss.parts, strict=True):
            head.remember(part)
