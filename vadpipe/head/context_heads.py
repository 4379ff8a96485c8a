"""A head that sees a segment and its neighbours, and one that sees the whole video beside it.

In long videos, context makes the scores within a video alike, so that fewer calm moments are above the events
of other videos; without it, moments are told apart better (docs/benchmarks.md, "Context, on many long
videos"). So each has a network and a loss of its own, and their log odds are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from vadpipe.head.cbcg import Cbcg
from vadpipe.head.mean_of_heads import MeanOfHeads
from vadpipe.head.settings import HeadSettings


class ContextHeads(MeanOfHeads):
    """A head of CBCG without context and one with it, which share their bags.

    Args:
        mean: (D,) of the features of normal training snippets.
        std: (D,), their deviation.
        settings: of both, but for ``context``.
    """

    def __init__(self, mean: Tensor, std: Tensor, settings: HeadSettings) -> None:
        kinds = ("none", "pooled")
        super().__init__([Cbcg(mean, std, settings.model_copy(update={"context": kind})) for kind in kinds])
        self.settings = settings

    @property
    def clipped_apart(self) -> Sequence[Sequence[nn.Parameter]]:
        """The parameters of each network: both learn as they would alone."""
        return [[*head.parameters()] for head in self.heads]
