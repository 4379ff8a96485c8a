"""Reasons: why a figure is not defined, and what the figures of a head need said in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vadpipe.evaluation.breakdown import ClassMetrics, VideoMetrics
from vadpipe.evaluation.metrics import FrameMetrics
from vadpipe.evaluation.results import Figure

CHANCE = 0.5
"""ROC-AUC of scores that know nothing."""

_NO_ANOMALOUS, _NO_NORMAL = "no anomalous frame has a score", "no normal frame has a score"
_NO_ALARM = "no frame reaches the threshold"
_NO_QUIET = "no video is normal"

_OF_ALARMS = {
    "recall": _NO_ANOMALOUS,
    "precision": _NO_ALARM,
    "false_positive_rate": _NO_NORMAL,
    "false_alarm_rate": _NO_QUIET,
    "false_alarms_per_hour_of_normal_videos": _NO_QUIET,
    "false_alarms_per_hour": _NO_NORMAL,
    "event_precision": _NO_ALARM,
    "event_recall": "the truth has no event",
    "event_f1": f"the truth has no event, and {_NO_ALARM}",
}


def reason(name: str, frames: FrameMetrics) -> str:
    """Return why a figure of an evaluation is not defined.

    Args:
        name: of one of :attr:`vadpipe.evaluation.results.Evaluation.figures` that is None.
        frames: what was compared.
    """
    stem = name.partition("@")[0]
    if stem in _OF_ALARMS:
        return _OF_ALARMS[stem]
    if not frames.n_abnormal:
        return "no video is abnormal"
    if stem.endswith("_mixed") and not frames.n_mixed:
        return "no video has both kinds of frames"
    if stem.endswith("_abnormal") and not frames.n_mixed:
        return "the abnormal videos have no normal frames"
    return _NO_NORMAL if frames.n_anomalous else _NO_ANOMALOUS


def class_reason(item: ClassMetrics) -> str:
    """Return why a figure of a class is not defined; an empty text if all are."""
    if None not in (item.auc, item.auc_abnormal):
        return ""
    if not item.n_anomalous:
        return _NO_ANOMALOUS
    return "its videos have no normal frames" + (", and no video is normal" if item.auc is None else "")


def remarks(figures: Mapping[str, Figure], videos: Sequence[VideoMetrics], threshold: float) -> list[str]:
    """Return what a reader must know before trusting the figures, each in a sentence; mostly none.

    Args:
        figures: of the evaluation.
        videos: likewise.
        threshold: what alarms were counted at.
    """
    said = []
    abnormal = [video for video in videos if video.n_anomalous]
    if not any(video.flagged for video in videos):
        what = f"no score reaches the threshold {_beside(threshold, videos)}, so nothing is detected"
        said.append(f"{what}. --threshold sets a lower one")
    elif abnormal and not any(video.flagged for video in abnormal):
        what = f"none of the {len(abnormal)} abnormal videos reaches the threshold"
        said.append(f"{what} {_beside(threshold, abnormal)}. --threshold sets a lower one")
    span = figures["auc"].interval
    if span is not None and span.low is not None and span.high is not None:
        between = f"the interval of the frame ROC-AUC, {span.low:.3f} to {span.high:.3f},"
        if span.low <= CHANCE <= span.high:
            said.append(f"{between} contains 0.5: these videos do not show that it is better than chance")
        elif span.high < CHANCE:
            said.append(f"{between} lies below 0.5: anomalous frames score lower than normal ones")
    return said


def _beside(threshold: float, videos: Sequence[VideoMetrics]) -> str:
    """Return a threshold and the highest score, with as many digits as tell them apart."""
    highest = max(video.peak for video in videos)
    digits = 3 if f"{threshold:.3f}" != f"{highest:.3f}" else 6
    return f"{threshold:.{digits}f}; the highest is {highest:.{digits}f}"
