"""Metrics at a threshold: frames raised, false alarms, and events found and missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadpipe.curves.events import DEFAULT_RULE, EventRule, at_or_above, find_events
from vadpipe.evaluation.event_overlap import n_matched, overlaps
from vadpipe.evaluation.metrics import JudgedVideo

IOUS = (0.1, 0.3, 0.5)
"""Overlaps at which an event counts as found by one of the curve."""


@dataclass(frozen=True)
class AlarmCounts:
    """Counts at a threshold, one for each of V videos, or for each of R sums over videos.

    Only scored frames count. "Normal" frames are those that are not anomalous, in any video; "quiet" is
    what belongs to videos without any anomaly. Every field is float64, so that one product sums them all.

    Attributes:
        normal, normal_raised: normal frames, and those at or above the threshold; (V,).
        anomalous, anomalous_raised: the same of anomalous frames.
        quiet, quiet_raised: the same of the frames of videos without any anomaly.
        normal_s, quiet_s: how long the normal frames, and the quiet ones, are shown.
        false_events: events of the curve that touch no anomalous frame.
        quiet_events: events of the curve in videos without any anomaly; all are false.
        events, true_events: events of the curve, and of the truth.
        matched: (V, len(IOUS)), how many of them belong together at each overlap.
    """

    normal: NDArray[np.float64]
    normal_raised: NDArray[np.float64]
    anomalous: NDArray[np.float64]
    anomalous_raised: NDArray[np.float64]
    quiet: NDArray[np.float64]
    quiet_raised: NDArray[np.float64]
    normal_s: NDArray[np.float64]
    quiet_s: NDArray[np.float64]
    false_events: NDArray[np.float64]
    quiet_events: NDArray[np.float64]
    events: NDArray[np.float64]
    true_events: NDArray[np.float64]
    matched: NDArray[np.float64]

    def summed(self, weights: NDArray[np.int64]) -> AlarmCounts:
        """Return the sums over videos that count ``weights[r, v]`` times, (R, V) int64."""
        return AlarmCounts(**{name: weights @ getattr(self, name) for name in self.__dataclass_fields__})

    def rates(self) -> dict[str, NDArray[np.float64]]:
        """Return the figures that these counts give, each (V,) or (R,); NaN where nothing divides.

        ``recall``, ``precision`` and ``false_positive_rate`` are of frames. ``false_alarm_rate`` is the share
        of the frames of normal videos at or above the threshold (Sultani et al., CVPR 2018).
        Alarms per hour are events: those in normal videos over the time of these, and those that touch no
        anomalous frame over the time of all normal frames.
        """
        figures = {
            "recall": _ratio(self.anomalous_raised, self.anomalous),
            "precision": _ratio(self.anomalous_raised, self.anomalous_raised + self.normal_raised),
            "false_positive_rate": _ratio(self.normal_raised, self.normal),
            "false_alarm_rate": _ratio(self.quiet_raised, self.quiet),
            "false_alarms_per_hour_of_normal_videos": _ratio(self.quiet_events, self.quiet_s / 3600),
            "false_alarms_per_hour": _ratio(self.false_events, self.normal_s / 3600),
        }
        for column, iou in enumerate(IOUS):
            matched = self.matched[..., column]
            figures[f"event_precision@{iou}"] = _ratio(matched, self.events)
            figures[f"event_recall@{iou}"] = _ratio(matched, self.true_events)
            figures[f"event_f1@{iou}"] = _ratio(2 * matched, self.events + self.true_events)
        return figures

    def totals(self) -> dict[str, float | None]:
        """Return the figures over all videos; None if nothing divides."""
        once = np.ones((1, len(self.events)), dtype=np.int64)
        values = {name: float(value[0]) for name, value in self.summed(once).rates().items()}
        return {name: None if np.isnan(value) else value for name, value in values.items()}


def tally(judged: Sequence[JudgedVideo], threshold: float, rule: EventRule = DEFAULT_RULE) -> AlarmCounts:
    """Count what happens in each video at a threshold, with events by a rule."""
    rows = [_count(video, threshold, rule) for video in judged]
    return AlarmCounts(**{name: np.array([row[name] for row in rows], float) for name in rows[0]})


def _count(video: JudgedVideo, threshold: float, rule: EventRule) -> Mapping[str, float | list[int]]:
    marks, scored = video.truth.frames(), ~np.isnan(video.scores)
    normal, raised = scored & ~marks, at_or_above(video.scores, threshold)
    normal_s = np.diff(video.times_s, append=video.end_s)[normal].sum()
    events = find_events(video.scores, video.times_s, video.end_s, threshold, rule)
    ranges = [(event.start, event.stop) for event in events]
    overlap = overlaps(ranges, video.truth.anomalies)
    quiet = not video.truth.abnormal
    return {
        "normal": normal.sum(),
        "normal_raised": (raised & normal).sum(),
        "anomalous": (scored & marks).sum(),
        "anomalous_raised": (raised & marks).sum(),
        "normal_s": normal_s,
        "quiet": quiet * normal.sum(),
        "quiet_raised": quiet * (raised & normal).sum(),
        "quiet_s": quiet * normal_s,
        "events": len(ranges),
        "true_events": len(video.truth.anomalies),
        "false_events": sum(not marks[start:stop].any() for start, stop in ranges),
        "quiet_events": quiet * len(ranges),
        "matched": [n_matched(overlap, iou) for iou in IOUS],
    }


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))
