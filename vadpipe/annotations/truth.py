"""Frame-level ground truth of test videos, and the CSV in which it is kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vadpipe.errors import UsageError
from vadpipe.features.ranges import runs_of_true
from vadpipe.files.atomic import write_text

_COLUMNS = ("video", "frames", "anomalies", "class", "group")
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
        check_ranges(self.video, self.anomalies, self.n_frames)

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


def check_ranges(
    video: str, ranges: Sequence[tuple[float, float]], n_frames: int | None = None, unit: str = ""
) -> None:
    """Check that ranges are not empty, in order, disjoint, and within the first ``n_frames`` frames.

    Raises:
        UsageError: naming the video and the range, in this unit, if not.
    """
    before = 0.0
    for start, stop in ranges:
        shown = f"{start:.10g}{unit}:{stop:.10g}{unit}"
        if not 0 <= start < stop:
            raise UsageError(f"the range {shown} of {video!r} is empty", next_step=_FORM)
        if start < before:
            raise UsageError(
                f"the range {shown} of {video!r} begins before the previous one ends",
                next_step="Sort the ranges, and join those that overlap.",
            )
        if n_frames is not None and stop > n_frames:
            raise UsageError(
                f"the range {shown} of {video!r} ends after its {n_frames} frames", next_step=_FORM
            )
        before = stop


def write_truth(path: Path, truths: Iterable[Truth]) -> None:
    """Write ``video,frames,anomalies[,class][,group]``, atomically; the last two only where one is known.

    Raises:
        OutputError: if it cannot be written.
    """
    truths = list(truths)
    columns = [
        *_COLUMNS[:3],
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
