"""Events: the stretches of a curve that lie at or above a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import UsageError

JOIN_S = 1.0
"""Stretches less than this apart are one event."""


@dataclass(frozen=True)
class Event:
    """A stretch of a video in which something abnormal is said to happen.

    Attributes:
        start, stop: its frames, half-open: [start, stop).
        start_s, end_s: the time from its first frame's beginning to its last frame's end, half-open.
        peak: its highest score.
    """

    start: int
    stop: int
    start_s: float
    end_s: float
    peak: float


def find_events(
    scores: NDArray[np.float32],
    times_s: NDArray[np.float64],
    end_s: float,
    threshold: float,
    join_s: float = JOIN_S,
) -> list[Event]:
    """Return the events of a curve, the first first.

    A run is a stretch of frames that all have a score at or above the threshold; runs less than ``join_s``
    apart are one event, which takes in the frames between them. A frame without a score counts as one
    below the threshold: nobody has seen it, so it begins no event and carries none on for longer than
    any other gap.

    Args:
        scores: (N,) float32; NaN where a frame has none.
        times_s: (N,) float64, presentation time of each frame, not decreasing.
        end_s: when the last frame ends.
        threshold: on the scale of the scores.
        join_s: gaps shorter than this are closed; 0 closes none.

    Raises:
        UsageError: where scores and times differ in length, or the threshold or ``join_s`` is no number.
    """
    if len(scores) != len(times_s):
        raise UsageError(f"{len(scores)} scores do not belong to {len(times_s)} frame times")
    if not np.isfinite(threshold) or not join_s >= 0:
        raise UsageError(f"no events can be found at threshold {threshold} with gaps of {join_s} s")
    edges_s = np.append(times_s, end_s)
    runs = runs_of(at_or_above(scores, threshold))
    if not len(runs):
        return []
    # Where the gap between a run and the next is long enough, one event ends and another begins.
    apart = edges_s[runs[1:, 0]] - edges_s[runs[:-1, 1]] >= join_s
    starts, stops = runs[np.append(True, apart), 0], runs[np.append(apart, True), 1]
    return [
        Event(start, stop, float(edges_s[start]), float(edges_s[stop]), float(np.nanmax(scores[start:stop])))
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    ]


def at_or_above(scores: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Return which frames reach the threshold, (N,) bool; one without a score does not.

    The threshold is rounded to the scores' own precision, so that a score reaches itself.
    """
    return np.asarray(scores >= scores.dtype.type(threshold))


def runs_of(marks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the longest stretches [start, stop) of true values, (R, 2) int64."""
    return np.flatnonzero(np.diff(marks, prepend=False, append=False)).reshape(-1, 2)
