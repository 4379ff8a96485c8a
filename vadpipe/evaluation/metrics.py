"""Frame-level metrics: ROC-AUC and average precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from vadpipe.annotations.truth import Truth
from vadpipe.errors import UsageError


@dataclass(frozen=True)
class JudgedVideo:
    """A test video: its curve, and the truth that the curve is compared with.

    Attributes:
        truth: which of its N frames are anomalous.
        scores: (N,) float32, higher is more anomalous; NaN where a frame has none.
        times_s: (N,) float64, presentation time of each frame.
        end_s: when the last frame ends.

    Raises:
        UsageError: if the three differ in their number of frames.
    """

    truth: Truth
    scores: NDArray[np.float32] = field(repr=False)
    times_s: NDArray[np.float64] = field(repr=False)
    end_s: float

    def __post_init__(self) -> None:
        lengths = self.truth.n_frames, len(self.scores), len(self.times_s)
        if len(set(lengths)) > 1:
            raise UsageError(
                "has {} frames in the truth, {} scores and {} frame times".format(*lengths),
                file=self.truth.video,
                next_step="Pass only the frames that all of them have.",
            )

    @property
    def mixed(self) -> bool:
        """Whether it has both anomalous and normal frames."""
        return 0 < int(self.truth.frames().sum()) < self.truth.n_frames


@dataclass(frozen=True)
class FrameMetrics:
    """Figures over the pooled frames of several videos; None if a kind of frame is missing.

    Frames without a score are left out, and counted.

    Attributes:
        auc, ap: area under the ROC curve, and average precision, over all videos.
        auc_abnormal, ap_abnormal: the same over the videos with an anomaly; the field's AUC_abn.
        auc_mixed, ap_mixed: the same over the videos with both kinds of frames.
        n_videos, n_abnormal, n_mixed: how many videos these are.
        n_frames, n_anomalous: how many scored frames there are, and how many of them are anomalous.
        n_unscored: how many frames had no score.
    """

    auc: float | None
    ap: float | None
    auc_abnormal: float | None
    ap_abnormal: float | None
    auc_mixed: float | None
    ap_mixed: float | None
    n_videos: int
    n_abnormal: int
    n_mixed: int
    n_frames: int
    n_anomalous: int
    n_unscored: int

    @property
    def figures(self) -> dict[str, float | None]:
        """The figures by their names, without the counts."""
        names = ("auc", "ap", "auc_abnormal", "ap_abnormal", "auc_mixed", "ap_mixed")
        return {name: getattr(self, name) for name in names}


def frame_metrics(judged: Sequence[JudgedVideo]) -> FrameMetrics:
    """Return the figures over the frames of these videos.

    Sources: frame-level AUC, Sultani et al., CVPR 2018 (arXiv:1801.04264); AP, Wu et al., ECCV 2020
    (arXiv:2007.04687).
    """
    abnormal = [video for video in judged if video.truth.abnormal]
    mixed = [video for video in judged if video.mixed]
    marks, scores = pooled(judged)
    auc, ap = auc_and_ap(marks, scores)
    auc_abnormal, ap_abnormal = auc_and_ap(*pooled(abnormal))
    auc_mixed, ap_mixed = auc_and_ap(*pooled(mixed))
    return FrameMetrics(
        auc=auc,
        ap=ap,
        auc_abnormal=auc_abnormal,
        ap_abnormal=ap_abnormal,
        auc_mixed=auc_mixed,
        ap_mixed=ap_mixed,
        n_videos=len(judged),
        n_abnormal=len(abnormal),
        n_mixed=len(mixed),
        n_frames=len(scores),
        n_anomalous=int(marks.sum()),
        n_unscored=sum(len(video.scores) for video in judged) - len(scores),
    )


def pooled(judged: Sequence[JudgedVideo]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return which of the scored frames of all videos are anomalous, (M,) bool, and their scores, (M,)."""
    marks = np.concatenate([np.zeros(0, np.bool_), *(video.truth.frames() for video in judged)])
    scores = np.concatenate([np.zeros(0, np.float32), *(video.scores for video in judged)])
    scored = ~np.isnan(scores)
    return marks[scored], scores[scored]


def auc_and_ap(
    marks: NDArray[np.bool_], scores: NDArray[np.float32]
) -> tuple[float, float] | tuple[None, None]:
    """Return ROC-AUC and average precision of (M,) frames, or twice None if a kind is missing."""
    if marks.all() or not marks.any():
        return None, None
    return float(roc_auc_score(marks, scores)), float(average_precision_score(marks, scores))
