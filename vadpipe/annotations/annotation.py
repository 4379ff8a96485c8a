"""What a sheet says about one video."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vadpipe.annotations.columns import Unit
from vadpipe.annotations.time_ranges import DAY_TIMES
from vadpipe.annotations.truth import Truth, check_ranges
from vadpipe.errors import FeatureError, UsageError

LATE_S = 1.0
"""By how much a range in seconds may exceed the end of its video: people note whole seconds."""

_HOUR_S = 3600


@dataclass(frozen=True)
class Annotation:
    """What a sheet says about one video, before the times of its frames are known.

    Attributes:
        video: its name, as the sheet spells it.
        abnormal: its label, or whether it has ranges; None if neither is known.
        n_frames: how many frames the sheet says that it has, or None.
        ranges: half-open ranges [start, end) in which something abnormal happens, sorted and disjoint.
        unit: of the ranges.
        category: its class; several with ``+`` between them; or None.
        group: its scene group, or None.
        line: of the sheet, where it stands first.

    Raises:
        UsageError: if the name is empty, a text holds a line break, there are no frames, or ranges are
            empty, out of order, overlap, or end after the last frame.
    """

    video: str
    abnormal: bool | None = None
    n_frames: int | None = None
    ranges: tuple[tuple[float, float], ...] = ()
    unit: Unit = "frames"
    category: str | None = None
    group: str | None = None
    line: int = 0

    def __post_init__(self) -> None:
        n_frames = self.n_frames if self.unit == "frames" else None
        check_ranges(self.video, self.ranges, n_frames, "s" if self.unit == "seconds" else "")
        self._truth(1 if self.n_frames is None else self.n_frames, ())  # checks the rest

    @property
    def untimed(self) -> bool:
        """Whether something abnormal happens, but the sheet does not say when."""
        return bool(self.abnormal) and not self.ranges

    @property
    def stated(self) -> bool:
        """Whether the sheet alone says the truth about each frame."""
        return self.n_frames is not None and (self.unit == "frames" or not self.ranges)

    @classmethod
    def of_truth(cls, truth: Truth, line: int = 0) -> Annotation:
        """Return what a truth says, in frames."""
        return cls(
            truth.video,
            truth.abnormal,
            truth.n_frames,
            truth.anomalies,
            "frames",
            truth.category,
            truth.group,
            line,
        )

    def written_ranges(self) -> str:
        """Return its ranges in our own form, which says the unit: ``60:180`` or ``3.4s:5.9s``."""
        if self.unit == "frames":
            return " ".join(f"{start:.0f}:{stop:.0f}" for start, stop in self.ranges)
        return " ".join(f"{_decimal(start)}s:{_decimal(stop)}s" for start, stop in self.ranges)

    def truth(self, times_s: NDArray[np.float64], end_s: float) -> Truth:
        """Return the truth about the frames of the video.

        A range in seconds begins and ends at the nearest boundary between frames, and has a frame at least.
        Where the sheet does not say how many frames there are, there are as many as are given here, or as
        its last range needs.

        Args:
            times_s: (N,) float64, presentation time of each frame.
            end_s: when the last of them ends.

        Raises:
            FeatureError: if a range begins after the video, or ends more than :data:`LATE_S` after it.
        """
        if self.unit == "frames":
            ranges = tuple((int(start), int(stop)) for start, stop in self.ranges)
        else:
            ranges = self._in_frames(np.append(times_s, end_s))
        last = max((stop for _, stop in ranges), default=1)
        return self._truth(self.n_frames or max(len(times_s), last), ranges)

    def stated_truth(self) -> Truth:
        """Return the truth where the sheet alone says it, in frames and with their number.

        Raises:
            UsageError: if it does not.
        """
        if self.n_frames is None or not self.stated:
            raise UsageError(
                f"line {self.line}: {self.video!r} needs the features or the video, to know its frames",
                next_step="'vadpipe labels check SHEET --features DIR --fix FILE' writes ranges of frames.",
            )
        return self._truth(self.n_frames, tuple((int(start), int(stop)) for start, stop in self.ranges))

    def _truth(self, n_frames: int, ranges: tuple[tuple[int, int], ...]) -> Truth:
        return Truth(self.video, n_frames, ranges, self.category, self.group)

    def _in_frames(self, edges_s: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
        n_frames, end_s = len(edges_s) - 1, float(edges_s[-1])
        found: list[tuple[int, int]] = []
        for start_s, stop_s in self.ranges:
            if start_s >= max(end_s, _HOUR_S):
                raise FeatureError(
                    f"the range {_clock(start_s)} to {_clock(stop_s)} of {self.video!r} begins after its "
                    f"{end_s:.2f} s: {DAY_TIMES}",
                    next_step="Subtract the time of day at which the video starts.",
                )
            if start_s >= end_s or stop_s > end_s + LATE_S:
                raise FeatureError(
                    f"the range {start_s:g} s to {stop_s:g} s of {self.video!r} ends after its {end_s:.2f} s",
                    next_step="Correct the sheet. Whole numbers that are frames need a column named "
                    "start_frame, or no other cell with times.",
                )
            start = min(max(nearest_edge(edges_s, start_s), found[-1][1] if found else 0), n_frames)
            stop = min(max(nearest_edge(edges_s, stop_s), start + 1), n_frames)
            if start < stop:
                found.append((start, stop))
        return tuple(found)


def _clock(time_s: float) -> str:
    """Return a time as ``hours:minutes:seconds``, in whole seconds."""
    minutes, seconds = divmod(int(time_s), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def nearest_edge(edges_s: NDArray[np.float64], time_s: float) -> int:
    """Return the index of the boundary between frames that is nearest to a time; the earlier of two."""
    return int(np.argmin(np.abs(edges_s - time_s)))


def merged(rows: list[Annotation]) -> Annotation:
    """Return one annotation of the events of a video, one a row; those that overlap become one.

    Raises:
        UsageError: if rows contradict each other in the number of frames or the group.
    """
    first = rows[0]
    for name, what in (("n_frames", "numbers of frames"), ("group", "groups")):
        values = {getattr(row, name) for row in rows} - {None}
        if len(values) > 1:
            raise UsageError(f"line {rows[-1].line}: {first.video!r} has several {what}: {_listed(values)}")
        if values:
            first = replace(first, **{name: values.pop()})
    ranges: list[tuple[float, float]] = []
    for start, stop in sorted(span for row in rows for span in row.ranges):
        if ranges and start < ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(stop, ranges[-1][1]))
        else:
            ranges.append((start, stop))
    classes = dict.fromkeys(name for row in rows if row.category for name in row.category.split("+"))
    known = [row.abnormal for row in rows if row.abnormal is not None]
    return replace(
        first,
        abnormal=any(known) if known else None,
        ranges=tuple(ranges),
        category="+".join(classes) or None,
    )


def _decimal(time_s: float) -> str:
    return f"{time_s:.6f}".rstrip("0").rstrip(".")


def _listed(values: set[object]) -> str:
    return ", ".join(sorted(map(str, values)))
