"""ROC-AUC and average precision of videos that count several times, exact and fast.

A bootstrap asks for the same figures a thousand times, each time with other weights on the videos. Frames
are therefore sorted once. All frames of a video that share a score, as those of a snippet do, are one entry
with two counts, so a resample costs a few passes over the snippets and none over the frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vadpipe.evaluation.metrics import JudgedVideo


class Ranking:
    """The scored frames of some videos, from the highest score to the lowest.

    Args:
        judged: V videos.
        chosen: which of them take part; all by default.
    """

    def __init__(self, judged: Sequence[JudgedVideo], chosen: Sequence[bool] | None = None) -> None:
        scores, videos, anomalous, normal = [], [], [], []
        for index, video in enumerate(judged):
            if chosen is not None and not chosen[index]:
                continue
            scored = ~np.isnan(video.scores)
            values, entry = np.unique(video.scores[scored], return_inverse=True)
            marks = video.truth.frames()[scored]
            scores.append(values)
            videos.append(np.full(len(values), index))
            anomalous.append(np.bincount(entry[marks], minlength=len(values)))
            normal.append(np.bincount(entry[~marks], minlength=len(values)))
        self._n_entries = sum(map(len, scores))
        if not self._n_entries:
            return
        all_scores = np.concatenate(scores)
        order = np.argsort(-all_scores, kind="stable")
        self._videos = np.concatenate(videos)[order]
        self._anomalous = np.concatenate(anomalous)[order]
        self._normal = np.concatenate(normal)[order]
        # Frames of one score cannot be told apart: a threshold lies only after the last of them.
        self._lasts = np.flatnonzero(np.append(np.diff(all_scores[order]) != 0, True))

    def auc_and_ap(self, weights: NDArray[np.int64]) -> tuple[float, float]:
        """Return both figures where video v counts ``weights[v]`` times; NaN where a kind is missing.

        With TP and FP the counts of frames at or above each distinct score: the area under (FP, TP) by the
        trapezoid rule, and the sum of the precision at each score times the recall gained there. These are
        what scikit-learn's ``roc_auc_score`` and ``average_precision_score`` compute.

        Args:
            weights: (V,) int64, not negative.
        """
        if not self._n_entries:
            return np.nan, np.nan
        of_entry = weights[self._videos]
        true = np.cumsum(self._anomalous * of_entry)[self._lasts]
        false = np.cumsum(self._normal * of_entry)[self._lasts]
        n_anomalous, n_normal = int(true[-1]), int(false[-1])
        if not n_anomalous or not n_normal:
            return np.nan, np.nan
        # Whole numbers up to here, so that the figure does not depend on the order of a sum.
        gained = np.diff(true, prepend=0)
        doubled_area = int(np.dot(np.diff(false, prepend=0), 2 * true - gained))
        precision = true / np.maximum(true + false, 1)
        return doubled_area / (2 * n_anomalous * n_normal), float(np.dot(gained, precision)) / n_anomalous
