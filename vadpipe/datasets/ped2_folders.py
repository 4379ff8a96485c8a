"""UCSD Ped2 as it was published: a folder of pictures for each clip, and a MATLAB file of anomalous frames.

::

    UCSDped2/Train/Train001/001.tif …
    UCSDped2/Test/Test001/001.tif …
    UCSDped2/Test/UCSDped2.m          TestVideoFile{end+1}.gt_frame = [61:180];

The n-th entry of the MATLAB file is about the n-th folder of ``Test``. It is read as text, never evaluated.
"""

from __future__ import annotations

import re
from pathlib import Path

from vadpipe.datasets import reading
from vadpipe.errors import InputError, UsageError
from vadpipe.extract.decode.image_folder import list_images
from vadpipe.truth import Truth

_ENTRY = re.compile(r"TestVideoFile\s*\{\s*end\s*\+\s*1\s*\}\s*\.\s*gt_frame\s*=\s*\[([^\]]*)\]\s*;?")
_FIRST = re.compile(r"TestVideoFile\s*=\s*\{\s*\}\s*;?")
_RANGE = re.compile(r"([0-9]{1,15})(?::([0-9]{1,15}))?")
_FORM = "an entry such as TestVideoFile{end+1}.gt_frame = [61:180];"


def read_folders(path: Path, notes: list[str]) -> list[Truth]:
    """Return the frames of all clips, those of ``Train`` first.

    Args:
        path: the MATLAB file, in the folder of the test clips.
        notes: receives what was settled.

    Raises:
        UsageError: where the file is not such a list, a folder is missing, or their numbers differ.
    """
    test = path.absolute().parent
    train = test.parent / "Train"
    entries = _read_entries(path)
    folders = _clips_in(test, "Test")
    if len(folders) != len(entries):
        reason = f"has {len(entries)} entries for the {len(folders)} test clips beside it"
        raise UsageError(reason, file=path, next_step="Fetch the data set again, all of it.")
    truths = [Truth(f"Train/{folder.name}", _n_frames(folder), ()) for folder in _clips_in(train, "Train")]
    for folder, ranges in zip(folders, entries, strict=True):
        name, n_frames = f"Test/{folder.name}", _n_frames(folder)
        truths.append(Truth(name, n_frames, reading.within(ranges, n_frames, name, notes)))
    return truths


def _read_entries(path: Path) -> list[tuple[reading.Range, ...]]:
    entries = []
    for number, line in reading.read_lines(path):
        text = line.partition("%")[0].strip()
        if not text or _FIRST.fullmatch(text):
            continue
        entry = _ENTRY.fullmatch(text)
        ranges = None if entry is None else _parse_ranges(entry[1])
        if ranges is None:
            raise reading.broken(path, number, line, _FORM)
        entries.append(ranges)
    if not entries:
        raise UsageError(f"holds no line that is {_FORM}", file=path, next_step="Fetch it again.")
    return entries


def _parse_ranges(text: str) -> tuple[reading.Range, ...] | None:
    """Return MATLAB's ranges, which count from 1 and include the last, as half-open ones from 0; or None."""
    ranges = []
    for part in text.replace(",", " ").split():
        match = _RANGE.fullmatch(part)
        if match is None:
            return None
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last:
            return None
        ranges.append((first - 1, last))
    return tuple(ranges)


def _clips_in(folder: Path, prefix: str) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if re.fullmatch(rf"{prefix}[0-9]+", path.name)]
    except OSError as error:
        step = "The data set has Train and Test beside each other."
        raise UsageError(f"cannot be searched: {error.strerror}", file=folder, next_step=step) from error
    if not found:
        raise UsageError(f"holds no folders {prefix}001 and so on", file=folder)
    return sorted(found)


def _n_frames(folder: Path) -> int:
    try:
        return len(list_images(folder))
    except InputError as error:
        raise UsageError(error.reason, file=folder, next_step=error.next_step) from error
