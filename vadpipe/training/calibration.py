"""Calibration of the threshold to a wanted rate of false alarms on normal footage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vadpipe.curves.curve import snippets_to_frames
from vadpipe.curves.events import DEFAULT_RULE, Event, find_events
from vadpipe.head.bags import Bag
from vadpipe.head.record import Calibration

_COUNTED = replace(DEFAULT_RULE, hysteresis=0.0)
"""Hysteresis joins alarms by their threshold: a lower one would change the count of every video."""

Scored = tuple[Bag, NDArray[np.float32]]
"""A video and the scores (S,) of its snippets, or of the stretches (K,) of its frames."""


def calibrate(
    normals: Sequence[Scored],
    abnormals: Sequence[Scored],
    *,
    per_hour: float,
    quantile: float,
    unseen: bool,
) -> Calibration:
    """Return the lowest threshold at which normal videos raise no more alarms than wanted.

    An alarm is an event (:func:`vadpipe.curves.events.find_events`) of the curve that a user sees, in which a
    frame has the mean score of the snippets that hold it. From the highest score down, the threshold stops
    before the first that would raise one alarm too many; so it is a score that some normal frame has. Alarms,
    and the time in alarm, are counted without hysteresis; with it there are never more of them, and longer
    ones.

    It is never below the ``quantile`` of the snippets' scores: a video that is in alarm throughout raises
    only one. Where there is so little normal footage that even one alarm would be too many, no threshold
    can be shown to keep the rate, and the quantile alone decides.

    A threshold that no abnormal video reaches is useless. Then it is the one with the best balanced
    accuracy over videos, a video being flagged where it raises an event; of several the highest. Where none
    is better than chance, the threshold stays. :attr:`Calibration.method` says which of them it was, and
    :func:`vadpipe.training.report.threshold_warnings` tells the user.

    Args:
        normals: each normal video with the scores (S,) of its snippets.
        abnormals: the same of the abnormal videos, at least one.
        per_hour: false alarms that are wanted per hour of normal footage.
        quantile: of the normal snippets' scores that the threshold is not below, unless no abnormal video
            reaches it.
        unseen: whether the heads that gave the scores had not been trained on these videos.
    """
    duration_s = sum(bag.end_s - float(bag.times_s[0]) for bag, _ in normals)
    hours = duration_s / 3600
    allowed = math.floor(per_hour * hours)
    curves = [(bag, _curve(bag, scores)) for bag, scores in normals]
    abnormal_curves = [(bag, _curve(bag, scores)) for bag, scores in abnormals]
    floor = float(np.quantile(np.concatenate([scores for _, scores in normals]), quantile))
    lowest = -math.inf if allowed < 1 else _lowest(curves, allowed)
    method: Literal["rate", "quantile", "balanced"] = "rate" if lowest >= floor else "quantile"
    threshold = max(floor, lowest)
    if not any(_events(abnormal_curves, threshold)):
        balanced = _balanced(curves, abnormal_curves)
        if balanced is not None:
            threshold, method = balanced, "balanced"
    events = _events(curves, threshold)
    raised_s = sum(event.length_s for own in events for event in own)
    return Calibration(
        threshold=threshold,
        method=method,
        per_hour=per_hour,
        quantile=quantile,
        hours=hours,
        alarms=sum(map(len, events)),
        unseen=unseen,
        n_normal=len(normals),
        n_normal_flagged=sum(map(bool, events)),
        n_abnormal=len(abnormals),
        n_abnormal_flagged=sum(map(bool, _events(abnormal_curves, threshold))),
        alarm_share=raised_s / duration_s if duration_s else 0.0,
    )


def _curve(bag: Bag, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the score (K,) of each stretch of frames that the same snippets speak for."""
    if bag.spans is None:
        return scores
    reached = int(bag.spans[-1, 1])  # not the end where the last snippets are lost
    none = np.full(len(bag.times_s) - reached, np.nan, np.float32)
    return np.append(snippets_to_frames(scores, bag.spans, reached), none)


def _lowest(curves: Sequence[Scored], allowed: int) -> float:
    """Go down score by score, and count again only in the videos that have a frame of that score.

    Bisecting could end far below: where alarms grow together, a lower threshold raises fewer.
    """
    scores = np.concatenate([scores for _, scores in curves])
    videos = np.repeat(np.arange(len(curves)), [len(scores) for _, scores in curves])
    videos, scores = videos[np.isfinite(scores)], scores[np.isfinite(scores)]
    alarms, n_alarms = np.zeros(len(curves), dtype=np.int64), 0
    lowest = float(np.nextafter(scores.max(), np.float32(np.inf)))
    for score, places in groupby(np.argsort(-scores), scores.__getitem__):
        for video in np.unique(videos[list(places)]):
            n_now = len(_events([curves[video]], float(score))[0])
            n_alarms += n_now - int(alarms[video])
            alarms[video] = n_now
        if n_alarms > allowed:
            break
        lowest = float(score)
    return lowest


def _balanced(normals: Sequence[Scored], abnormals: Sequence[Scored]) -> float | None:
    """Return the threshold of the best balanced accuracy; None if none is better than chance.

    A video is flagged where its highest score reaches the threshold, so that lowering it gains only at the
    highest score of an abnormal video. Shares are compared in whole numbers: rounding would part equal ones.
    """
    normal_peaks = np.array([np.nanmax(scores) for _, scores in normals])
    abnormal_peaks = np.array([np.nanmax(scores) for _, scores in abnormals])
    peaks = np.unique(abnormal_peaks)[::-1]
    found, false = (len(own) - np.searchsorted(np.sort(own), peaks) for own in (abnormal_peaks, normal_peaks))
    gains = found * len(normals) - false * len(abnormals)
    best = int(np.argmax(gains))  # of several the first, which is the highest
    return float(peaks[best]) if gains[best] > 0 else None


def _events(curves: Sequence[Scored], threshold: float) -> list[list[Event]]:
    """Return the events of each curve, without hysteresis."""
    return [find_events(scores, bag.times_s, bag.end_s, threshold, _COUNTED) for bag, scores in curves]
