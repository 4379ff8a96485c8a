"""Matching of events of a curve and of the truth by temporal overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def overlaps(events: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the frames that two events share over the frames that either has, (E, O) in [0, 1].

    Args:
        events: E half-open ranges of frames, none of them empty.
        others: O of them.
    """
    first, second = np.reshape(events, (-1, 1, 2)), np.reshape(others, (1, -1, 2))
    starts = np.maximum(first[..., 0], second[..., 0])
    shared = np.maximum(np.minimum(first[..., 1], second[..., 1]) - starts, 0)
    either = np.diff(first)[..., 0] + np.diff(second)[..., 0] - shared
    return np.asarray(shared / either, dtype=np.float64)


def n_matched(overlap: NDArray[np.float64], iou: float) -> int:
    """Return the most pairs that overlap by ``iou`` or more, each event being in one of them at most.

    Args:
        overlap: (E, O) in [0, 1].
        iou: above 0.
    """
    enough = overlap >= iou
    return int(enough[linear_sum_assignment(enough, maximize=True)].sum())
