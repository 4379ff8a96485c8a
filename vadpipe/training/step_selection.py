"""Selection of the training step, on held-out videos."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from torch import Tensor

WINDOW = 5
"""Checks over which the AUC of unseen videos is averaged."""

TOLERANCE = 0.01
"""AUC by which two such means may differ and count as equal; the standard error over 100 videos is 0.03."""


class Selection:
    """The latest check at which the AUC of unseen videos has not fallen yet, and the heads there.

    One check's AUC over a few videos takes few values and jumps, and so does the best of them. So means
    over :data:`WINDOW` checks are compared; and of those that the videos cannot tell from the best
    (:data:`TOLERANCE`) the last one counts, since videos are ranked well long before their snippets are, and
    the final training has more videos than those that judge it. With fewer checks or no AUCs it is the
    last check.
    """

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._best: tuple[int, list[dict[str, Tensor]]] | None = None
        self._best_auc = -1.0

    @property
    def best(self) -> tuple[int, list[dict[str, Tensor]]]:
        """The picked step, and the numbers of each fold's head there."""
        assert self._best is not None
        return self._best

    def see(self, step: int, auc: float | None, heads: list[dict[str, Tensor]]) -> None:
        """Take in a check."""
        if auc is not None:
            self._recent.append(auc)
        if len(self._recent) < WINDOW:  # there is no mean to compare yet
            self._best = step, heads
            return
        mean = math.fsum(self._recent) / WINDOW
        if round(self._best_auc - mean, 9) <= TOLERANCE:  # both are fractions, often just so far apart
            self._best = step, heads
        self._best_auc = max(self._best_auc, mean)

    def state(self) -> dict[str, Any]:
        """Return all that :meth:`restore` needs."""
        return {"recent": list(self._recent), "best": self._best, "best_auc": self._best_auc}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where that state was taken."""
        self._recent.extend(state["recent"])
        self._best, self._best_auc = state["best"], state["best_auc"]
