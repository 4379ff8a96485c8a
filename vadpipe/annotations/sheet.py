"""A sheet about videos: what each row says, in one form whatever the sheet looks like."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vadpipe.annotations.annotation import Annotation, merged
from vadpipe.annotations.columns import (
    Columns,
    Unit,
    accepted,
    columns_of,
    meant,
    n_known,
    repeated,
    with_label,
)
from vadpipe.annotations.label_words import LABEL_WORDS, is_telling, label_of, plain_label
from vadpipe.annotations.matching import contradiction
from vadpipe.annotations.table import Table, read_tables
from vadpipe.annotations.time_ranges import WrittenRange, parse_moment, parse_ranges, unit_of
from vadpipe.errors import UsageError
from vadpipe.files.tables_from_memory import GivenTable

Needs = Literal["labels", "truth"]

_EXAMPLES: dict[Needs, tuple[str, str]] = {
    "labels": ("video,label,group", "cam1/a.mp4,abnormal,1"),
    "truth": ("video,anomalies", "cam1/a.mp4,0:03.4-0:05.9"),
}
_WANTED: dict[Needs, str] = {
    "labels": "a label (label)",
    "truth": "when something happens (anomalies, or start_s and end_s)",
}

_COMPLETE = 1_000_000  # more than the columns of any sheet


@dataclass(frozen=True)
class Sheet:
    """What a file says about videos.

    Attributes:
        table: the file as text.
        columns: what its columns mean.
        annotations: one per video, in the order in which they first occur.
        problems: what is wrong, each with its line; a row with a problem is not among the annotations.
        unit: of times, frames or seconds.
    """

    table: Table
    columns: Columns
    annotations: list[Annotation] = field(repr=False)
    problems: list[UsageError] = field(repr=False)
    unit: Unit

    def check(self) -> None:
        """Raise UsageError if a row has a problem, or there are no rows."""
        if self.problems:
            first = self.problems[0]
            n_more = len(self.problems) - 1
            more = f" (and {n_more} more problem{'s' * (n_more > 1)})" if n_more else ""
            raise UsageError(first.reason + more, file=self.table.path, next_step=first.next_step)
        if not self.annotations:
            raise UsageError(
                "has no videos below its first line", file=self.table.path, next_step="Write one per line."
            )

    def notes(self) -> list[str]:
        """Return how the file was understood, in sentences."""
        header, columns = self.table.header, self.columns
        meanings = {
            "video": columns.video,
            "label": columns.label,
            "anomalies": columns.anomalies,
            "start": columns.start,
            "end": columns.end,
            "frames": columns.frames,
            "class": columns.category if columns.category != columns.label else None,
            "group": columns.group,
        }
        told = [f"{role} from {header[index]!r}" for role, index in meanings.items() if index is not None]
        notes = [*self.table.notes(), "columns: " + ", ".join(told)]
        if columns.ignored:
            named = [
                repr(name) + (f" (meant as {near}?)" if (near := meant(name)) else "")
                for name in columns.ignored
            ]
            notes.append("ignored columns: " + ", ".join(named))
        if columns.label is not None and columns_of(header).label is None:
            name = header[columns.label]
            notes.append(f"no column is named as the label; the cells of {name!r} are words of labels")
        if columns.label is None and any(not item.ranges for item in self.annotations):
            notes.append("no column is a label: rows without times are taken as normal")
        if columns.says_when:
            notes.append(self._unit_note())
        if (lacking := self.group_note()) is not None:
            notes.append(lacking)
        return notes

    def group_note(self) -> str | None:
        """Return how many rows have no group though there is a column for it, or None if all have one."""
        if self.columns.group is None:
            return None
        n_without = sum(not fields[self.columns.group] for _, fields in self.table.rows)
        return f"{n_without} of {len(self.table.rows)} rows have no group" if n_without else None

    def _unit_note(self) -> str:
        named = "by the name of the column" if self.columns.unit else None
        if self.unit == "seconds":
            return f"times are seconds, {named or 'because some have a decimal point, a time code or an s'}"
        ends = "start:end without the last frame, start-end with it"
        if self.columns.end is not None:
            counted = "included" if self.columns.counts_last else "not included"
            ends = f"the frame in {self.table.header[self.columns.end]!r} is {counted}"
        why = (
            named
            or "because all are whole numbers; if they are seconds, name the column start_s or anomalies_s"
        )
        return f"times are frames counted from 0, {why}; {ends}"


def read_sheet(path: Path | GivenTable, needs: Needs = "labels", *, normal: Iterable[str] = ()) -> Sheet:
    """Read a CSV or Excel file, or a table in memory, of labels, times or both.

    Of an Excel file's worksheets the first that has what is needed counts. Times are labels, too.

    Args:
        path: the file or table.
        needs: what it has to say.
        normal: further labels that mean normal, in any case.

    Raises:
        UsageError: if the file cannot be read, or lacks columns for what is needed. What
            is wrong with single rows is in the sheet's problems.
    """

    def rating(row: Sequence[str]) -> int:
        return _COMPLETE if not _lacking(columns_of(row), needs) else n_known(row)

    tables = read_tables(path, rating)
    words = {plain_label(word) for word in normal}
    known = [(table, _columns_by_cells(table, words)) for table in tables]
    complete = (pair for pair in known if not _lacking(pair[1], needs))
    table, columns = next(complete, max(known, key=lambda pair: n_known(pair[0].header)))
    _check_columns(table, columns, needs)
    return sheet_of(table, columns, words)


def sheet_of(table: Table, columns: Columns, normal: Collection[str] = ()) -> Sheet:
    """Return what a table with these columns says; see :func:`read_sheet`."""
    problems: list[UsageError] = []
    rows: list[tuple[_Row, list[WrittenRange]]] = []
    for line, fields in table.rows:
        row = _Row(line, fields, columns, normal)
        try:
            rows.append((row, row.ranges()))
        except UsageError as error:
            problems.append(_on_line(line, error))
    unit = unit_of((item for _, ranges in rows for item in ranges), columns.unit)
    by_video: dict[str, list[Annotation]] = {}
    for row, ranges in rows:
        try:
            item = row.annotation(ranges, unit)
        except UsageError as error:
            problems.append(_on_line(row.line, error))
            continue
        if item.video in by_video and not columns.lists_events:
            first = by_video[item.video][0]
            if first.abnormal is not item.abnormal and None not in (first.abnormal, item.abnormal):
                problems.append(_on_line(row.line, contradiction(first, item)))
                continue
            text = f"{item.video!r} occurs twice, first in line {first.line}"
            problems.append(_on_line(row.line, UsageError(text, next_step="Remove one of the lines.")))
            continue
        by_video.setdefault(item.video, []).append(item)
    annotations: list[Annotation] = []
    for items in by_video.values():
        try:
            item = _joined(items) if columns.lists_events else items[0]
        except UsageError as error:
            problems.append(error)
            continue
        if item.abnormal is not None:
            annotations.append(item)
            continue
        unlabelled = UsageError(f"{item.video!r} has no label", next_step=LABEL_WORDS)
        problems.append(_on_line(item.line, unlabelled))
    problems.sort(key=_line_of)
    return Sheet(table, columns, annotations, problems, unit)


@dataclass(frozen=True)
class _Row:
    """A row of a sheet."""

    line: int
    fields: Sequence[str]
    columns: Columns
    normal: Collection[str]

    def get(self, index: int | None) -> str:
        return "" if index is None else self.fields[index]

    def ranges(self) -> list[WrittenRange]:
        """Return the ranges as they are written. Raises UsageError if one is invalid."""
        columns = self.columns
        if columns.anomalies is not None:
            return parse_ranges(self.get(columns.anomalies))
        start, end = (parse_moment(self.get(index)) for index in (columns.start, columns.end))
        if start is None and end is None:
            return []
        if start is None or end is None:
            lacking = "start" if start is None else "end"
            written = self.get(columns.start if start is None else columns.end)
            if written:
                lacking += f", since {written} means that there is none"
            raise UsageError(
                f"{self.get(columns.video)!r} has an event without {lacking}",
                next_step="Fill in both, or leave both empty.",
            )
        return [WrittenRange(start, end, columns.counts_last)]

    def annotation(self, written: list[WrittenRange], unit: Unit) -> Annotation:
        """Return what the row says. Raises UsageError if a field is invalid or they contradict each other."""
        video, columns = self.get(self.columns.video), self.columns
        ranges = tuple(item.in_unit(unit) for item in written)
        abnormal = self._label()
        if abnormal is False and columns.lists_events:
            ranges = ()  # when nothing happens
        if abnormal is False and ranges:
            raise UsageError(
                f"{video!r} is labelled {self.get(columns.label)!r}, and has times of anomalies",
                next_step="Correct the label, or remove the times.",
            )
        if abnormal is None and (ranges or (columns.label is None and columns.says_when)):
            abnormal = bool(ranges)
        return Annotation(
            video=video,
            abnormal=abnormal,
            n_frames=self._n_frames(video),
            ranges=ranges,
            unit=unit,
            category=self.get(columns.category) or None,
            group=self.get(columns.group) or None,
            line=self.line,
        )

    def _label(self) -> bool | None:
        text = self.get(self.columns.label)
        if not text:
            return None
        label = label_of(text, self.normal)
        if label is None and "?" in text:
            raise UsageError(f"unclear label {text!r}", next_step=f"Decide. {LABEL_WORDS}")
        if label is None:
            step = f"{LABEL_WORDS} 'vadpipe labels check' and 'split' take --normal WORD for others."
            raise UsageError(f"unknown label {text!r}", next_step=step)
        return label

    def _n_frames(self, video: str) -> int | None:
        text = self.get(self.columns.frames)
        if text.lower() in ("", "-", "nan", "none"):
            return None
        match = re.fullmatch(r"([0-9]{1,15})(\.0+)?", text)
        if match is None:
            raise UsageError(f"{video!r} has {text!r} frames", next_step="Give a whole number, or none.")
        return int(match[1])


def _joined(items: list[Annotation]) -> Annotation:
    """Return one annotation of the rows of a video. Raises UsageError if they contradict each other."""
    if not any(item.ranges for item in items):
        other = next((item for item in items if {item.abnormal, items[0].abnormal} == {False, True}), None)
        if other is not None:
            raise _on_line(other.line, contradiction(items[0], other))
    return merged(items)


def _columns_by_cells(table: Table, normal: Collection[str]) -> Columns:
    """Return what the columns of a table mean; where none is named as the label, its cells may show it.

    Most of them are then words of labels, some normal and some abnormal. Those of a class all are.
    """
    columns = columns_of(table.header)
    if columns.label is not None:
        return columns
    for index, name in enumerate(table.header):
        cells = [fields[index] for _, fields in table.rows if fields[index]]
        labels = [label_of(cell, normal) for cell in cells]
        told = {label for cell, label in zip(cells, labels, strict=True) if is_telling(cell)}
        if {True, False} <= told and (
            (name in columns.ignored and labels.count(None) < len(labels) / 2)
            or (index == columns.category and None not in labels)
        ):
            return with_label(table.header, columns, index)
    return columns


def _check_columns(table: Table, columns: Columns, needs: Needs) -> None:
    twice, lacking = repeated(table.header), _lacking(columns, needs)
    if twice is None and not lacking:
        return
    what = f"two columns named {twice!r}" if twice is not None else f"no column for {' and '.join(lacking)}"
    shown = ", ".join(map(repr, table.header)) or "(empty)"
    raise UsageError(
        f"{table.place} has {what}: {shown[:200]}",
        file=table.path,
        next_step=_accepted(columns, needs) * (twice is None) + _right_line(needs),
    )


def _lacking(columns: Columns, needs: Needs) -> list[str]:
    """Return what a sheet should say and does not."""
    said = columns.says_which if needs == "labels" else columns.says_when
    return ["a video (video)"] * (columns.video is None) + [_WANTED[needs]] * (not said)


def _accepted(columns: Columns, needs: Needs) -> str:
    """Return the names that would do for what is missing."""
    names = f"A video's column may be named {accepted('video')}. " if columns.video is None else ""
    if needs == "labels" and not columns.says_which:
        names += f"A label's column may be named {accepted('label')}; start and end do in its place. "
    elif not columns.says_when:
        names += f"A column of times may be named {accepted('anomalies')}. "
    return names


def _right_line(needs: Needs) -> str:
    header, line = _EXAMPLES[needs]
    return f"A first line that is right: {header} and below it, for example: {line}"


def _on_line(line: int, error: UsageError) -> UsageError:
    return UsageError(f"line {line}: {error.reason}", next_step=error.next_step)


def _line_of(problem: UsageError) -> int:
    match = re.match(r"line ([0-9]+)", problem.reason)
    return int(match[1]) if match else 0
