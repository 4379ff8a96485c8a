"""Breakdown of the figures by class and by video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vadpipe.curves.events import Event, at_or_above, find_events
from vadpipe.evaluation.confusion import Confusion
from vadpipe.evaluation.metrics import JudgedVideo, auc_and_ap, pooled
from vadpipe.evaluation.ranking import Ranking


@dataclass(frozen=True)
class ClassMetrics:
    """How well the anomalies of one class are told apart; None if a kind of frame is missing.

    Attributes:
        category: the class.
        n_videos, n_frames, n_anomalous: its abnormal videos, their scored frames, the anomalous of these.
        auc, ap: over the frames of its videos and of all normal videos.
        auc_abnormal, ap_abnormal: over the frames of its videos alone.
    """

    category: str
    n_videos: int
    n_frames: int
    n_anomalous: int
    auc: float | None
    ap: float | None
    auc_abnormal: float | None
    ap_abnormal: float | None


@dataclass(frozen=True)
class VideoMetrics:
    """The figures of one test video.

    Attributes:
        video: as the truth spells it.
        category, group: of the truth.
        n_frames, n_anomalous, n_unscored: frames that were compared, those that are anomalous, and those
            that have no score.
        auc: of its scored frames; None if a kind is missing.
        raised: share of its scored frames at or above the threshold.
        peak: its highest score.
        confusion: of its scored frames.
        events: of its curve, at the threshold.
    """

    video: str
    category: str | None
    group: str | None
    n_frames: int
    n_anomalous: int
    n_unscored: int
    auc: float | None
    raised: float
    peak: float
    confusion: Confusion
    events: list[Event] = field(repr=False)

    @property
    def flagged(self) -> bool:
        """Whether one of its frames reaches the threshold."""
        return self.confusion.tp + self.confusion.fp > 0


def by_class(judged: Sequence[JudgedVideo]) -> list[ClassMetrics]:
    """Return the figures of each class of abnormal videos, in alphabetical order.

    A video of several classes, ``"Riot+Shooting"`` (XD-Violence), counts in each of them.
    """
    ranking = Ranking(judged)
    normal = np.array([not video.truth.abnormal for video in judged], dtype=np.int64)
    of_video = [video.truth.categories if video.truth.abnormal else () for video in judged]
    classes = []
    for category in sorted({category for categories in of_video for category in categories}):
        inside = np.array([category in categories for categories in of_video], dtype=np.int64)
        marks, _ = pooled([video for video, chosen in zip(judged, inside, strict=True) if chosen])
        figures = [*ranking.auc_and_ap(inside + normal), *ranking.auc_and_ap(inside)]
        classes.append(
            ClassMetrics(
                category,
                int(inside.sum()),
                len(marks),
                int(marks.sum()),
                *(None if np.isnan(figure) else figure for figure in figures),
            )
        )
    return classes


def by_video(judged: Sequence[JudgedVideo], threshold: float) -> list[VideoMetrics]:
    """Return the figures of each video at a threshold, in their order."""
    return [_of_video(video, threshold) for video in judged]


def _of_video(video: JudgedVideo, threshold: float) -> VideoMetrics:
    marks, scores = pooled([video])
    raised = at_or_above(scores, threshold)
    return VideoMetrics(
        video=video.truth.video,
        category=video.truth.category,
        group=video.truth.group,
        n_frames=video.truth.n_frames,
        n_anomalous=int(video.truth.frames().sum()),
        n_unscored=video.truth.n_frames - len(scores),
        auc=auc_and_ap(marks, scores)[0],
        raised=float(raised.mean()),
        peak=float(scores.max()),
        confusion=Confusion.of(marks, raised),
        events=find_events(video.scores, video.times_s, video.end_s, threshold),
    )
