"""The figures of a run: the curves of a fold's test videos against the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vadpipe.ablation.data import Data
from vadpipe.ablation.runs import At, Run
from vadpipe.evaluation.alarms import tally
from vadpipe.evaluation.bootstrap import reweighted
from vadpipe.evaluation.metrics import JudgedVideo, frame_metrics

FIGURES = {
    "auc": "frame ROC-AUC",
    "auc_abnormal": "of abnormal videos",
    "auc_mixed": "of videos with both kinds of frames",
    "ap": "frame AP",
    "event_f1@0.3": "event F1, overlap 0.3",
    "false_alarms_per_hour": "false alarms per hour",
}
"""What is reported, as :mod:`vadpipe.evaluation` defines it. Events and alarms are counted at the threshold
that was calibrated for the selected step, whichever step is looked at."""


def judged_videos(run: Run, data: Data, at: At) -> list[JudgedVideo]:
    """Return the curves of the run's test videos at that step, beside the truth."""
    scores = zip(run.record.videos, run.scores[at], strict=True)
    return [data.samples[name].judged(own) for name, own in scores]


def figures_of(judged: Sequence[JudgedVideo], threshold: float) -> dict[str, float | None]:
    """Return :data:`FIGURES` over these videos; None if one is not defined."""
    values = frame_metrics(judged).figures | tally(judged, threshold).totals()
    return {name: values[name] for name in FIGURES}


def resampled(
    judged: Sequence[JudgedVideo], threshold: float, weights: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return :data:`FIGURES` where video v counts ``weights[r, v]`` times, each (R,); NaN where undefined.

    Args:
        judged: V videos.
        threshold: of events and alarms.
        weights: (R, V) int64.
    """
    values = reweighted(judged, tally(judged, threshold), weights)
    return {name: values[name] for name in FIGURES}
