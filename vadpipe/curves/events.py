"""Event rules and event detection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import UsageError
from vadpipe.features.ranges import runs_of_true
from vadpipe.files.arguments import NUMBER, check_arguments

HYSTERESIS = 0.5
"""An event continues until scores fall below the threshold by more than this share of it."""

MERGE_GAP_S = 1.0
"""Stretches less than this apart are one event."""

_ROUNDING_S = 2e-6  # a second made of 24 frames may be a little less than one, also when times are written


@dataclass(frozen=True)
class EventRule:
    """The rule by which frames above a threshold become events.

    Thresholds are calibrated with the default merge gap and shortest length, and without hysteresis
    (:func:`vadpipe.training.calibration.calibrate`), which begins no event and may join some; with others the
    number of false alarms per hour is another.

    Attributes:
        hysteresis: an event that reaches the threshold extends to the frames before and after until their
            scores fall below the threshold by more than this share of it, in [0, 1]. It is a share, since
            heads have thresholds from near 0 to near 1.
        merge_gap_s: stretches less than this apart are one event; 0 joins none.
        min_length_s: shorter events are dropped, after all are joined.

    Raises:
        UsageError: if one of them is below 0 or not a number, or the hysteresis is above 1.
    """

    hysteresis: float = HYSTERESIS
    merge_gap_s: float = MERGE_GAP_S
    min_length_s: float = 0.0

    def __post_init__(self) -> None:
        check_arguments(**{name: (value, NUMBER) for name, value in vars(self).items()})
        for name, value in vars(self).items():
            share = name == "hysteresis"
            if not 0 <= value < np.inf or (share and value > 1):
                step = "Give 0 to 1." if share else "Give 0 or more."
                raise UsageError(f"{name.replace('_', ' ')} {value} is out of range", next_step=step)

    def low(self, threshold: float) -> float:
        """Return the score below which an event ends."""
        return threshold - self.hysteresis * abs(threshold)


DEFAULT_RULE = EventRule()


def check_threshold(threshold: float) -> None:
    """Raise UsageError if a threshold is not in [0, 1]."""
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold {threshold} is out of range", next_step="Scores lie in [0, 1].")


@dataclass(frozen=True)
class Event:
    """A stretch of a video that is called abnormal.

    Attributes:
        start, stop: its frames, half-open: [start, stop).
        start_s, end_s: the time from its first frame's beginning to its last frame's end, half-open.
        peak: its highest score.
        peak_frame, peak_s: the frame that shows it, the middle of the first run of that score, and its time.
        mean: of the scores of its frames, those without one left out.
    """

    start: int
    stop: int
    start_s: float
    end_s: float
    peak: float
    peak_frame: int
    peak_s: float
    mean: float

    @property
    def length_s(self) -> float:
        """How long it lasts."""
        return self.end_s - self.start_s

    def to_dict(self) -> dict[str, float | int]:
        """Return it under the names of the JSON document and the events table, as Python's own numbers."""
        return {
            "start_s": self.start_s,
            "end_s": self.end_s,
            "start_frame": self.start,
            "stop_frame": self.stop,
            "peak": self.peak,
            "peak_s": self.peak_s,
            "peak_frame": self.peak_frame,
            "mean": self.mean,
        }


def find_events(
    scores: NDArray[np.float32],
    times_s: NDArray[np.float64],
    end_s: float,
    threshold: float,
    rule: EventRule = DEFAULT_RULE,
) -> list[Event]:
    """Return the events of a curve, in time order.

    A run is a stretch of frames that all have a score at or above :meth:`EventRule.low` of the threshold, one
    of them at or above the threshold itself; runs less than ``merge_gap_s`` apart are one event, which takes
    in the frames between them. A frame without a score counts as one below: nobody has seen it, so it begins
    no event and carries none on for longer than any other gap.

    Args:
        scores: (N,) float32; NaN where a frame has none.
        times_s: (N,) float64, presentation time of each frame, not decreasing.
        end_s: when the last frame ends.
        threshold: on the scale of the scores.
        rule: hysteresis, gaps that are closed, and the shortest event.

    Raises:
        UsageError: if scores and times differ in length, or the threshold is not a number.
    """
    if len(scores) != len(times_s):
        raise UsageError(f"{len(scores)} scores do not match {len(times_s)} frame times")
    if not np.isfinite(threshold):
        raise UsageError(f"the threshold {threshold} is not a number")
    edges_s = np.append(times_s, end_s)
    runs = runs_of_true(at_or_above(scores, rule.low(threshold)))
    reached = np.append(0, np.cumsum(at_or_above(scores, threshold)))
    runs = runs[reached[runs[:, 1]] > reached[runs[:, 0]]]
    if not len(runs):
        return []
    # Where the gap between a run and the next is long enough, one event ends and another begins.
    apart = edges_s[runs[1:, 0]] - edges_s[runs[:-1, 1]] >= rule.merge_gap_s - _ROUNDING_S
    starts, stops = runs[np.append(True, apart), 0], runs[np.append(apart, True), 1]
    long_enough = edges_s[stops] - edges_s[starts] >= rule.min_length_s - _ROUNDING_S
    spans = zip(starts[long_enough].tolist(), stops[long_enough].tolist(), strict=True)
    return [_event(scores, edges_s, start, stop) for start, stop in spans]


def _event(scores: NDArray[np.float32], edges_s: NDArray[np.float64], start: int, stop: int) -> Event:
    inside = scores[start:stop]
    peak = np.nanmax(inside)
    first, last = runs_of_true(inside == peak)[0]
    middle = start + int(first + last - 1) // 2
    return Event(
        start=start,
        stop=stop,
        start_s=float(edges_s[start]),
        end_s=float(edges_s[stop]),
        peak=float(peak),
        peak_frame=middle,
        peak_s=float(edges_s[middle]),
        mean=float(np.nanmean(inside, dtype=np.float64)),
    )


def at_or_above(scores: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Return which frames reach the threshold, (N,) bool; one without a score does not.

    The threshold is rounded to the scores' own precision, so that a score reaches itself.
    """
    return np.asarray(scores >= scores.dtype.type(threshold))
