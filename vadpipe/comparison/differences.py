"""Paired differences of figures, by a bootstrap in which every candidate is computed on the same resamples.

Test videos are the larger part of the uncertainty, and both sides share it: a hard video is hard for both. So
what is resampled is the difference, not each figure by itself. Videos, or the truth's groups, are drawn as
:mod:`vadpipe.evaluation.bootstrap` draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vadpipe.comparison.results import CLASS_FIGURES, FRAME_FIGURES, ComparedClass, Figures
from vadpipe.evaluation.alarms import tally
from vadpipe.evaluation.bootstrap import interval_of, reweighted
from vadpipe.evaluation.breakdown import by_class
from vadpipe.evaluation.metrics import JudgedVideo, frame_metrics
from vadpipe.evaluation.ranking import Ranking
from vadpipe.evaluation.reasons import class_reason, reason
from vadpipe.evaluation.results import Figure

NO_THRESHOLD = "no threshold is known; --threshold sets one"

Samples = Mapping[str, NDArray[np.float64]]
"""By the name of a figure: its value, and after it that of each resample, (1 + R,); NaN where undefined."""

Judged = Mapping[str, Sequence[JudgedVideo]]
"""The videos of each candidate, by its name; the first is what the others are compared with."""


def compared(
    judged: Judged, thresholds: Mapping[str, float | None], weights: NDArray[np.int64]
) -> tuple[Figures, Figures]:
    """Return every figure of each candidate, and its difference from the first one's.

    Args:
        judged: V videos of each candidate.
        thresholds: what alarms and events are counted at; without one these figures are not defined.
        weights: (1 + R, V) int64, how often each video counts: first once, then as it is drawn.
    """
    samples: dict[str, Samples] = {}
    reasons: dict[str, dict[str, str]] = {}
    for name, videos in judged.items():
        threshold, frames = thresholds[name], frame_metrics(videos)
        values = reweighted(videos, tally(videos, 1.0 if threshold is None else threshold), weights)
        reasons[name] = {figure: reason(figure, frames) for figure in values}
        if threshold is None:
            of_alarms = values.keys() - {*FRAME_FIGURES}
            values |= dict.fromkeys(of_alarms, np.full(len(weights), np.nan))
            reasons[name] |= dict.fromkeys(of_alarms, NO_THRESHOLD)
        samples[name] = values
    return _figures(samples, reasons)


def compared_classes(judged: Judged, weights: NDArray[np.int64]) -> list[ComparedClass]:
    """Return the same of each class of abnormal videos, in alphabetical order; see :func:`compared`."""
    first = next(iter(judged.values()))
    found = []
    for item in by_class(first):  # what of it is used is the same for all candidates
        inside = [video.truth.abnormal and item.category in video.truth.categories for video in first]
        samples = {name: _of_class(videos, inside, weights) for name, videos in judged.items()}
        why = dict.fromkeys(CLASS_FIGURES, class_reason(item))
        figures, differences = _figures(samples, dict.fromkeys(judged, why))
        found.append(
            ComparedClass(item.category, item.n_videos, item.n_frames, item.n_anomalous, figures, differences)
        )
    return found


def _of_class(
    videos: Sequence[JudgedVideo], inside: Sequence[bool], weights: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    values = {}
    beside_normal = [own or not video.truth.abnormal for own, video in zip(inside, videos, strict=True)]
    for suffix, chosen in (("", beside_normal), ("_abnormal", inside)):
        ranking = Ranking(videos, chosen)
        both = np.array([ranking.auc_and_ap(row) for row in weights])
        values[f"auc{suffix}"], values[f"ap{suffix}"] = both.T
    return values


def _figures(
    samples: Mapping[str, Samples], reasons: Mapping[str, Mapping[str, str]]
) -> tuple[Figures, Figures]:
    reference, *others = samples
    figures = {
        name: {figure: _figure(sample, reasons[name][figure]) for figure, sample in values.items()}
        for name, values in samples.items()
    }
    differences = {
        name: {
            figure: _figure(
                sample - samples[reference][figure],
                figures[name][figure].reason or figures[reference][figure].reason or "",
            )
            for figure, sample in samples[name].items()
        }
        for name in others
    }
    return figures, differences


def _figure(sample: NDArray[np.float64], why: str) -> Figure:
    """Return a figure of its value and its resamples, (1 + R,)."""
    value, drawn = float(sample[0]), sample[1:]
    if np.isnan(value):
        return Figure(None, reason=why)
    return Figure(value, interval_of(drawn) if len(drawn) else None)
