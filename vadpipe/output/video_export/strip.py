"""The strip under the picture: the whole curve, a moving cursor, and the moment's time and score."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vadpipe.features.ranges import runs_of_true
from vadpipe.output.timecode import clock, timecode
from vadpipe.output.video_export.picture import Planes, planes_of
from vadpipe.output.video_export.source import VideoSource

# Okabe and Ito's blue and vermillion, as in the picture of the curve.
BLUE, VERMILLION = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
_INK, _GREY, _PALE, _WHITE = (0x22, 0x22, 0x22), (0x66, 0x66, 0x66), (0xD8, 0xD8, 0xD8), (0xFF, 0xFF, 0xFF)
_SHADE = (0xF6, 0xD3, 0xB5)  # vermillion behind what is drawn over it
_UNSCORED = (0xE0, 0xE0, 0xE0)
_CURSOR = (16, 128, 128)  # black
MIN_WIDTH_PX = 160  # the texts need that
_FINE = 3  # lines are drawn so many times larger and then made smaller

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Layout:
    """Where things are in the strip, in pixels; all sides are even, since colour has half the resolution.

    From the top: a row of text, the curve, and the times under it.

    Args:
        width: of the strip.
        picture_height: of the picture above it.
    """

    def __init__(self, width: int, picture_height: int) -> None:
        self.width = width
        self.font_px = min(32, max(10, 8 + width // 80))
        self.small_px = max(9, round(0.8 * self.font_px))
        self.gap = max(4, self.font_px // 2)
        self.row = _even(1.7 * self.font_px)
        self.plot = _even(max(4 * self.font_px, 0.13 * picture_height))
        self.ticks = _even(1.5 * self.small_px)
        self.height = self.row + self.plot + self.ticks
        self.left = _even(self.gap / 2 + _width("0.00", self.small_px) + 4)
        self.right = _even(width - self.gap)
        self.border = max(2, _even(self.font_px / 4))
        self.cursor = max(2, _even(self.font_px / 8))

    def x_of(self, time_s: float, end_s: float) -> float:
        """Return the column of a time."""
        return self.left + (self.right - self.left) * min(1.0, time_s / end_s if end_s else 0.0)

    def y_of(self, score: float) -> float:
        """Return the row of a score in the plot, whose top is 0; a line at 0 or 1 is seen whole."""
        inset = self.font_px / 8
        return inset + (1 - min(1.0, max(0.0, score))) * (self.plot - 2 * inset)


class Strip:
    """Draws the strip of each frame.

    What does not change is drawn once.

    Args:
        layout: where things are.
        source: the video.
        scores: (N,) float32, NaN where a frame has none.
        threshold: of the curve, or None.
        events: (E, 2) int64, frames [start, stop).
    """

    def __init__(
        self,
        layout: Layout,
        source: VideoSource,
        scores: NDArray[np.float32],
        threshold: float | None,
        events: NDArray[np.int64],
    ) -> None:
        self._layout, self._edges_s, self._scores, self._events = layout, source.edges_s, scores, events
        self._end_s = source.timeline.end_s
        self._matrix = source.looks.matrix
        still = _drawn(layout, self._edges_s, scores, threshold, events)
        self._still = planes_of(np.asarray(still), self._matrix)
        # Every time has the width of the longest, so that what follows it does not move.
        self._time_px = _width(timecode(self._end_s).removeprefix(self._no_hours), layout.font_px)
        self._badge = lru_cache(4)(self._drawn_badge)
        y, u, v = planes_of(_flat(VERMILLION, 2, 2), self._matrix)
        self.alarm = (int(y[0, 0]), int(u[0, 0]), int(v[0, 0]))

    @property
    def _no_hours(self) -> str:
        return "00:" if self._end_s < 3600 else ""

    def event_at(self, number: int) -> int | None:
        """Return which event a frame belongs to, or None."""
        at = int(np.searchsorted(self._events[:, 0], number, side="right")) - 1
        return at if at >= 0 and number < self._events[at, 1] else None

    def draw(self, planes: Planes, number: int, lost: bool) -> None:
        """Draw the strip of a frame.

        Args:
            planes: (layout.height, layout.width), filled here.
            number: of the frame.
            lost: whether it could not be decoded.
        """
        layout = self._layout
        planes.put(self._still)
        time_s = float(self._edges_s[number])
        event = self.event_at(number)
        badge_px = 0
        if event is not None:
            badge = self._badge(event)
            height, badge_px = badge.y.shape
            planes.part(0, layout.width - badge_px, height, badge_px).put(badge)
        score = float("nan") if lost else float(self._scores[number])
        self._write(planes.y, time_s, score, lost, layout.width - badge_px)
        left = round(layout.x_of(time_s, self._end_s)) - layout.cursor // 2
        for plane, value, half in zip(planes, _CURSOR, (0, 1, 1), strict=True):
            columns = slice(left >> half, ((left + layout.cursor - 1) >> half) + 1)
            plane[layout.row >> half : (layout.row + layout.plot) >> half, columns] = value

    def _write(self, y: NDArray[np.uint8], time_s: float, score: float, lost: bool, right: int) -> None:
        """Write black on white, which needs no colour."""
        layout = self._layout
        row = Image.new("L", (right, layout.row), 255)
        pen = ImageDraw.Draw(row)
        at = layout.gap
        for text, width in self._texts(time_s, score, lost):
            if at + width > right:
                break
            pen.text((at, layout.row / 2), text, fill=0, font=_font(layout.font_px), anchor="lm")
            at += width + 2 * layout.gap
        y[: layout.row, :right] = 16 + np.asarray(row, dtype=np.float32) * (219 / 255) + 0.5

    def _texts(self, time_s: float, score: float, lost: bool) -> Sequence[tuple[str, int]]:
        time = timecode(time_s).removeprefix(self._no_hours)
        said = "no score" if score != score else f"score {score:.2f}"
        font_px = self._layout.font_px
        texts = [(time, self._time_px), (said, max(_width(said, font_px), _width("score 0.00", font_px)))]
        if lost:
            texts.append(("picture lost", _width("picture lost", font_px)))
        return texts

    def _drawn_badge(self, event: int) -> Planes:
        """Draw the word that marks an event, and which of how many it is where there is room."""
        layout = self._layout
        room = layout.width - layout.gap - self._time_px - _width("score 0.00", layout.font_px)
        texts = (f"EVENT {event + 1} of {len(self._events)}", "EVENT")
        fits = (text for text in texts if _width(text, layout.font_px) + 6 * layout.gap <= room)
        text = next(fits, texts[-1])
        width = _even(_width(text, layout.font_px) + 1.5 * layout.gap)
        image = Image.fromarray(_flat(VERMILLION, layout.row, width))
        pen = ImageDraw.Draw(image)
        pen.text(
            (width / 2, layout.row / 2), text, fill=_WHITE, font=_font(layout.font_px), anchor="mm",
            stroke_width=layout.font_px / 40,
        )  # fmt: skip
        return planes_of(np.asarray(image), self._matrix)


def _drawn(
    layout: Layout,
    edges_s: NDArray[np.float64],
    scores: NDArray[np.float32],
    threshold: float | None,
    events: NDArray[np.int64],
) -> Image.Image:
    """Draw what all frames share."""
    strip = Image.new("RGB", (layout.width, layout.height), _WHITE)
    plot = _plot(layout, edges_s, scores, threshold, events)
    strip.paste(plot, (layout.left, layout.row))
    pen, end_s = ImageDraw.Draw(strip), float(edges_s[-1])
    small = _font(layout.small_px)
    bottom = layout.row + layout.plot
    pen.rectangle((layout.left - 1, layout.row - 1, layout.right, bottom), outline=_GREY)
    levels = [(0.0, "0", _INK), (1.0, "1", _INK)]
    if threshold is not None:
        levels.insert(0, (threshold, f"{threshold:.2f}", VERMILLION))
    taken = list[float]()
    for score, text, colour in levels:
        y = layout.row + min(max(layout.y_of(score), layout.small_px / 2), layout.plot - layout.small_px / 2)
        if all(abs(y - other) >= layout.small_px for other in taken):
            taken.append(y)
            pen.text((layout.left - 3, y), text, fill=colour, font=small, anchor="rm")
    for time_s, text, anchor in _marks(layout, end_s):
        x = layout.x_of(time_s, end_s)
        pen.line((x, bottom, x, bottom + layout.small_px / 4), fill=_GREY)
        pen.text((x, bottom + layout.ticks * 0.6), text, fill=_INK, font=small, anchor=anchor)
    return strip


def _plot(
    layout: Layout,
    edges_s: NDArray[np.float64],
    scores: NDArray[np.float32],
    threshold: float | None,
    events: NDArray[np.int64],
) -> Image.Image:
    width, height = layout.right - layout.left, layout.plot
    image = Image.new("RGB", (width * _FINE, height * _FINE), _WHITE)
    pen, end_s = ImageDraw.Draw(image), float(edges_s[-1])

    def x_of(time_s: float) -> float:
        return (layout.x_of(time_s, end_s) - layout.left) * _FINE

    def band(start: int, stop: int, colour: tuple[int, int, int], top: float, bottom: float) -> None:
        left, right = x_of(float(edges_s[start])), x_of(float(edges_s[stop]))
        pen.rectangle((left, top * _FINE, max(left + _FINE, right) - 1, bottom * _FINE), fill=colour)

    unscored = runs_of_true(np.isnan(scores))
    for start, stop in unscored.tolist():
        band(start, stop, _UNSCORED, 0, height)
    for start, stop in events.tolist():
        band(start, stop, _SHADE, 0, height)
        band(start, stop, VERMILLION, height - max(2, layout.font_px / 8), height)
    for score in (0.25, 0.5, 0.75):
        y = layout.y_of(score) * _FINE
        pen.line((0, y, width * _FINE, y), fill=_PALE, width=1)
    if threshold is not None:
        dash, y = layout.font_px * _FINE / 2, layout.y_of(threshold) * _FINE
        thick = max(_FINE, layout.font_px * _FINE // 12)
        for left in np.arange(0, width * _FINE, 1.6 * dash).tolist():
            pen.line((left, y, left + dash, y), fill=VERMILLION, width=thick)
    half = max(1.5, layout.font_px / 9) * _FINE / 2
    low, high = _envelope(edges_s, scores, width * _FINE)
    for x in np.flatnonzero(np.isfinite(low)).tolist():
        top, bottom = layout.y_of(float(high[x])) * _FINE, layout.y_of(float(low[x])) * _FINE
        wide = half if bottom - top > half else 0  # a step is as thick as the line
        pen.rectangle((x - wide, top - half, x + wide, bottom + half), fill=BLUE)
    return image.resize((width, height), Image.Resampling.BOX)


def _envelope(
    edges_s: NDArray[np.float64], scores: NDArray[np.float32], n_columns: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and highest score in each column, (n_columns,) each; NaN where there is none.

    Each column begins with the last score of the one before, so that a step is a line without a gap.
    """
    starts_s = np.arange(n_columns) * (edges_s[-1] / n_columns)
    first = np.maximum(np.searchsorted(edges_s[:-1], starts_s, side="right") - 1, 0)
    last = np.append(first[1:], len(scores) - 1)
    previous = np.append(first[:1], last[:-1])
    # Pairs of [from, to) for reduceat; the odd results are what lies between and are not wanted.
    padded = np.append(scores, np.float32(np.nan))
    bounds = np.stack([np.minimum(previous, first), last + 1], axis=1).ravel()
    low, high = np.fmin.reduceat(padded, bounds)[::2], np.fmax.reduceat(padded, bounds)[::2]
    gone = np.isnan(scores[first]) & np.isnan(scores[last])
    return np.where(gone, np.nan, low).astype(np.float32), np.where(gone, np.nan, high).astype(np.float32)


