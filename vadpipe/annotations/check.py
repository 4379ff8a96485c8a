"""What vadpipe understands of a sheet, video by video, before anything is computed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from vadpipe.annotations.annotation import LATE_S, Annotation
from vadpipe.annotations.candidate_videos import DEFAULT_FEATURES, Available, Times, available
from vadpipe.annotations.joined_array import read_joined
from vadpipe.annotations.matching import match_videos, on_line, problems_of
from vadpipe.annotations.sheet import Sheet, read_sheet
from vadpipe.annotations.truth import Truth
from vadpipe.annotations.written_sheets import write_sheets
from vadpipe.errors import EXIT_ALL_FAILED, EXIT_SOME_FAILED, UsageError, VadpipeError, printable
from vadpipe.files.arguments import PATH, check_arguments, path_of

_NAMED = 3
_SHORT_S = 1.0
"""Events of which none lasts that long are hardly frames."""


@dataclass(frozen=True)
class CheckedVideo:
    """What a sheet says about one video.

    Attributes:
        annotation: as the sheet says it.
        found: the name of the video that it means, or None if it was not found or looked for.
        truth: about the frames of that video, if it has ranges and their times are known.
        length_s: how long it is, where that is known.
        ranges_s: the same in seconds; the sheet's own where the frames are not known, if it has seconds.
        problem: why it cannot be used, or None.
    """

    annotation: Annotation
    found: str | None = None
    truth: Truth | None = None
    length_s: float | None = None
    ranges_s: tuple[tuple[float, float], ...] = ()
    problem: VadpipeError | None = None

    def columns(self) -> tuple[str, ...]:
        """Return name, label, times, frames, group and match, as text."""
        item = self.annotation
        label = "abnormal" if item.abnormal else "normal"
        frames = item.ranges if item.unit == "frames" else ()
        if self.truth is not None:
            frames = self.truth.anomalies
        return (
            item.video,
            label + (f" ({item.category})" if item.category else ""),
            " ".join(f"{start:.2f}-{stop:.2f}" for start, stop in self.ranges_s) + " s" * bool(self.ranges_s),
            "frames " * bool(frames) + " ".join(f"{start:.0f}:{stop:.0f}" for start, stop in frames),
            f"group {item.group}" if item.group else "",
            "" if self.found is None else f"-> {self.found}",
        )


@dataclass(frozen=True)
class SheetCheck:
    """Result of :func:`check_sheet`.

    Attributes:
        path: the sheet.
        notes: how it was understood, in sentences.
        videos: one per video of the sheet, in its order.
        problems: rows that cannot be used, with line, reason and what to do.
        looked_in: what the names were looked up among, ``"feature file"`` or ``"video"``, or None.
        unlisted: available videos that the sheet does not name.
    """

    path: Path
    notes: list[str]
    videos: list[CheckedVideo] = field(repr=False)
    problems: list[VadpipeError] = field(repr=False)
    looked_in: str | None
    unlisted: list[str] = field(repr=False)

    @property
    def usable(self) -> list[CheckedVideo]:
        """Videos without a problem."""
        return [video for video in self.videos if video.problem is None]

    @property
    def exit_code(self) -> int:
        """0 if all is well, 3 if there are problems, 4 if nothing can be used."""
        if not self.usable:
            return EXIT_ALL_FAILED
        return EXIT_SOME_FAILED if self.problems else 0

    def lines(self) -> list[str]:
        """Return the result for people."""
        rows = [video.columns() for video in self.videos]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
        # An empty column takes no room.
        table = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip()
            for row in rows
        ]
        return [
            f"{printable(self.path)}: {self.notes[0]}",
            *self.notes[1:],
            "",
            *map(printable, table),
            "",
            *_told_once(self.problems),
            self._summary(),
        ]

    def _summary(self) -> str:
        labels = [bool(video.annotation.abnormal) for video in self.videos]
        text = f"videos: {labels.count(True)} abnormal, {labels.count(False)} normal"
        if self.looked_in is not None:
            found = sum(video.found is not None for video in self.videos)
            text += f"; {found} found"
            if self.unlisted:
                more = ", ..." if len(self.unlisted) > _NAMED else ""
                names = ", ".join(map(printable, self.unlisted[:_NAMED]))
                text += f"; {self.looked_in}s that are not in the sheet: {len(self.unlisted)} ({names}{more})"
        return f"{text}; problems: {len(self.problems) or 'none'}"

    def fix(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write what can be used in our own form: names of the videos found, and frames where known.

        With ``force``, a file with different content is overwritten.

        Raises:
            UsageError: if the path is that of the sheet itself or of a file with different content, or no
                row can be used.
            OutputError: if it cannot be written.
        """
        target = path_of("path", path)
        if target.exists() and self.path.exists() and target.samefile(self.path):
            raise UsageError(
                "is the sheet itself", file=target, next_step="Give another name; the sheet is kept."
            )
        if not self.usable:
            raise UsageError("has no row that can be used", file=self.path)
        write_sheets({target: [*map(_fixed, self.usable)]}, force=force)


