"""Confusion counts: how many frames and videos a threshold calls right and wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Confusion:
    """Counts of frames or of videos at a threshold; those that are anomalous, or abnormal, are the positives.

    Attributes:
        tp, fn: positives that reach the threshold, and those that do not.
        fp, tn: the same of the negatives.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @classmethod
    def of(cls, positive: NDArray[np.bool_], raised: NDArray[np.bool_]) -> Confusion:
        """Count (M,) frames or videos, of which both arrays say something."""
        return cls(
            tp=int((positive & raised).sum()),
            fp=int((~positive & raised).sum()),
            fn=int((positive & ~raised).sum()),
            tn=int((~positive & ~raised).sum()),
        )

    @classmethod
    def total(cls, parts: Iterable[Confusion]) -> Confusion:
        """Return the sums of several."""
        return cls(*map(sum, zip(*map(astuple, parts), strict=True)))