def _marks(layout: Layout, end_s: float) -> list[tuple[float, str, str]]:
    """Return the times that are written under the plot: (time, text, anchor), as many as fit."""
    unit = " s" if end_s < 10 else ""
    last = clock(end_s, end_s) + unit
    room = (layout.right - layout.left) / (1.8 * max(_width(last, layout.small_px), 3 * layout.small_px))
    steps = [
        size * unit_s for unit_s in (0.1, 1, 10) for size in (1, 2, 5)
    ] + [60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400]  # fmt: skip
    step = next((step for step in steps if end_s / step <= room), end_s or 1.0)
    times = [k * step for k in range(int(end_s / step) + 1)]
    marks = [(time_s, clock(time_s, end_s) + unit, "mm") for time_s in times]
    return [(time_s, text, "lm" if time_s == 0 else anchor) for time_s, text, anchor in marks if _inside(
        layout, layout.x_of(time_s, end_s), text) or time_s == 0]  # fmt: skip


def _inside(layout: Layout, x: float, text: str) -> bool:
    half = _width(text, layout.small_px) / 2
    return half <= x <= layout.width - half


@lru_cache(8)
def _font(size_px: int) -> Font:
    return ImageFont.load_default(size_px)


def _width(text: str, size_px: int) -> int:
    return int(np.ceil(_font(size_px).getlength(text)))


def _flat(colour: tuple[int, int, int], height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), colour, dtype=np.uint8)


def _even(side: float) -> int:
    return 2 * round(side / 2)
