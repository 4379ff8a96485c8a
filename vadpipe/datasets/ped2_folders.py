"""UCSD Ped2 as it is published: a folder of pictures for each clip, and a MATLAB file of ranges.

::

    UCSDped2/Train/Train001/001.tif ...    16 clips
    UCSDped2/Test/Test001/001.tif ...      12 clips
    UCSDped2/Test/Test001_gt/001.bmp ...   masks of some of them, which are not read
    UCSDped2/Test/UCSDped2.m               anomalous frames: the n-th entry is about the n-th test clip

The MATLAB file is read as text. Nothing in it is evaluated: whatever is not a list of frames such as
``[61:180]`` or ``[1:50, 100:120]`` is refused. It counts frames from 1 and includes the last one of a range.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vadpipe.annotations.truth import Truth
from vadpipe.datasets import parsing
from vadpipe.datasets.dataset import shortlist
from vadpipe.errors import InputError, UsageError
from vadpipe.extract.video.image_folder import list_images

_BEGIN = re.compile(r"TestVideoFile\s*=\s*\{\s*\}\s*;?")
_ENTRY = re.compile(r"TestVideoFile\s*\{\s*end\s*\+\s*1\s*\}\s*\.\s*gt_frame\s*=\s*\[([^\[\]]*)\]\s*;?")
_FRAMES = re.compile(r"([0-9]{1,15})(?::([0-9]{1,15}))?")
_ENTRY_FORM = "an entry such as TestVideoFile{end+1}.gt_frame = [1:50, 100:120];"
_UNPACK = "Unpack the published archive again."


@dataclass(frozen=True)
class _Entry:
    """The anomalous frames of a test clip, as half-open ranges from 0, and the line that they are on."""

    line: int
    ranges: tuple[parsing.Range, ...]


def read_folders(ranges: Path, notes: list[str]) -> list[Truth]:
    """Return the frames of all clips, training before test, each in the order of their numbers.

    Clips are called ``Train/Train001`` and ``Test/Test001``. They have as many frames as there are pictures.

    Args:
        ranges: the MATLAB file, with the test clips beside it and ``Train`` beside its folder.
        notes: receives what was omitted.

    Raises:
        UsageError: naming file and line, where a folder or the file is missing or cannot be used, or they do
            not fit each other.
    """
    entries = _read_entries(ranges)
    folder = ranges.absolute().parent
    test, training = _clips(folder, "Test", notes), _clips(folder.parent / "Train", "Train", notes)
    _check_numbers(ranges, len(entries), [*test])
    truths = [Truth(f"Train/{clip.name}", _count_pictures(clip), ()) for clip in training.values()]
    return truths + [_truth(ranges, *item) for item in zip(entries, test.values(), strict=True)]


def _truth(ranges: Path, entry: _Entry, clip: Path) -> Truth:
    """Return the frames of a test clip. Raises UsageError if its entry counts more than there are."""
    marks = np.zeros(_count_pictures(clip), dtype=np.bool_)
    for start, stop in entry.ranges:
        if stop > len(marks):
            reason = (
                f"line {entry.line}: {start + 1}:{stop} ends after the {len(marks)} pictures of {clip.name}"
            )
            raise UsageError(reason, file=ranges, next_step=_UNPACK)
        marks[start:stop] = True
    return Truth.of_frames(f"Test/{clip.name}", marks)


def _read_entries(path: Path) -> list[_Entry]:
    """Return the entries of a MATLAB file. Raises UsageError if it holds anything else."""
    lines = [(line, text.partition("%")[0].strip()) for line, text in _without_blocks(path)]
    statements = [(line, text) for line, text in lines if text]
    if not statements:
        raise UsageError("has no ranges, only comments", file=path, next_step=_UNPACK)
    (line, text), *rest = statements
    if not _BEGIN.fullmatch(text):
        raise parsing.broken(path, line, text, "TestVideoFile = {};, with which such a file begins")
    if not rest:
        raise UsageError("has no ranges", file=path, next_step=_UNPACK)
    return [_entry(path, line, text) for line, text in rest]


def _without_blocks(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a file. Raises UsageError if a block of them is a comment."""
    lines = parsing.read_lines(path)
    for line, text in lines:
        if text == "%{":  # up to a line %}; what is between them must not count
            raise parsing.broken(path, line, text, f"a comment on one line or {_ENTRY_FORM}")
    return lines


def _entry(path: Path, line: int, text: str) -> _Entry:
    match = _ENTRY.fullmatch(text)
    if match is None:
        raise parsing.broken(path, line, text, _ENTRY_FORM)
    frames = re.sub(r"\s*:\s*", ":", match[1].strip())
    ranges = []
    for part in re.split(r"\s*,\s*|\s+", frames) if frames else []:
        numbers = _FRAMES.fullmatch(part)
        first, last = (int(numbers[1]), int(numbers[2] or numbers[1])) if numbers else (0, 0)
        if not 1 <= first <= last:
            raise parsing.broken(path, line, text, _ENTRY_FORM)
        ranges.append((first - 1, last))
    return _Entry(line, tuple(ranges))


def _clips(folder: Path, part: str, notes: list[str]) -> dict[int, Path]:
    """Return the folders of the clips of ``Train`` or ``Test`` by their numbers, in their order.

    Raises:
        UsageError: if the folder cannot be searched or holds none.
    """
    try:
        folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        reason = f"cannot be searched: {error.strerror or error}"
        raise UsageError(reason, file=folder, next_step=_UNPACK) from error
    is_clip = re.compile(part + "[0-9]{3}").fullmatch
    clips = {int(path.name[-3:]): path for path in folders if is_clip(path.name)}
    if not clips:
        raise UsageError(f"has no folder {part}001", file=folder, next_step=_UNPACK)
    masks = {f"{path.name}_gt" for path in clips.values()}
    others = [path.name for path in folders if path not in clips.values() and path.name not in masks]
    if others:
        notes.append(f"{part} has {len(others)} folders that are not clips; omitted: {shortlist(others)}")
    return clips


def _check_numbers(ranges: Path, n_entries: int, numbers: list[int]) -> None:
    """Raise UsageError where there is not one entry for each test clip."""
    entries = range(1, n_entries + 1)
    lacking = [f"Test{number:03}" for number in entries if number not in numbers]
    if lacking:
        reason = f"has {n_entries} entries, but no folder of pictures for {shortlist(lacking)}"
        raise UsageError(reason, file=ranges, next_step=_UNPACK)
    superfluous = [f"Test{number:03}" for number in numbers if number not in entries]
    if superfluous:
        reason = f"has {n_entries} entries, but none for {shortlist(superfluous)}"
        raise UsageError(reason, file=ranges, next_step=_UNPACK)


def _count_pictures(clip: Path) -> int:
    """Return how many pictures a clip has.

    Raises:
        UsageError: if its folder is not an image sequence, or the pictures are not numbered from 1 without
            gaps: the ranges refer to these numbers.
    """
    try:
        names = list_images(clip)
    except InputError as error:
        raise UsageError(error.reason, file=clip, next_step=_UNPACK) from error
    for place, name in enumerate(names, start=1):
        number = re.search(r"\d+$", Path(name).stem)
        if number is None or int(number[0]) != place:
            raise UsageError(f"has {name} instead of picture {place}", file=clip, next_step=_UNPACK)
    return len(names)
