"""A joined array: the frames of all test videos in a row, as projects publish their truth (``gt.npy``)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.truth import Truth
from vadpipe.errors import UsageError
from vadpipe.extract.video.names import match
from vadpipe.features.folder import FeatureFolder
from vadpipe.features.sampling import SNIPPET_FRAMES

LIST_SUFFIXES = (".txt", ".list")
_NAMED = 3


def read_joined(path: Path, features: Path | None = None, names: Path | None = None) -> list[Annotation]:
    """Return the truth of each video of a joined array.

    Args:
        path: array of numbers 0 and 1, one per frame of all videos, in the order of the list.
        features: folder of features that says how many frames a video has, where the list does not. Arrays
            that count whole snippets of 16 frames only, rounded up or down, are recognised by their length.
        names: list of the videos, a line ``NAME`` or ``NAME@FRAMES`` each; by default the file beside the
            array with the same name and the suffix ``.txt`` or ``.list``.

    Raises:
        UsageError: if a file cannot be read, holds something else, or the lengths do not add up.
    """
    marks = _read_marks(path)
    listed = _read_names(names or _list_beside(path))
    lengths = _lengths(path, listed, len(marks), features)
    edges = np.cumsum([0, *lengths])
    found: list[Annotation] = []
    for line, ((video, _), start, stop) in enumerate(zip(listed, edges, edges[1:], strict=False), 1):
        truth = Truth.of_frames(video, marks[start:stop])
        found.append(Annotation.of_truth(truth, line))
    return found


def _read_marks(path: Path) -> NDArray[np.bool_]:
    try:
        # Mapped: no memory is taken for a shape that the file only claims.
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise UsageError(f"is not a readable array: {error}", file=path) from error
    array = np.atleast_1d(np.squeeze(array))
    if array.ndim != 1 or array.dtype.kind not in "buif" or not np.isin(array, (0, 1)).all():
        raise UsageError(
            f"holds {array.dtype} of shape {array.shape}, not a row of 0 and 1 per frame", file=path
        )
    return np.asarray(array, dtype=np.bool_)


def _list_beside(path: Path) -> Path:
    beside = [path.with_suffix(suffix) for suffix in LIST_SUFFIXES]
    for candidate in beside:
        if candidate.is_file():
            return candidate
    raise UsageError(
        "has no list of its videos beside it",
        file=path,
        next_step=f"Write their names, in the array's order and one per line, to {beside[0].name} beside it.",
    )


def _read_names(path: Path) -> list[tuple[str, int | None]]:
    """Return the name of each video in a list, and its number of frames if that is given."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read as a list of names: {error}", file=path) from error
    found: list[tuple[str, int | None]] = []
    for line in filter(None, map(str.strip, lines)):
        match = re.fullmatch(r"(.+?)(?:@([0-9]{1,12}))?", line)
        assert match is not None
        found.append((match[1].removesuffix(".npy"), int(match[2]) if match[2] else None))
    if not found:
        raise UsageError("is empty", file=path, next_step="Write the name of one video per line.")
    name, count = Counter(name for name, _ in found).most_common(1)[0]
    if count > 1:
        raise UsageError(f"names {name!r} twice", file=path)
    return found


def _lengths(
    path: Path, listed: Sequence[tuple[str, int | None]], n_marks: int, features: Path | None
) -> list[int]:
    """Return how many frames of the array each video has."""
    stated = [count for _, count in listed if count is not None]
    if len(stated) < len(listed):
        stated = _lengths_in(path, [name for name, _ in listed], features)
    roundings = {
        "": stated,
        "rounded down to snippets": [count // SNIPPET_FRAMES * SNIPPET_FRAMES for count in stated],
        "rounded up to snippets": [-(-count // SNIPPET_FRAMES) * SNIPPET_FRAMES for count in stated],
    }
    for counts in roundings.values():
        if sum(counts) == n_marks and min(counts) > 0:
            return counts
    sums = ", ".join(f"{sum(counts)} {how}".strip() for how, counts in roundings.items())
    raise UsageError(
        f"has {n_marks} frames, but its {len(listed)} videos have {sums}",
        file=path,
        next_step="Check the order and number of the names, or write NAME@FRAMES in their list.",
    )


def _lengths_in(path: Path, names: list[str], features: Path | None) -> list[int]:
    counts: dict[str, int] = {}
    if features is not None:
        headers = FeatureFolder(features).headers(lambda _file, _error: None)
        counts = {header.source.video: header.n_frames for _, header in headers}
    found = match(names, counts).found
    missing = [name for name in names if name not in found]
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise UsageError(
            f"cannot be parted: {', '.join(missing[:_NAMED])}{more} have no features to tell their length",
            file=path,
            next_step="Pass the folder of features of all its videos, or write NAME@FRAMES in their list.",
        )
    return [counts[found[name]] for name in names]
