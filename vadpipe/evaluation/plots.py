"""Plots of an evaluation: ROC and precision-recall curves, and the curves of single videos."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from sklearn.metrics import precision_recall_curve, roc_curve

from vadpipe.evaluation.breakdown import VideoMetrics
from vadpipe.evaluation.metrics import JudgedVideo, pooled
from vadpipe.files.atomic import atomic_path
from vadpipe.output.timecode import clock

if TYPE_CHECKING:
    from vadpipe.evaluation.results import Evaluation

# Okabe and Ito's colours: apart for every kind of colour vision, and in grey.
_BLUE, _VERMILLION, _ORANGE, _GREY = "#0072B2", "#D55E00", "#E69F00", "#666666"
_SHADE = 0.3
_COLUMNS = 4
_NAME_LENGTH = 30

_Style = dict[str, Any]

MAX_SHOWN = 24
"""Videos in the picture of single curves: more cannot be told apart on a screen."""


def plot_curves(result: Evaluation, path: Path) -> None:
    """Write the ROC and the precision-recall curve, with the point of the threshold, atomically.

    Raises:
        OutputError: if it cannot be written.
    """
    _save(curves_figure(result), path)


def curves_figure(result: Evaluation) -> Figure:
    """Return the ROC and the precision-recall curve, with the point of the threshold."""
    figure = Figure(figsize=(10, 5.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    roc, pr = figure.subplots(1, 2)
    frames = result.frames
    abnormal = [video for video in result.judged if video.truth.abnormal]
    if len(abnormal) < len(result.judged):
        figures = frames.auc_abnormal, frames.ap_abnormal
        _draw_both(roc, pr, abnormal, "abnormal videos", figures, {"color": _ORANGE, "linestyle": "--"})
    _draw_both(roc, pr, result.judged, "all videos", (frames.auc, frames.ap), {"color": _BLUE})
    value = {name: figure.value for name, figure in result.figures.items()}
    point: _Style = {
        "color": _VERMILLION, "linestyle": "none", "marker": "o", "zorder": 5,
        "label": f"threshold {result.threshold:.2f}, all videos",
    }  # fmt: skip
    for axes, x, y in ((roc, "false_positive_rate", "recall"), (pr, "recall", "precision")):
        if value[x] is not None and value[y] is not None:
            axes.plot([value[x]], [value[y]], **point)
    chance: _Style = {"color": _GREY, "linestyle": ":", "linewidth": 1}
    roc.plot([0, 1], [0, 1], label="chance", **chance)
    share = frames.n_anomalous / frames.n_frames
    pr.axhline(share, label=f"chance, AP {share:.3f}", **chance)
    _label(roc, "ROC of frames", "false positive rate", "true positive rate")
    _label(pr, "Precision and recall of frames", "recall", "precision")
    return figure


def plot_videos(result: Evaluation, path: Path) -> None:
    """Write small curves of test videos with the truth shaded, atomically; see :func:`chosen_videos`.

    Raises:
        OutputError: if it cannot be written.
    """
    shown = chosen_videos(result.videos)
    columns = min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(max(3.2 * columns, 5), 1.6 * rows + 0.7), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, index in itertools.zip_longest(panels.flat, shown):
        if index is None:
            axes.set_axis_off()
        else:
            _draw_video(axes, result.judged[index], result.threshold)
            axes.set_title(_title(result.videos[index]), fontsize=8)
    figure.supylabel("anomaly score", fontsize=9)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    handles.append(Patch(color=_ORANGE, alpha=_SHADE, lw=0))
    figure.legend(
        handles,
        [*labels, "anomalous, by the truth"],
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=9,
    )
    _save(figure, path)


def chosen_videos(videos: Sequence[VideoMetrics], count: int = MAX_SHOWN) -> list[int]:
    """Return which videos are shown, as indices, at most ``count`` of them.

    First come those with both kinds of frames, the best AUC first; of too many, the best half and the worst
    half are taken. Videos with one kind of frame follow where there is room, those with the most frames on
    the wrong side of the threshold first.
    """
    ranked = sorted(
        (index for index, video in enumerate(videos) if video.auc is not None),
        key=lambda index: (-(videos[index].auc or 0), videos[index].video),
    )
    n_best = count - count // 2
    if len(ranked) > count:
        ranked = ranked[:n_best] + ranked[len(ranked) - count // 2 :]
    others = sorted(
        (index for index, video in enumerate(videos) if video.auc is None),
        key=lambda index: (-_wrong(videos[index]), videos[index].video),
    )
    return [*ranked, *others][:count]


def _wrong(video: VideoMetrics) -> float:
    return 1 - video.raised if video.n_anomalous else video.raised


def _draw_both(
    roc: Axes,
    pr: Axes,
    judged: Sequence[JudgedVideo],
    what: str,
    figures: tuple[float | None, float | None],
    style: _Style,
) -> None:
    """Draw the ROC and the precision-recall curve of these videos, where they have both kinds of frames."""
    auc, ap = figures
    if auc is None or ap is None:
        return
    marks, scores = pooled(judged)
    false_positive, recall, _ = roc_curve(marks, scores)
    roc.plot(false_positive, recall, label=f"{what}, AUC {auc:.3f}", **style)
    precision, recall, _ = precision_recall_curve(marks, scores, drop_intermediate=True)
    # Average precision is the area of these steps: the precision at a threshold holds for the recall gained.
    pr.step(recall, precision, where="post", label=f"{what}, AP {ap:.3f}", **style)


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel=x, ylabel=y, aspect="equal")
    axes.set_title(title, fontsize=11)
    axes.grid(alpha=0.25)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False, fontsize=9)


def _draw_video(axes: Axes, video: JudgedVideo, threshold: float) -> None:
    edges_s = np.append(video.times_s, video.end_s)
    for start, stop in video.truth.anomalies:
        axes.axvspan(edges_s[start], edges_s[stop], color=_ORANGE, alpha=_SHADE, lw=0)
    scores = np.append(video.scores, video.scores[-1])
    axes.step(edges_s, scores, where="post", color=_BLUE, linewidth=1.1, label="anomaly score")
    axes.axhline(
        threshold, color=_VERMILLION, linestyle="--", linewidth=0.9, label=f"threshold {threshold:.2f}"
    )
    axes.set(xlim=(0, video.end_s), ylim=(0, 1.03))
    unit = " s" if video.end_s < 10 else ""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 1.5, 2, 3, 5, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: clock(time_s, video.end_s) + unit))
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.2)


def _title(video: VideoMetrics) -> str:
    """Return the end of the video's name, as matplotlib can draw it, and how well it was told apart."""
    name = "".join(char if char.isprintable() else "�" for char in video.video)
    if len(name) > _NAME_LENGTH:
        name = "…" + name[1 - _NAME_LENGTH :]
    verdict = "all anomalous" if video.n_anomalous else "normal"
    if video.auc is not None:
        verdict = f"AUC {video.auc:.2f}"
    return f"{name.replace('$', chr(92) + '$')}   {verdict}"


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a script that the font lacks, in a name
        figure.savefig(temporary)
