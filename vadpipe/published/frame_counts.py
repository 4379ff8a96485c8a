"""How many frames the videos of published features have, from the lists that data sets come with."""

from __future__ import annotations

import csv
import re
from pathlib import Path, PurePosixPath

from vadpipe.errors import FeatureError, UsageError
from vadpipe.extract.decode.container import SUFFIXES

MAX_FRAMES = 20_000_000
"""Of one video: more than a week of 30 frames a second."""

TAILS = ("_x264", "_i3d", "_c3d", "_rgb", "_flow", "_features", "_feature", "_feat")
"""Ends of names that say how a video was encoded or what was made of it, not which one it is."""

_LINE = re.compile(r"(?P<name>.*\S)(?:\s*[@,;]\s*|\s+)(?P<frames>\d+)")


class FrameCounts:
    """The frames of each video that a list names.

    A line is ``name@frames`` (the lists of UCF-Crime and XD-Violence), ``name frames`` or ``name,frames``;
    or the file is a CSV whose first line has ``video`` and ``frames`` among its columns.

    A name means a video whatever its suffix and :data:`TAILS`: ``Abuse028`` is ``Abuse028_x264_i3d``, and the
    ``Normal003`` of UCF-Crime's list is its ``Normal_Videos_003_x264``. Folders count as far as both names
    have them, from the innermost outwards.

    Args:
        path: the list, in UTF-8.

    Raises:
        UsageError: where it cannot be read, or a line has no name and number of frames.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for number, (name, frames) in _lines(path):
            if not frames.isdecimal() or not 1 <= int(frames[:12]) <= MAX_FRAMES:
                raise UsageError(
                    f"line {number}: {frames!r} is no number of frames from 1 to {MAX_FRAMES}", file=path
                )
            *folders, last = PurePosixPath(name).parts or ("",)
            self._known.setdefault(_bare(last), []).append((tuple(folders), int(frames)))
        if not self._known:
            raise UsageError("names no video", file=path, next_step=_FORM)

    def of(self, video: str) -> int:
        """Return N, the frames of a video.

        Args:
            video: its name with ``/``, such as ``UCF_Test/Abuse/Abuse028_x264_i3d``.

        Raises:
            FeatureError: where the list does not name it, or gives it several numbers.
        """
        *folders, last = PurePosixPath(video).parts
        agreed = [
            (min(len(named), len(folders)), frames)
            for named, frames in self._known.get(_bare(last), [])
            if all(a == b for a, b in zip(reversed(named), reversed(folders), strict=False))
        ]
        most = max((depth for depth, _ in agreed), default=0)
        counts = sorted({frames for depth, frames in agreed if depth == most})
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
            next_step="Add a line NAME@FRAMES, or leave out --frame-counts.",
        )


_FORM = "Write a line NAME@FRAMES for each video, or a CSV with the columns video,frames."


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
                f"line {number}: {line[:60]!r} is no name with a number", file=path, next_step=_FORM
            )
    return found


def _bare(name: str) -> str:
    """Return the part of a name that says which video it is."""
    name = re.sub(r"__\d$", "", name)  # the number of a crop
    shorter = name
    for tail in (*SUFFIXES, *TAILS):
        if shorter.lower().endswith(tail) and len(shorter) > len(tail):
            shorter = shorter[: -len(tail)]
    if shorter != name:
        return _bare(shorter)
    return re.sub(r"^Normal_Videos_?(?=\d)", "Normal", name)
