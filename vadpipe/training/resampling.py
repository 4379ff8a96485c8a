"""Bootstrap of whole groups: how far a figure would move with other videos of the same kind.

The videos of one scene are not independent, so whole groups are drawn with replacement. Source: Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95

AT_ONCE = 2**27
"""Numbers of a part of the resamples, 1 GiB: 134,000 videos a thousand times."""


@dataclass(frozen=True)
class Interval:
    """The 95 % percentile interval of a figure.

    Attributes:
        low, high: its ends; None if no resample had the figure.
        n_undefined: how many resamples had none, since they lacked a kind of frame, event or video.
    """

    low: float | None
    high: float | None
    n_undefined: int


def drawn_groups(groups: Sequence[Hashable], resamples: int, seed: int) -> NDArray[np.int64]:
    """Return how often each video is in each resample, (R, V) int64; a group is drawn as a whole.

    Args:
        groups: of each of V videos.
        resamples: R.
        seed: of the draws.
    """
    return np.concatenate([*drawn_in_parts(groups, resamples, seed)])


def drawn_in_parts(
    groups: Sequence[Hashable], resamples: int, seed: int, at_once: int = AT_ONCE
) -> Iterator[NDArray[np.int64]]:
    """Yield the same in parts (P, V), so that memory does not grow with the number of videos.

    Args:
        groups: of each of V videos.
        resamples: R.
        seed: of the draws.
        at_once: numbers of a part, if one resample does not have more.
    """
    group_of = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    columns = np.array([group_of[group] for group in groups])
    n_groups, rng = len(group_of), np.random.default_rng(seed)
    shares = np.full(n_groups, 1 / n_groups)
    part = max(1, at_once // len(groups))
    for start in range(0, max(resamples, 1), part):  # of none there is an empty part
        yield rng.multinomial(n_groups, shares, min(part, resamples - start))[:, columns]


def interval_of(values: NDArray[np.float64]) -> Interval:
    """Return the percentile interval of a figure's resamples, (R,) float64; NaN is an undefined one."""
    defined = values[~np.isnan(values)]
    n_undefined = len(values) - len(defined)
    if not len(defined):
        return Interval(None, None, n_undefined)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), n_undefined)


def resampled_auc(
    scores: NDArray[np.float64], labels: NDArray[np.bool_], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the ROC-AUC of each resample, (R,) float64; NaN where a label is missing.

    Args:
        scores: (V,) of videos.
        labels: (V,), True for abnormal ones.
        weights: (R, V), how often each video counts.
    """
    order = np.argsort(-scores, kind="stable")
    # Videos of one score cannot be told apart: a threshold lies only after the last of them.
    lasts = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    true = np.cumsum(weights[:, order] * labels[order], axis=1)[:, lasts]
    false = np.cumsum(weights[:, order] * ~labels[order], axis=1)[:, lasts]
    gained = np.diff(true, prepend=0)
    # In whole numbers, so that the figure does not depend on the order of a sum.
    doubled_area = (np.diff(false, prepend=0) * (2 * true - gained)).sum(axis=1)
    pairs = true[:, -1] * false[:, -1]
    aucs: NDArray[np.float64] = np.where(pairs, doubled_area / np.maximum(2 * pairs, 1), np.nan)
    return aucs
