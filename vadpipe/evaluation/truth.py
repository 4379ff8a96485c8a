"""Frame-level ground truth of test videos, and its CSV file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vadpipe.errors import UsageError
from vadpipe.features.ranges import runs_of_true
from vadpipe.files.atomic import write_text
from vadpipe.files.csv_rows import read_rows
from vadpipe.files.given_tables import GivenTable, Row

_COLUMNS = ("video", "frames", "anomalies", "class", "group")
_NEEDED = _COLUMNS[:3]
_RANGE = re.compile(r"([0-9]{1,15}):([0-9]{1,15})")
_FORM = "Write ranges as START:STOP, from 0 and without STOP, separated by blanks: 60:180 200:240."


@dataclass(frozen=True)
class Truth:
    """The anomalous frames of a test video.

    Attributes:
        video: its name, with ``/``, as the list spells it.
        n_frames: how many frames the list says that it has, N.
        anomalies: half-open ranges [start, stop) of anomalous frames, sorted, disjoint, within [0, N);
            two that touch are two events. Empty for a normal video.
        category: its class, such as ``"Abuse"``; several with ``+`` between them; or None if the list
            knows none.
        group: the scene or recording that it belongs to; None if it has none.

    Raises:
        UsageError: if the name is empty, a text holds a line break, there are no frames, or a range is
            empty, out of order, overlaps another or ends after the last frame.
    """

    video: str
    n_frames: int
    anomalies: tuple[tuple[int, int], ...]
    category: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        if not self.video:
            raise UsageError("a video has no name")
        for text in filter(None, (self.video, self.category, self.group)):
            if text.splitlines() != [text]:  # not every reader of CSV takes these
                raise UsageError(f"{text!r} contains a line break")
        if self.n_frames < 1:
            raise UsageError(f"{self.video!r} has {self.n_frames} frames", next_step="Give 1 or more.")
        before = 0
        for start, stop in self.anomalies:
            if not 0 <= start < stop:
                raise UsageError(f"the range {start}:{stop} of {self.video!r} is empty", next_step=_FORM)
            if start < before:
                raise UsageError(
                    f"the range {start}:{stop} of {self.video!r} begins before the previous one ends",
                    next_step="Sort the ranges, and join those that overlap.",
                )
            if stop > self.n_frames:
                raise UsageError(
                    f"the range {start}:{stop} of {self.video!r} ends after its {self.n_frames} frames",
                    next_step=_FORM,
                )
            before = stop

    @classmethod
    def of_frames(
        cls, video: str, marks: ArrayLike, *, category: str | None = None, group: str | None = None
    ) -> Truth:
        """Return the truth of a video of which (N,) marks say which frames are anomalous, 1 or True.

        Raises:
            UsageError: as the class does.
        """
        anomalous = np.asarray(marks, dtype=np.bool_)
        pairs = tuple((start, stop) for start, stop in runs_of_true(anomalous).tolist())
        return cls(video, len(anomalous), pairs, category, group)

    @property
    def abnormal(self) -> bool:
        """Whether any frame is anomalous."""
        return bool(self.anomalies)

    @property
    def categories(self) -> tuple[str, ...]:
        """Each of its classes; empty if the list has none."""
        return tuple(filter(None, (self.category or "").split("+")))

    def frames(self) -> NDArray[np.bool_]:
        """Return (N,) bool, True on anomalous frames."""
        marks = np.zeros(self.n_frames, dtype=np.bool_)
        for start, stop in self.anomalies:
            marks[start:stop] = True
        return marks

    def first(self, n_frames: int) -> Truth:
        """Return the truth about the first ``n_frames`` frames, from 1 to N."""
        kept = [(start, min(stop, n_frames)) for start, stop in self.anomalies if start < n_frames]
        return replace(self, n_frames=n_frames, anomalies=tuple(kept))


def read_truth(path: Path | GivenTable) -> list[Truth]:
    """Read a CSV ``video,frames,anomalies[,class][,group]``, one line per video, in its order.

    ``anomalies`` holds ranges such as ``60:180 200:240``, half-open and counted from 0, and is empty for
    a normal video. Empty fields of ``class`` and ``group`` are unknown.

    Raises:
        UsageError: naming file and line, where the file cannot be read, lacks a column or has an unknown
            one, a number or range is invalid, or a video occurs twice.
    """
    truths: dict[str, Truth] = {}
    for line, row in _rows(path):
        try:
            truth = _parse(row)
        except UsageError as error:
            raise UsageError(f"line {line}: {error.reason}", file=path, next_step=error.next_step) from error
        if truth.video in truths:
            raise UsageError(f"line {line}: {truth.video!r} occurs twice", file=path)
        truths[truth.video] = truth
    return list(truths.values())


def write_truth(path: Path, truths: Iterable[Truth]) -> None:
    """Write what :func:`read_truth` reads, atomically; ``class`` and ``group`` only where one is known.

    Raises:
        OutputError: if it cannot be written.
    """
    truths = list(truths)
    columns = [
        *_NEEDED,
        *["class"] * any(truth.category is not None for truth in truths),
        *["group"] * any(truth.group is not None for truth in truths),
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for truth in truths:
        ranges = " ".join(f"{start}:{stop}" for start, stop in truth.anomalies)
        fields = (truth.video, truth.n_frames, ranges, truth.category or "", truth.group or "")
        writer.writerow(dict(zip(_COLUMNS, fields, strict=True)))
    write_text(path, text.getvalue())


def _rows(path: Path | GivenTable) -> list[tuple[int, Row]]:
    """Return (line, fields) of each row; fields that a short row lacks are empty."""
    columns, rows = read_rows(path)
    header = ",".join(_NEEDED)
    if not set(_NEEDED) <= set(columns) <= set(_COLUMNS) or len(set(columns)) < len(columns):
        raise UsageError(f"needs a first line {header}, with class and group where known", file=path)
    if not rows:
        raise UsageError("has no videos below its first line", file=path)
    for line, row in rows:
        if None in row:  # where DictReader puts what is too much
            raise UsageError(f"line {line}: has more fields than the first line", file=path, next_step=_FORM)
    return rows


def _parse(row: Row) -> Truth:
    """Return the truth of a row. Raises UsageError if a field is invalid."""
    video, frames = row["video"].strip(), row["frames"].strip()
    if not re.fullmatch("[0-9]{1,15}", frames):
        raise UsageError(f"{video!r} has {frames!r} frames", next_step="Give a whole number.")
    ranges = []
    for part in row["anomalies"].split():
        match = _RANGE.fullmatch(part)
        if match is None:
            raise UsageError(f"{part!r} is not a range of frames", next_step=_FORM)
        ranges.append((int(match[1]), int(match[2])))
    category, group = (row.get(name, "").strip() or None for name in ("class", "group"))
    return Truth(video, int(frames), tuple(ranges), category, group)
