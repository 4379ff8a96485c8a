"""Bootstrap intervals: how far figures would move with other test videos.

Videos, not frames, are drawn with replacement: the frames of one video are not independent, and
neither are videos of one scene, so where the truth knows groups, whole groups are drawn. Source: Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vadpipe.evaluation.alarms import AlarmCounts
from vadpipe.evaluation.metrics import JudgedVideo
from vadpipe.evaluation.ranking import Ranking
from vadpipe.training.resampling import LEVEL as LEVEL
from vadpipe.training.resampling import Interval as Interval
from vadpipe.training.resampling import drawn_in_parts
from vadpipe.training.resampling import interval_of as interval_of


def intervals(
    judged: Sequence[JudgedVideo], counts: AlarmCounts, *, resamples: int, seed: int
) -> dict[str, Interval]:
    """Return an interval for each figure of frames and of alarms, by the figure's name.

    Args:
        judged: V videos.
        counts: what was counted in each of them.
        resamples: R; none are made, and no intervals, for 0.
        seed: of the draws.
    """
    if not resamples:
        return {}
    parts = [reweighted(judged, counts, weights) for weights in _drawn_in_parts(judged, resamples, seed)]
    return {name: interval_of(np.concatenate([part[name] for part in parts])) for name in parts[0]}


def reweighted(
    judged: Sequence[JudgedVideo], counts: AlarmCounts, weights: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return every figure, (R,) float64, where video v counts ``weights[r, v]`` times; NaN where undefined.

    Args:
        judged: V videos.
        counts: theirs, at some threshold.
        weights: (R, V) int64.
    """
    values = counts.summed(weights).rates()
    subsets = {
        "": [True] * len(judged),
        "_abnormal": [video.truth.abnormal for video in judged],
        "_mixed": [video.mixed for video in judged],
    }
    for suffix, chosen in subsets.items():
        ranking = Ranking(judged, chosen)
        both = np.array([ranking.auc_and_ap(row) for row in weights])
        values[f"auc{suffix}"], values[f"ap{suffix}"] = both.T
    return values


def drawn(judged: Sequence[JudgedVideo], resamples: int, seed: int) -> NDArray[np.int64]:
    """Return how often each video is in each resample, (R, V) int64; a group is drawn as a whole."""
    return np.concatenate([*_drawn_in_parts(judged, resamples, seed)])


def _drawn_in_parts(judged: Sequence[JudgedVideo], resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    # A video without a group is a group of its own, whatever other groups are called.
    keys = [(video.truth.group, video.truth.group or video.truth.video) for video in judged]
    return drawn_in_parts(keys, resamples, seed)
