"""Frame counts of videos, from the lists that come with data sets."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from vadpipe.errors import FeatureError, UsageError
from vadpipe.extract.video.names import Names

MAX_FRAMES = 20_000_000
"""Of one video: more than a week of 30 frames per second."""

_LINE = re.compile(r"(?P<name>.*\S)(?:\s*[@,;]\s*|\s+)(?P<frames>\d+)")


class FrameCounts:
    """The frames of each video that a list names.

    A video is found whatever its suffix and folders, see :mod:`vadpipe.extract.video.names`: ``Abuse028`` is
    ``Abuse028_x264_i3d``, and the ``Normal003`` of UCF-Crime's list is its ``Normal_Videos_003_x264``.

    Args:
        path: the list, as :func:`read_frame_counts` reads it.

    Raises:
        UsageError: if it cannot be read, or a line has no name and number of frames.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts: dict[str, set[int]] = {}
        for _, name, frames in read_frame_counts(path):
            self._counts.setdefault(name, set()).add(frames)
        self._names = Names(self._counts)

    def of(self, video: str) -> int:
        """Return N, the frames of a video.

        Args:
            video: its name with ``/``, such as ``UCF_Test/Abuse/Abuse028_x264_i3d``.

        Raises:
            FeatureError: if the list does not name it, or gives it several numbers.
        """
        counts = sorted({frames for name in self._names.find(video) for frames in self._counts[name]})
        if len(counts) == 1:
            return counts[0]
        if counts:
            reason = f"has several numbers of frames in {self._path}: {', '.join(map(str, counts))}"
            raise FeatureError(
                reason, file=video, next_step="Name the folders of that video in the list too."
            )
        raise FeatureError(
            f"has no number of frames in {self._path}",
            file=video,
            next_step="Add a line NAME@FRAMES, or omit --frame-counts.",
        )


_FORM = "Write a line NAME@FRAMES for each video, or a CSV with the columns video,frames."


def read_frame_counts(path: Path) -> list[tuple[int, str, int]]:
    """Return the number of each line of a list, and the name and the frames on it, in its order.

    A line is ``name@frames`` (the lists of UCF-Crime and XD-Violence), ``name frames`` or ``name,frames``;
    or the file is a CSV whose first line has ``video`` and ``frames`` among its columns.

    Args:
        path: the list, in UTF-8.

    Raises:
        UsageError: if it cannot be read, or a line has no name and number of frames.
    """
    counts: list[tuple[int, str, int]] = []
    for number, (name, frames) in _lines(path):
        if not frames.isdecimal() or not 1 <= int(frames[:12]) <= MAX_FRAMES:
            raise UsageError(
                f"line {number}: {frames!r} is not a number of frames from 1 to {MAX_FRAMES}", file=path
            )
        counts.append((number, name, int(frames)))
    if not counts:
        raise UsageError("names no video", file=path, next_step=_FORM)
    return counts


def _lines(path: Path) -> list[tuple[int, tuple[str, str]]]:
    """Return the number of each line with the name and the frames on it."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror or error}", file=path) from error
    except UnicodeDecodeError as error:
        raise UsageError("is not text in UTF-8", file=path, next_step=_FORM) from error
    columns = [column.strip() for column in lines[0].split(",")] if lines else []
    if {"video", "frames"} <= {*columns}:
        rows = csv.DictReader(lines[1:], columns, restval="", skipinitialspace=True)
        return [(rows.line_num + 1, (row["video"].strip(), row["frames"].strip())) for row in rows]
    found: list[tuple[int, tuple[str, str]]] = []
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line.strip())
        if match:
            found.append((number, (match["name"], match["frames"])))
        elif line.strip():
            raise UsageError(
                f"line {number}: {line[:60]!r} is not a name with a number", file=path, next_step=_FORM
            )
    return found