def check_sheet(
    path: str | os.PathLike[str],
    *,
    features: str | os.PathLike[str] | None = None,
    videos: str | os.PathLike[str] | None = None,
    names: str | os.PathLike[str] | None = None,
    normal: Iterable[str] = (),
) -> SheetCheck:
    """Say what a sheet of labels or times means, and what is wrong with it.

    Args:
        path: CSV, Excel file or joined array.
        features: folder of features to find its videos in; by default ``features`` if that exists.
        videos: folder of videos to find them in instead; only their frame times are read.
        names: list of the videos of a joined array; by default the ``.txt`` or ``.list`` beside it.
        normal: further labels that mean normal, in any case.

    Raises:
        UsageError: if an argument is invalid, the file cannot be read, or lacks the columns to say anything.
    """
    check_arguments(
        path=(path, PATH),
        features=(features, PATH.or_none),
        videos=(videos, PATH.or_none),
        names=(names, PATH.or_none),
    )
    path, there = Path(path), available(features, videos)
    sheet: Sheet | None = None
    if path.suffix.lower() == ".npy":
        folder = Path(features or DEFAULT_FEATURES)
        annotations = read_joined(path, folder, None if names is None else Path(names))
        notes = [f"joined array of {sum(item.n_frames or 0 for item in annotations)} frames"]
    else:
        sheet = read_sheet(path, normal=normal)
        annotations, notes = sheet.annotations, sheet.notes()
    problems: list[VadpipeError] = list(sheet.problems) if sheet else []
    if sheet is not None and not sheet.table.rows:
        step = "Write one video per line."
        problems.append(UsageError("the sheet has no videos below its header", next_step=step))
    unlisted: list[str] = []
    if there is None:
        checked = [_alone(item) for item in annotations]
        notes.append("names were not looked up: give --features DIR or --videos DIR")
    else:
        checked, unlisted = _looked_up(annotations, there, timed=sheet is None or sheet.columns.says_when)
        problems += there.unusable
    if sheet is not None and sheet.columns.says_when:
        doubt = _unit_doubt(sheet, checked)
        if doubt is not None:
            problems.append(doubt)
        else:
            notes += _unit_notes(sheet, checked)
        notes += _doubts(checked)
    problems += [video.problem for video in checked if video.problem is not None]
    return SheetCheck(path, notes, checked, problems, None if there is None else there.what, unlisted)


def _told_once(problems: Sequence[VadpipeError]) -> list[str]:
    """Return the problems as text; those that differ in their line alone are one."""
    lines: dict[str, list[str]] = {}
    for problem in problems:
        shown = str(problem).replace("\n", ". ")
        line = re.match(r"line ([0-9]+): ", shown)
        text = shown[line.end() :] if line else shown
        lines.setdefault(text, []).append(line[1] if line else "")
    told = []
    for text, found in lines.items():
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        where = f"lines {', '.join(found[:_NAMED])}{more} ({len(found)} rows)"
        told.append(f"{where if len(found) > 1 else f'line {found[0]}'}: {text}" if found[0] else text)
    return told


def _alone(item: Annotation) -> CheckedVideo:
    return CheckedVideo(item, ranges_s=item.ranges if item.unit == "seconds" else ())


