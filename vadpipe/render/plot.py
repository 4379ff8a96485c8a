"""The picture of a curve: scores over time, the threshold, and stills of the peaks."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from vadpipe.atomic import atomic_path
from vadpipe.curve import Curve
from vadpipe.errors import InputError
from vadpipe.extract.pictures import read_stills
from vadpipe.render.clock import clock

# Okabe and Ito's blue and vermillion: apart for every kind of colour vision, and in grey.
_BLUE, _VERMILLION, _GREY = "#0072B2", "#D55E00", "#666666"
_N_STILLS = 3

log = logging.getLogger(__name__)


def draw_curve(curve: Curve, axes: Axes) -> None:
    """Draw scores over time and the threshold onto existing axes.

    Each score holds until its frame ends, so the line is a step; what lies above the threshold is
    filled, and frames without a score, of a damaged file, are shaded in grey.
    """
    edges_s = np.append(curve.times_s, curve.end_s)
    scores = np.append(curve.scores, curve.scores[-1])
    axes.step(edges_s, scores, where="post", color=_BLUE, linewidth=1.6, label="anomaly score")
    if curve.threshold is not None:
        above = np.where(scores > curve.threshold, scores, curve.threshold)
        axes.fill_between(edges_s, curve.threshold, above, step="post", color=_VERMILLION, alpha=0.35, lw=0)
        axes.axhline(
            curve.threshold,
            color=_VERMILLION,
            linestyle="--",
            linewidth=1.2,
            label=f"threshold {curve.threshold:.2f}",
        )
    unscored = np.flatnonzero(np.diff(np.isnan(scores[:-1]), prepend=False, append=False)).reshape(-1, 2)
    for start_s, end_s in edges_s[unscored]:
        axes.axvspan(start_s, end_s, color=_GREY, alpha=0.2, lw=0, label="could not be decoded")
    axes.set_xlim(0, curve.end_s)
    axes.set_ylim(0, 1.03)  # a line at 1 must not hide under the frame
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 1.5, 2, 3, 5, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: clock(time_s, curve.end_s)))
    axes.set_xlabel("time (min:s)" if curve.end_s >= 10 else "time (s)")
    axes.set_ylabel("anomaly score")
    axes.grid(alpha=0.25)
    # Below the axes: a curve can pass through every corner of them.
    entries = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))  # each label once
    axes.legend(
        entries.values(), entries.keys(), loc="upper right", bbox_to_anchor=(1, -0.16), ncols=3,
        frameon=False, fontsize=9,
    )  # fmt: skip


def plot_curve(curve: Curve, path: Path, *, video: Path | None = None) -> None:
    """Write the picture of a curve as PNG (or SVG, PDF by the suffix), atomically.

    Args:
        curve: what to draw.
        path: where to.
        video: the file that the curve belongs to; stills of its peaks are shown above the curve.

    Raises:
        OutputError: where it cannot be written.
    """
    shown = _stills(video, curve, sorted(curve.peaks(_N_STILLS)))
    peaks, stills = [peak for peak, _ in shown], [still for _, still in shown]
    figure = Figure(figsize=(10, 5.2 if stills else 3.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    if stills:
        rows = figure.add_gridspec(2, len(stills), height_ratios=(1, 1.35))
        axes = figure.add_subplot(rows[1, :])
        tops = [figure.add_subplot(rows[0, column]) for column in range(len(stills))]
        _draw_stills(curve, peaks, stills, tops, axes)
    else:
        axes = figure.add_subplot()
    draw_curve(curve, axes)
    figure.suptitle(_printable(Path(curve.video).name), fontsize=12)
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a script that the font lacks, in the title
        figure.savefig(temporary)


def _draw_stills(
    curve: Curve, peaks: Sequence[int], stills: Sequence[NDArray[np.uint8]], tops: Sequence[Axes], axes: Axes
) -> None:
    for peak, still, top in zip(peaks, stills, tops, strict=True):
        time_s, score = float(curve.times_s[peak]), float(curve.scores[peak])
        top.imshow(still)
        top.set_xticks([])
        top.set_yticks([])
        unit = " s" if curve.end_s < 10 else ""
        top.set_title(f"{clock(time_s, curve.end_s)}{unit}  score {score:.2f}", fontsize=9)
        axes.plot([time_s], [score], "o", color=_VERMILLION, markersize=5, zorder=5)
        line = ConnectionPatch(
            xyA=(0.5, 0.0), coordsA=top.transAxes, xyB=(time_s, score), coordsB=axes.transData,
            color=_GREY, linewidth=0.8, linestyle=":",
        )  # fmt: skip
        top.figure.add_artist(line)


def _stills(video: Path | None, curve: Curve, peaks: Sequence[int]) -> list[tuple[int, NDArray[np.uint8]]]:
    """Return (peak, still) of each peak whose frame can be read."""
    if video is None:
        return []
    try:
        stills = read_stills(video, [float(curve.times_s[peak]) for peak in peaks])
    except InputError as error:  # the scores stand; a picture without stills is better than none
        log.warning("%s", error)
        return []
    return [(peak, still) for peak, still in zip(peaks, stills, strict=True) if still is not None]


def _printable(name: str) -> str:
    """Return the name as matplotlib can draw it: no line breaks, and no formula between dollars."""
    return "".join(char if char.isprintable() else "�" for char in name).replace("$", r"\$")
