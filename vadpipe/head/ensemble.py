"""An ensemble: several heads of one training set that differ by their seed, taken as one head."""

from __future__ import annotations

from vadpipe.head.bags import Batch
from vadpipe.head.loss import Loss
from vadpipe.head.mean_of_heads import MeanOfHeads


class Ensemble(MeanOfHeads):
    """Heads of several seeds, each of which sees all features."""

    def loss(self, batch: Batch, *, warm: bool) -> Loss:
        """Raise: members are trained one by one."""
        raise NotImplementedError("an ensemble is not trained, its members are")
