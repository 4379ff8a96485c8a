"""Plots of a curve: scores over time, threshold, events, stills of peaks and of a calm moment."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from vadpipe.curves.curve import Curve
from vadpipe.errors import InputError
from vadpipe.extract.stills import Stills
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import StillRequest
from vadpipe.extract.video.limits import Limits
from vadpipe.features.views import Shares
from vadpipe.files.atomic import atomic_path
from vadpipe.output.event_text import one_line
from vadpipe.output.timecode import clock

# Of Okabe and Ito's colours: apart for every kind of colour vision. In print the hatches tell them apart.
_BLUE, _VERMILLION, _GREEN, _GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
_N_PEAKS = 3
_STILL_PX = 180  # the short side
_NUMBERED = 25  # so many events have their number written at them

Stretches = Sequence[tuple[float, float]]

log = logging.getLogger(__name__)


def draw_curve(curve: Curve, axes: Axes | None = None, *, truth_s: Stretches = ()) -> Axes:
    """Draw scores over time, the threshold and the events onto axes, and return these.

    Where there are events, a dotted line shows the score below which they end, see
    :meth:`vadpipe.curves.events.EventRule.low`.

    Each score holds until its frame ends, so the line is a step. Events are shaded and numbered from 1;
    frames without a score, of a damaged file, are shaded in grey.

    Args:
        curve: what to draw.
        axes: where; the current ones of pyplot by default, as in a notebook.
        truth_s: half-open stretches in seconds in which the video is known to be abnormal, as a band below.
    """
    if axes is None:
        from matplotlib import pyplot

        axes = pyplot.gca()
    edges_s, scores = _steps(curve)
    axes.step(edges_s, scores, where="post", color=_BLUE, linewidth=1.6, label="anomaly score", zorder=3)
    if curve.threshold is not None:
        label = f"threshold {curve.threshold:.2f}"
        axes.axhline(curve.threshold, color=_VERMILLION, linestyle="--", linewidth=1.2, label=label)
        low = curve.rule.low(curve.threshold)
        if curve.events and low < curve.threshold:  # why an event goes on below the threshold
            label = f"events end below {low:.2f}"
            axes.axhline(low, color=_VERMILLION, linestyle=":", linewidth=1, label=label)
    _draw_events(curve, axes)
    for start_s, end_s in truth_s:
        axes.axvspan(
            start_s, end_s, ymax=0.035, facecolor=_GREEN, edgecolor="white", hatch="////", lw=0, zorder=4,
            label="ground truth",
        )  # fmt: skip
    ends_s = np.append(curve.times_s, curve.end_s)
    for start, stop in curve.unscored:
        label = "could not be decoded"
        axes.axvspan(ends_s[start], ends_s[stop], color=_GREY, alpha=0.2, lw=0, label=label)
    _frame(curve, axes)
    return axes


def _steps(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return when scores change, the end, and the scores from then on, the last one twice."""
    changes = np.append(0, np.flatnonzero(np.diff(np.nan_to_num(curve.scores, nan=-1.0))) + 1)
    return np.append(curve.times_s[changes], curve.end_s), np.append(curve.scores[changes], curve.scores[-1])


def _draw_events(curve: Curve, axes: Axes) -> None:
    if curve.events:  # all in one: thousands would each take milliseconds
        axes.broken_barh(
            [(event.start_s, event.length_s) for event in curve.events], (0, 1),
            transform=axes.get_xaxis_transform(), facecolor=_VERMILLION, alpha=0.22, lw=0, label="event",
            zorder=1,
        )  # fmt: skip
    if len(curve.events) <= _NUMBERED:
        for number, event in enumerate(curve.events, 1):
            axes.annotate(
                str(number), ((event.start_s + event.end_s) / 2, 1.03), xycoords=("data", "axes fraction"),
                ha="center", va="center", fontsize=8, color=_VERMILLION, annotation_clip=False,
            )  # fmt: skip


def _frame(curve: Curve, axes: Axes) -> None:
    axes.set_xlim(0, curve.end_s)
    whole = curve.end_s >= 10  # from there on the labels show no fractions of a second
    axes.set_ylim(0, 1.03)  # a line at 1 must not hide under the frame
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 1.5, 2, 3, 5, 6, 10], integer=whole))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: clock(time_s, curve.end_s)))
    axes.set_xlabel(_TIME_LABELS[(curve.end_s >= 10) + (curve.end_s >= 3600)])
    axes.set_ylabel("anomaly score")
    axes.grid(alpha=0.25)
    # Below the axes: a curve can pass through every corner of them.
    entries = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))  # each label once
    axes.legend(
        entries.values(), entries.keys(), loc="upper right", bbox_to_anchor=(1, -0.16), ncols=5,
        frameon=False, fontsize=9,
    )  # fmt: skip


_TIME_LABELS = ("time (s)", "time (min:s)", "time (h:min:s)")


