"""Explanations of events: the snippets that drove an event, and the part of the picture that drove these."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vadpipe.curves.events import Event


@dataclass(frozen=True)
class SnippetScore:
    """A snippet of an event.

    Attributes:
        start, stop: the frames [start, stop) that it speaks for.
        start_s, end_s: the same in time.
        score: its own, in [0, 1]; a frame has the mean of the snippets that hold it.
    """

    start: int
    stop: int
    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True)
class Explanation:
    """What drove an event.

    Attributes:
        event: the event.
        snippets: those of the event with the highest scores, the highest first.
        heat: (G, G) float32, of the first of them: how much its score falls when that part of the picture is
            covered, in [-1, 1]; rows from the top, columns from the left.
        box: (left, top, right, bottom) of what the heat covers, as shares of the picture as shown, in [0, 1].
        still: (H, W, 3) uint8 RGB, the middle frame of that snippet, whole.
        still_s: when it is shown.
    """

    event: Event
    snippets: tuple[SnippetScore, ...]
    heat: NDArray[np.float32] = field(repr=False)
    box: tuple[float, float, float, float]
    still: NDArray[np.uint8] = field(repr=False)
    still_s: float
