"""An evaluation as a data frame, and as a notebook shows it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from vadpipe.errors import UsageError
from vadpipe.evaluation.breakdown import ClassMetrics, VideoMetrics
from vadpipe.evaluation.plots import curves_figure
from vadpipe.files.arguments import described
from vadpipe.files.data_frames import data_frame
from vadpipe.output.notebook import card

if TYPE_CHECKING:
    from pandas import DataFrame

    from vadpipe.evaluation.results import Evaluation, Figure

_SHOWN = (
    "auc", "auc_abnormal", "ap", "recall", "false_positive_rate", "precision",
    "false_alarms_per_hour_of_normal_videos", "event_recall@0.3", "event_precision@0.3",
)  # fmt: skip


def evaluation_frame(result: Evaluation, rows: str) -> DataFrame:
    """Return an evaluation as a data frame.

    Args:
        result: which.
        rows: ``"figures"`` for ``figure, value, low, high`` with the bounds of the 95 % interval, or
            ``"videos"`` or ``"classes"`` for a row for each of these. A number that is not defined is NaN.

    Raises:
        UsageError: if pandas is not installed, or rows are something else.
    """
    if rows == "figures":
        triples = [_triple(figure) for figure in result.figures.values()]
        value, low, high = np.array(triples, dtype=np.float64).T  # None becomes NaN
        return data_frame({"figure": list(result.figures), "value": value, "low": low, "high": high})
    if rows == "videos":
        names = [field.name for field in fields(VideoMetrics) if field.name != "events"]
        columns = {name: [getattr(video, name) for video in result.videos] for name in names}
        return data_frame({**columns, "n_events": [len(video.events) for video in result.videos]})
    if rows == "classes":
        names = [field.name for field in fields(ClassMetrics)]
        return data_frame({name: [getattr(item, name) for item in result.classes] for name in names})
    raise UsageError(f"rows is {described(rows)}", next_step="Choose figures, videos or classes.")


def evaluation_html(result: Evaluation) -> str:
    """Return an evaluation as HTML: what was compared, ROC and precision-recall curves, and main figures."""
    figure = curves_figure(result)
    figure.set_size_inches(7.5, 4.1)
    frames = result.frames
    facts = [
        f"{frames.n_videos} videos, {frames.n_abnormal} abnormal",
        f"{frames.n_frames} frames",
        f"threshold {result.threshold:.3f}",
    ]
    rows = []
    for name in _SHOWN:
        value, interval = result.figures[name].value, result.figures[name].interval
        bounds = (
            "" if interval is None or interval.low is None else f"{interval.low:.3f} to {interval.high:.3f}"
        )
        rows.append((name.replace("_", " "), "-" if value is None else f"{value:.3f}", bounds))
    title = result.settings.head.parent.name or "head"
    return card(f"Evaluation of {title}", facts, figure, ("figure", "value", "95 % interval"), rows)


def _triple(figure: Figure) -> tuple[float | None, float | None, float | None]:
    """Return a figure and the bounds of its interval."""
    interval = figure.interval
    return (figure.value, None, None) if interval is None else (figure.value, interval.low, interval.high)
