"""Shared parsing of lists: lines, frame ranges, and names across files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vadpipe.datasets.dataset import shortlist
from vadpipe.errors import UsageError
from vadpipe.extract.video.names import match
from vadpipe.published.frame_counts import read_frame_counts

Range = tuple[int, int]
Marks = NDArray[np.bool_]
"""True on the anomalous frames of a video, (N,)."""

T = TypeVar("T")


def read_text(path: Path) -> str:
    """Read a file in UTF-8, with or without a byte order mark. Raises UsageError if that fails."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror or error}", file=path) from error
    except UnicodeDecodeError as error:
        raise UsageError("is not text in UTF-8", file=path) from error


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that are not blank, stripped, each with its number from 1.

    Raises:
        UsageError: if the file cannot be read or holds none.
    """
    lines = [
        (number, line.strip())
        for number, line in enumerate(read_text(path).splitlines(), start=1)
        if line.strip()
    ]
    if not lines:
        raise UsageError("is empty", file=path, next_step="Download it again.")
    return lines


def broken(path: Path, line: int, text: str, form: str) -> UsageError:
    """Return the error for a malformed line."""
    step = "Correct the line, or download the file again."
    return UsageError(f"line {line}: {text[:80]!r} is not {form}", file=path, next_step=step)


def keyed(rows: Iterable[tuple[int, str, T]], path: Path, notes: list[str]) -> dict[str, T]:
    """Return the value of each name; a name with the same value on two lines is noted.

    Args:
        rows: line, name and value.
        path: the file that they come from.
        notes: receives what was resolved.

    Raises:
        UsageError: if a name has two values.
    """
    values: dict[str, T] = {}
    for line, name, value in rows:
        if name in values:
            if values[name] != value:
                raise UsageError(f"line {line}: contradicts an earlier line about {name!r}", file=path)
            notes.append(f"{path.name} names {name} again on line {line}; used once")
        values[name] = value
    return values


def paired(wanted: Sequence[str], names: Iterable[str], path: Path, notes: list[str]) -> dict[str, str]:
    """Return how a file spells each of the names, and note unexpected names.

    Names are matched by :mod:`vadpipe.extract.video.names`.

    Raises:
        UsageError: if one is missing in the file, or fits several of its names.
    """
    result = match(wanted, names)
    if result.missing:
        n, shown = len(result.missing), shortlist(result.missing)
        reason = f"does not name {n:,} of {len(wanted):,} videos: {shown}"
        raise UsageError(reason, file=path, next_step="Download the files again, all of one version.")
    for name, fits in result.ambiguous.items():
        reason = f"has several names that may mean {name!r}: {', '.join(fits)}"
        raise UsageError(reason, file=path, next_step="Keep only one of them in the file.")
    if result.superfluous:
        n, shown = len(result.superfluous), shortlist(result.superfluous)
        notes.append(f"{path.name} names {n:,} unexpected videos; omitted: {shown}")
    return result.found


def read_counts(path: Path, notes: list[str]) -> dict[str, int]:
    """Return the number of frames by name. Raises UsageError if the list cannot be used."""
    return keyed(read_frame_counts(path), path, notes)


def parse_ranges(fields: Sequence[str]) -> tuple[Range, ...] | None:
    """Return the half-open ranges of pairs ``start stop``, or None if they are invalid.

    The pair ``-1 -1`` stands for no range.
    """
    if len(fields) % 2 or not all(re.fullmatch(r"-1|[0-9]{1,15}", field) for field in fields):
        return None
    numbers = [int(field) for field in fields]
    pairs = [pair for pair in zip(numbers[::2], numbers[1::2], strict=True) if pair != (-1, -1)]
    return tuple(pairs) if all(0 <= start < stop for start, stop in pairs) else None


def within(ranges: Iterable[Range], n_frames: int, video: str, notes: list[str]) -> tuple[Range, ...]:
    """Return ranges that are sorted, do not overlap, and end with the video; what was changed is noted."""
    kept: list[Range] = []
    for start, stop in sorted(ranges):
        if stop > n_frames:
            done = "left out" if start >= n_frames else "cut there"
            notes.append(f"{video}: {start} to {stop} ends after its {n_frames} frames; {done}")
        if kept and start < kept[-1][1]:
            notes.append(f"{video}: {start} to {stop} overlaps the range before it; joined")
            kept[-1] = kept[-1][0], min(max(kept[-1][1], stop), n_frames)
        elif start < n_frames:
            kept.append((start, min(stop, n_frames)))
    return tuple(kept)
