"""Judging a training by videos that the scoring heads have not seen: AUC, scale of the scores, threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from vadpipe.head.bags import Bag, TrainingSet
from vadpipe.head.head import Head
from vadpipe.head.piecewise_scoring import PiecewiseScoring
from vadpipe.head.platt_scaling import fit_platt_scaling, log_odds
from vadpipe.head.record import Calibration, HeldOut
from vadpipe.training.calibration import calibrate
from vadpipe.training.folds import can_judge
from vadpipe.training.resampling import drawn_in_parts, interval_of, resampled_auc

RESAMPLES = 1000
"""Of the groups, for the interval of the AUC."""

_BAGS_AT_ONCE = 64
_WEIGHTS_AT_ONCE = 2**22  # 32 MB; figures of any part are whole numbers until the last division


@dataclass(frozen=True)
class Judge:
    """A head and the videos that it judges.

    Attributes:
        head: in evaluation mode, where the data lies.
        rows: of the videos; the head has not seen them, unless no video could be held out.
    """

    head: Head
    rows: Sequence[int]


@dataclass(frozen=True)
class Judged:
    """What held-out videos say about a head.

    Attributes:
        scale: of the scores, slope and offset (2,) float64.
        threshold: on that scale.
        held_out: how well videos were told apart.
    """

    scale: Tensor = field(repr=False)
    threshold: Calibration
    held_out: HeldOut

    def packed(self) -> dict[str, Any]:
        """Return the same in parts that the state of a training can hold."""
        return {
            "scale": self.scale,
            "threshold": self.threshold.model_dump_json(),
            "held_out": self.held_out.model_dump_json(),
        }

    @classmethod
    def unpacked(cls, parts: dict[str, Any]) -> Judged:
        """Return what was packed."""
        return cls(
            scale=parts["scale"],
            threshold=Calibration.model_validate_json(parts["threshold"]),
            held_out=HeldOut.model_validate_json(parts["held_out"]),
        )


def judged(data: TrainingSet, judges: Sequence[Judge], *, unseen: bool, seed: int) -> Judged:
    """Return what the videos say, and put the judges' scores on the scale that they give.

    Args:
        data: all bags.
        judges: each bag has one; their scale is still that of the network, slope 1 and offset 0.
        unseen: whether they have not seen what they judge.
        seed: of the resamples.
    """
    held_out = _held_out(data, judges, unseen=unseen, seed=seed)
    scale = (
        fit_platt_scaling(*means_by_judges(data, judges, log_odds)) if unseen else judges[0].head.scale.cpu()
    )
    for judge in judges:
        judge.head.scale.copy_(scale)
    return Judged(scale, _threshold(data, judges, unseen=unseen), held_out)


def video_auc(data: TrainingSet, judges: Sequence[Judge], *, unseen: bool) -> float | None:
    """Return the ROC-AUC of all videos, each scored by its judge; None if they are seen or too few."""
    if not unseen or not can_judge(data.bags):
        return None
    means, labels = means_by_judges(data, judges, lambda scores: scores)
    return float(roc_auc_score(labels, means))


def means_by_judges(
    data: TrainingSet, judges: Sequence[Judge], measure: Callable[[Tensor], Tensor]
) -> tuple[list[float], list[int]]:
    """Return for each bag, judge by judge, the measure of its segments by its judge, and its label."""
    means, labels = [], []
    for judge in judges:
        means += bag_means(judge.head, data, judge.rows, measure)
        labels += [data.bags[row].label for row in judge.rows]
    return means, labels


def bag_means(
    head: Head, data: TrainingSet, rows: Sequence[int], measure: Callable[[Tensor], Tensor]
) -> list[float]:
    """Return for each of these bags the mean over its top k segments of a measure of their scores.

    Args:
        head: in evaluation mode, where ``data`` lies.
        data: all bags.
        rows: which of them.
        measure: keeps the order of scores (N, T).
    """
    means: list[float] = []
    for start in range(0, len(rows), _BAGS_AT_ONCE):
        batch = data.batch(rows[start : start + _BAGS_AT_ONCE])
        segments = measure(head.score(batch.features, batch.mask))
        means += head.settings.top_k.mean(segments, batch.mask).tolist()
    return means


def snippet_scores(head: Head, bag: Bag) -> NDArray[np.float32]:
    """Return the score of each snippet of a whole video, (S,) float32."""
    values = bag.values.transpose(1, 0, 2)
    return PiecewiseScoring(head, values, np.arange(len(values))).scores()


def _held_out(data: TrainingSet, judges: Sequence[Judge], *, unseen: bool, seed: int) -> HeldOut:
    auc, low, high, n_undefined = video_auc(data, judges, unseen=unseen), None, None, 0
    if auc is not None:
        means, labels = means_by_judges(data, judges, lambda scores: scores)
        groups = [data.bags[row].group for judge in judges for row in judge.rows]
        scores, abnormal = np.array(means), np.array(labels, bool)
        parts = drawn_in_parts(groups, RESAMPLES, seed, _WEIGHTS_AT_ONCE)
        interval = interval_of(
            np.concatenate([resampled_auc(scores, abnormal, weights) for weights in parts])
        )
        low, high, n_undefined = interval.low, interval.high, interval.n_undefined
    return HeldOut(
        auc=auc,
        auc_low=low,
        auc_high=high,
        resamples=0 if auc is None else RESAMPLES,
        n_undefined=n_undefined,
        n_videos=len(data.bags),
        n_groups=len({bag.group for bag in data.bags}),
        n_normal_groups=len({bag.group for bag in data.bags if not bag.label}),
        n_abnormal_groups=len({bag.group for bag in data.bags if bag.label}),
    )


def _threshold(data: TrainingSet, judges: Sequence[Judge], *, unseen: bool) -> Calibration:
    """Return the threshold by the videos, each scored by its judge."""
    settings = judges[0].head.settings
    normals, abnormals = (
        [
            (data.bags[row], snippet_scores(judge.head, data.bags[row]))
            for judge in judges
            for row in data.of_label(label, judge.rows)
        ]
        for label in (0, 1)
    )
    return calibrate(
        normals,
        abnormals,
        per_hour=settings.false_alarms_per_hour,
        quantile=settings.normal_quantile,
        unseen=unseen,
    )