def plot_curve(
    curve: Curve,
    path: Path,
    *,
    video: Path | None = None,
    truth_s: Stretches = (),
    limits: Limits | None = None,
) -> None:
    """Write the picture of a curve as PNG (or SVG, PDF by the suffix), atomically.

    Args:
        curve: what to draw.
        path: where to.
        video: the file that the curve belongs to; stills of its peaks and of its calmest moment are shown
            above the curve.
        truth_s: half-open stretches in seconds in which it is known to be abnormal.
        limits: what the video may ask for while it is read again.

    Raises:
        OutputError: if it cannot be written.
    """
    stills = None
    if video is not None:
        stills = Stills.read(video, [plot_stills(curve)], limits, assume_fps=curve.frame_rate)
    write_plot(curve, path, stills, truth_s=truth_s)


def plot_stills(curve: Curve) -> StillRequest:
    """Return the frames that a picture of a curve shows: of its peaks and of its calmest moment."""
    times_s = tuple(float(curve.times_s[frame]) for frame in _shown(curve))
    return StillRequest(times_s, Size(_STILL_PX, square=False))


def write_plot(curve: Curve, path: Path, stills: Stills | None = None, *, truth_s: Stretches = ()) -> None:
    """Write the picture of a curve and of frames that were read before, as :func:`plot_curve` does.

    Args:
        curve: what to draw.
        path: where to.
        stills: with those of :func:`plot_stills`; None for a picture without.
        truth_s: half-open stretches in seconds in which the video is known to be abnormal.

    Raises:
        OutputError: where it cannot be written.
    """
    shown = [] if stills is None else _read(stills, curve)
    figure = Figure(figsize=(10, 5.4 if shown else 3.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    if shown:
        rows = figure.add_gridspec(2, len(shown), height_ratios=(1, 1.35))
        axes = figure.add_subplot(rows[1, :])
        for column, (frame, still) in enumerate(shown):
            _draw_still(curve, frame, still, figure.add_subplot(rows[0, column]), axes)
    else:
        axes = figure.add_subplot()
    draw_curve(curve, axes, truth_s=truth_s)
    figure.suptitle(_printable(Path(curve.video).name), fontsize=12)
    # An SVG without the date, and with the same names inside each time: same curve, same bytes.
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with atomic_path(path) as temporary, warnings.catch_warnings(), rc_context({"svg.hashsalt": "vadpipe"}):
        warnings.filterwarnings("ignore", message="Glyph")  # a script that the font lacks, in the title
        figure.savefig(temporary, metadata=metadata)


def _draw_still(curve: Curve, frame: int, still: NDArray[np.uint8], top: Axes, axes: Axes) -> None:
    time_s, score = float(curve.times_s[frame]), float(curve.scores[frame])
    calm = frame == curve.calm() and frame not in curve.peaks(1)
    colour = _BLUE if calm else _VERMILLION
    top.imshow(still)
    place = None if calm else curve.place_at(frame)
    if place is not None and place.box is not None:
        _outline(place.box, still.shape, top)
    top.set_xticks([])
    top.set_yticks([])
    for spine in top.spines.values():
        spine.set(color=colour, linewidth=1.5, linestyle="--" if calm else "-")
    unit = " s" if curve.end_s < 10 else ""
    kind = "score"
    if calm:  # it need not be calm: all of a video may be one event
        kind = "lowest" if any(event.start <= frame < event.stop for event in curve.events) else "calm"
    where = "" if place is None else f"  {place.name}"
    top.set_title(f"{clock(time_s, curve.end_s)}{unit}  {kind} {score:.2f}{where}", fontsize=9)
    axes.plot([time_s], [score], "o", color=colour, markersize=5, zorder=5, mfc="white" if calm else colour)
    line = ConnectionPatch(
        xyA=(0.5, 0.0), coordsA=top.transAxes, xyB=(time_s, score), coordsB=axes.transData,
        color=_GREY, linewidth=0.8, linestyle=":",
    )  # fmt: skip
    top.figure.add_artist(line)


def _outline(box: Shares, shape: tuple[int, ...], top: Axes) -> None:
    """Draw round a part of a still (H, W, 3), so that it is seen on bright and on dark pictures."""
    left, top_side, right, bottom = box
    corner = (left * shape[1] - 0.5, top_side * shape[0] - 0.5)  # pixels have their middles at whole numbers
    size = ((right - left) * shape[1], (bottom - top_side) * shape[0])
    for colour, width in (("white", 3.5), (_VERMILLION, 1.8)):
        top.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=width))


def _shown(curve: Curve) -> list[int]:
    """Return the frames of the peaks and of a calm moment, in order."""
    calm = curve.calm()
    return sorted({*curve.peaks(_N_PEAKS), *([] if calm is None else [calm])})


def _read(stills: Stills, curve: Curve) -> list[tuple[int, NDArray[np.uint8]]]:
    """Return (frame, still) of what is shown, for the frames that could be read."""
    try:
        read = stills.of(plot_stills(curve))
    except InputError as error:  # the scores stand; a picture without stills is better than none
        log.warning("%s", error)
        return []
    return [(frame, still) for frame, still in zip(_shown(curve), read, strict=True) if still is not None]


def _printable(name: str) -> str:
    """Return the name as matplotlib can draw it: no line breaks, and no formula between dollars."""
    return one_line(name).replace("$", r"\$")
