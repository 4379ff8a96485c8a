"""Bootstrap intervals: how far figures would move with other test videos.

Videos, not frames, are drawn with replacement: the frames of one video are not independent, and
neither are videos of one scene, so where the truth knows groups, whole groups are drawn. Source: Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadpipe.evaluation.alarms import AlarmCounts
from vadpipe.evaluation.metrics import JudgedVideo
from vadpipe.evaluation.ranking import Ranking

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """The 95 % percentile interval of a figure.

    Attributes:
        low, high: its ends; None if no resample had the figure.
        n_undefined: how many resamples had none, since they lacked a kind of frame or event.
    """

    low: float | None
    high: float | None
    n_undefined: int


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
    weights = drawn(judged, resamples, seed)
    return {name: interval_of(values) for name, values in reweighted(judged, counts, weights).items()}


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
    # A video without a group is a group of its own, whatever other groups are called.
    keys = [(video.truth.group, video.truth.group or video.truth.video) for video in judged]
    group_of = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    n_groups = len(group_of)
    draws = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), resamples)
    return draws[:, [group_of[key] for key in keys]]


def interval_of(values: NDArray[np.float64]) -> Interval:
    """Return the percentile interval of a figure's resamples, (R,) float64; NaN is an undefined one."""
    defined = values[~np.isnan(values)]
    n_undefined = len(values) - len(defined)
    if not len(defined):
        return Interval(None, None, n_undefined)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), n_undefined)
