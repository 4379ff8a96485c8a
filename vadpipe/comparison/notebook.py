"""A comparison as a data frame, and as a notebook shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing

from vadpipe.comparison.verdict import verdict
from vadpipe.errors import UsageError
from vadpipe.files.arguments import described
from vadpipe.files.data_frames import data_frame
from vadpipe.output.notebook import card

if TYPE_CHECKING:
    from pandas import DataFrame

    from vadpipe.comparison.results import Comparison

_SHOWN = ("auc", "auc_abnormal", "ap", "recall", "event_recall@0.3")


def comparison_frame(result: Comparison, rows: str) -> DataFrame:
    """Return a comparison as a data frame.

    Args:
        result: which.
        rows: ``"figures"`` for ``candidate, figure, value, difference, low, high``, a row for each figure of
            each candidate, where the difference is that from the first candidate and low and high are its
            paired 95 % interval; or ``"videos"`` for a row per video, with the AUC of each candidate. A
            number that is not defined is NaN.

    Raises:
        UsageError: if pandas is not installed, or rows are something else.
    """
    if rows == "figures":
        lines = [
            (candidate.name, name, figure.value, *_difference(result, candidate.name, name))
            for candidate in result.candidates
            for name, figure in result.figures[candidate.name].items()
        ]
        names, figures, *numbers = zip(*lines, strict=True)
        value, difference, low, high = (np.array(column, dtype=np.float64) for column in numbers)
        return data_frame(
            {
                "candidate": names,
                "figure": figures,
                "value": value,
                "difference": difference,
                "low": low,
                "high": high,
            }
        )
    if rows == "videos":
        plain = ("video", "category", "group", "n_frames", "n_anomalous", "apart")
        columns: dict[str, list[object]] = {
            name: [getattr(video, name) for video in result.videos] for name in plain
        }
        for candidate in result.candidates:
            columns[f"auc {candidate.name}"] = [video.auc[candidate.name] for video in result.videos]
        return data_frame(columns)
    raise UsageError(f"rows is {described(rows)}", next_step="Choose figures or videos.")


def comparison_html(result: Comparison) -> str:
    """Return a comparison as HTML: the verdicts, and the main differences with their intervals."""
    others = [candidate.name for candidate in result.candidates[1:]]
    drawing = Drawing(figsize=(7.5, 0.9 + 0.32 * len(_SHOWN) * len(others)), dpi=90, layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.add_subplot()
    axes.axvline(0, color="#666666", linewidth=1)
    labels, rows = [], []
    for name in others:
        for figure in _SHOWN:
            difference, low, high = _difference(result, name, figure)
            title = figure.replace("_", " ")
            labels.append(f"{title}, {name}" if len(others) > 1 else title)
            if difference is None or low is None or high is None:
                continue
            errors = [[max(0.0, difference - low)], [max(0.0, high - difference)]]
            axes.errorbar([difference], [len(labels) - 1], xerr=errors, fmt="o", color="#0072B2", capsize=3)
            rows.append((name, title, f"{difference:+.3f}", f"{low:+.3f} to {high:+.3f}"))
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel(f"difference from {result.reference}, 95 % interval")
    facts = [f"{result.frames.n_videos} videos", *(verdict(result, name) for name in others)]
    return card(
        f"Comparison with {result.reference}",
        facts,
        drawing,
        ("candidate", "figure", "difference", "95 % interval"),
        rows,
    )


def _difference(result: Comparison, candidate: str, name: str) -> tuple[float | None, ...]:
    """Return the difference of a figure from the first candidate's, and the bounds of its interval."""
    figure = result.differences.get(candidate, {}).get(name)
    if figure is None:
        return None, None, None
    interval = figure.interval
    return (figure.value, None, None) if interval is None else (figure.value, interval.low, interval.high)
