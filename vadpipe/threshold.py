"""The threshold: how high a score must be for the alarms on normal footage to stay as rare as wanted."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from vadpipe.curve import spread
from vadpipe.events import find_events
from vadpipe.head.bags import Bag
from vadpipe.head.checkpoint import Calibration

log = logging.getLogger(__name__)


def calibrate(
    normals: Sequence[tuple[Bag, NDArray[np.float32]]], *, per_hour: float, quantile: float, unseen: bool
) -> Calibration:
    """Return a threshold down to which normal videos raise no more alarms than wanted.

    An alarm is an event (:func:`vadpipe.events.find_events`) of the curve that a user sees, in which a frame
    has the mean score of the snippets that hold it. From the highest score down, the threshold stops before
    the first that would raise one alarm too many; so it is a score that some normal frame has.

    It is never below the ``quantile`` of the snippets' scores: a video that is in alarm throughout raises
    only one. Where there is so little normal footage that even one alarm would be too many, no threshold
    can be shown to keep the rate, and the quantile alone decides. :attr:`Calibration.method` says which of
    them it was.

    Args:
        normals: each normal video with the scores (S,) of its snippets.
        per_hour: false alarms that are wanted in an hour of normal footage.
        quantile: of the snippets' scores that the threshold is not below.
        unseen: whether the heads that gave the scores had not been trained on these videos.
    """
    hours = sum(bag.end_s - float(bag.times_s[0]) for bag, _ in normals) / 3600
    allowed = math.floor(per_hour * hours)
    curves = [(bag, _curve(bag, scores)) for bag, scores in normals]
    if not unseen:
        log.warning("the threshold comes from videos that the head learned from: too few to leave any out")
    floor = float(np.quantile(np.concatenate([scores for _, scores in normals]), quantile))
    lowest = -math.inf if allowed < 1 else _lowest(curves, allowed)
    threshold = max(floor, lowest)
    return Calibration(
        threshold=threshold,
        method="rate" if lowest >= floor else "quantile",
        per_hour=per_hour,
        quantile=quantile,
        hours=hours,
        alarms=_alarms(curves, threshold),
        unseen=unseen,
    )


def _curve(bag: Bag, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the score (K,) of each stretch of frames that the same snippets speak for."""
    if bag.spans is None:
        return scores
    reached = int(bag.spans[-1, 1])  # not the end where the last snippets are lost
    none = np.full(len(bag.times_s) - reached, np.nan, np.float32)
    return np.append(spread(scores, bag.spans, reached), none)


def _lowest(curves: Sequence[tuple[Bag, NDArray[np.float32]]], allowed: int) -> float:
    """Go down score by score, and count again only in the videos that have a frame of that score.

    Bisecting could end far below: where alarms grow together, a lower threshold raises fewer.
    """
    scores = np.concatenate([scores for _, scores in curves])
    videos = np.repeat(np.arange(len(curves)), [len(scores) for _, scores in curves])
    videos, scores = videos[np.isfinite(scores)], scores[np.isfinite(scores)]
    alarms = np.zeros(len(curves), dtype=np.int64)
    lowest = float(np.nextafter(scores.max(), np.float32(np.inf)))
    for score, places in groupby(np.argsort(-scores), scores.__getitem__):
        for video in np.unique(videos[list(places)]):
            alarms[video] = _alarms([curves[video]], float(score))
        if alarms.sum() > allowed:
            break
        lowest = float(score)
    return lowest


def _alarms(curves: Sequence[tuple[Bag, NDArray[np.float32]]], threshold: float) -> int:
    return sum(len(find_events(scores, bag.times_s, bag.end_s, threshold)) for bag, scores in curves)