def _looked_up(
    annotations: list[Annotation], there: Available, *, timed: bool
) -> tuple[list[CheckedVideo], list[str]]:
    """Return what becomes of each annotation, and the available videos that none of them means.

    With ``timed`` a video without times is one in which nothing happens, and its frames count.
    """
    found = match_videos((item.video for item in annotations), there.contents)
    problems = problems_of(annotations, found, there.what)
    checked: list[CheckedVideo] = []
    for item in annotations:
        if item.video in problems:
            checked.append(replace(_alone(item), problem=problems[item.video]))
            continue
        video = found.found[item.video]
        try:
            checked.append(_in_frames(item, video, there, timed=timed))
        except VadpipeError as error:
            checked.append(replace(_alone(item), found=video, problem=on_line(item, error)))
    return checked, found.superfluous


def _in_frames(item: Annotation, video: str, there: Available, *, timed: bool) -> CheckedVideo:
    """Return what a sheet, which may have times, says about the frames of a video."""
    if not item.ranges:
        stated = item.n_frames is None and timed and there.n_frames.get(video)
        return CheckedVideo(replace(item, n_frames=stated or item.n_frames), video)
    times: Times = there.times(video)
    truth = item.truth(*times)
    n_shown = len(times[0])
    if item.n_frames is None and truth.n_frames > n_shown:
        raise UsageError(
            f"{item.video!r} has {n_shown} frames, and a range ends at {truth.n_frames}",
            next_step="Correct the range. Seconds need a decimal point, an s, or a column named start_s.",
        )
    edges_s = np.append(*times)
    ranges_s = tuple(
        (float(edges_s[min(start, n_shown)]), float(edges_s[min(stop, n_shown)]))
        for start, stop in truth.anomalies
    )
    return CheckedVideo(item, video, truth, times[1], ranges_s)


def _doubts(checked: list[CheckedVideo]) -> list[str]:
    """Return what is not enough for a truth."""
    untimed = [video.annotation.video for video in checked if video.annotation.untimed]
    if not untimed:
        return []
    names = ", ".join(untimed[:_NAMED]) + (", ..." if len(untimed) > _NAMED else "")
    return [f"abnormal videos without a time, which evaluate leaves out: {len(untimed)} ({names})"]


def _unit_notes(sheet: Sheet, checked: list[CheckedVideo]) -> list[str]:
    """Return what could be meant otherwise."""
    if sheet.unit == "seconds" or sheet.columns.unit is not None or not _fit_as_seconds(checked):
        return []
    return [
        "all of these frames would be valid as seconds, too: if they are, name the column anomalies_s, "
        "or start_s and end_s"
    ]


def _fit_as_seconds(checked: list[CheckedVideo]) -> bool:
    """Return whether all ranges, in frames, would lie in their videos if they were seconds."""
    usable = [video for video in checked if video.annotation.ranges and video.problem is None]
    ends = [(video.annotation.ranges[-1][1], video.length_s) for video in usable]
    return bool(ends) and all(length_s is not None and end <= length_s + LATE_S for end, length_s in ends)


def _unit_doubt(sheet: Sheet, checked: list[CheckedVideo]) -> UsageError | None:
    """Return what is wrong with numbers that are more likely seconds than frames, or None."""
    if sheet.unit == "seconds" or sheet.columns.unit is not None or not _fit_as_seconds(checked):
        return None
    spans = [stop - start for video in checked for start, stop in video.ranges_s]
    if not spans or max(spans) >= _SHORT_S:
        return None
    first = next(video for video in checked if video.ranges_s)
    start, stop = first.annotation.ranges[0]
    last = stop - 1 if sheet.columns.end is None or sheet.columns.counts_last else stop
    seconds, frames = ("start_s and end_s", "start_frame and end_frame")
    if sheet.columns.end is None:
        seconds, frames = "anomalies_s", "anomalies_frames"
    return UsageError(
        f"line {first.annotation.line}: {start:g} to {last:g} may be seconds, or frames, which last "
        f"{spans[0]:.2f} s; no event of the sheet would last {_SHORT_S:g} s",
        next_step=f"Name the columns {seconds} if they are seconds, {frames} if they are frames.",
    )


def _fixed(video: CheckedVideo) -> Annotation:
    item = video.annotation
    name = video.found or item.video.replace("\\", "/")
    if video.truth is not None:
        item = replace(item, n_frames=video.truth.n_frames, ranges=video.truth.anomalies, unit="frames")
    return replace(item, video=name)
