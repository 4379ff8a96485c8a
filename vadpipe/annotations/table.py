"""Tables as people have them: text with any usual separator and encoding, and Excel's worksheets."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vadpipe.annotations.excel import EXCEL_SUFFIXES, read_worksheets
from vadpipe.errors import UsageError
from vadpipe.files.tables_from_memory import GivenTable

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_OTHER_PROGRAMS = {
    b"\xd0\xcf\x11\xe0": "an Excel file of before 2007",
    b"PK\x03\x04": "a compressed file, such as .ods",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True)
class Table:
    """A header and the rows below it.

    Attributes:
        path: the file, or what names the table in messages.
        header: the names of the columns, as they are written.
        rows: the number of each row's line in the file, and its fields, as many as the header has.
        form: how the file is written, in words.
        header_line: number of the header's line.
        above: number and text of each row above it.
        worksheet: its name, if it is one of several.
    """

    path: Path
    header: tuple[str, ...]
    rows: list[tuple[int, tuple[str, ...]]] = field(repr=False)
    form: str
    header_line: int = 1
    above: tuple[tuple[int, str], ...] = field(default=(), repr=False)
    worksheet: str | None = None

    @property
    def place(self) -> str:
        """Where its header is, in words."""
        sheet = "" if self.worksheet is None else f"worksheet {self.worksheet!r}, "
        return f"{sheet}line {self.header_line}" if sheet or self.header_line > 1 else "its first line"

    def notes(self) -> list[str]:
        """Return how the file is written and what is skipped of it, in sentences."""
        return [
            self.form,
            *(f"line {line} above the header is skipped: {text!r}" for line, text in self.above),
        ]


Rating = Callable[[Sequence[str]], int]
"""How much a row looks like a header."""

_SEARCHED = 20
"""Rows in which the header is looked for; people write titles above it."""


def read_tables(path: Path | GivenTable, rating: Rating = lambda _: 0) -> list[Table]:
    """Return the table in a text file, or those of all worksheets of an Excel file that are not empty.

    A table that was passed from Python is returned as it is.

    Text is UTF-8, UTF-16 with or without a mark, or else Windows-1252. Its separator is the one that parts
    the header into the most columns; a line ``sep=;`` before it decides. Blank rows are left out; a row
    that is shorter than the header is filled with empty fields. Cells of Excel beside the header
    are left out.

    Args:
        path: the file.
        rating: of the first rows the best one is the header, the first of equal ones.

    Raises:
        UsageError: if the file cannot be read, is not a table, or a row has more fields than the header.
    """
    if isinstance(path, GivenTable):
        body = [(line, tuple(row[column] for column in path.columns)) for line, row in path.rows]
        return [Table(Path(path.name), tuple(path.columns), body, path.name)]
    if path.suffix.lower() in EXCEL_SUFFIXES:
        sheets = read_worksheets(path)
        of_how_many = f" of {len(sheets)}" if len(sheets) > 1 else ""
        return [
            _table(path, rows, f"Excel, worksheet {name!r}{of_how_many}", rating, name)
            for name, rows in sheets.items()
        ] or [Table(path, (), [], "Excel, empty")]
    text, encoding = _decoded(path)
    first, _, rest = text.partition("\n")
    given = first.strip().lower().removeprefix("sep=") if first.lower().startswith("sep=") else ""
    if given:
        text = rest  # a hint for Excel, which it writes itself as well
    separator = given if given in _SEPARATORS else _separator(text, rating)
    try:
        reader = csv.reader(
            text.splitlines(keepends=True), delimiter=separator, skipinitialspace=True, strict=True
        )
        rows = [(reader.line_num + bool(given), fields) for fields in reader]
    except csv.Error as error:
        raise UsageError(
            f"is not a CSV file: {error}",
            file=path,
            next_step="Write one video per line, and quote fields that hold the separator.",
        ) from error
    return [_table(path, rows, f"{encoding}, separated by {_SEPARATORS[separator]}", rating)]


def _table(
    path: Path, rows: list[tuple[int, list[str]]], form: str, rating: Rating, worksheet: str | None = None
) -> Table:
    filled = [
        (line, [entry.strip() for entry in fields]) for line, fields in rows if any(map(str.strip, fields))
    ]
    if not filled:
        return Table(path, (), [], form, worksheet=worksheet)
    ratings = [rating(fields) for _, fields in filled[:_SEARCHED]]
    place = ratings.index(max(ratings))
    header_line, header = filled[place]
    while header and not header[-1]:
        header.pop()
    body: list[tuple[int, tuple[str, ...]]] = []
    for line, fields in filled[place + 1 :]:
        if any(fields[len(header) :]) and worksheet is None:
            where = "first line" if place == 0 else f"header in line {header_line}"
            raise UsageError(
                f"line {line}: has {len(fields)} fields, more than the {len(header)} of the {where} "
                f"({', '.join(header)})",
                file=path,
                next_step="Quote fields that hold the separator.",
            )
        body.append((line, tuple((fields + [""] * len(header))[: len(header)])))
    above = tuple((line, " ".join(dict.fromkeys(filter(None, fields)))) for line, fields in filled[:place])
    first = header_line if place else 1  # blank lines and sep= are no lines of the table
    return Table(path, tuple(header), body, form, first, above, worksheet)


def _decoded(path: Path) -> tuple[str, str]:
    """Return the text of a file and the name of its encoding."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", file=path) from error
    for start, what in _OTHER_PROGRAMS.items():
        if data.startswith(start):
            raise UsageError(
                f"is {what}, not a CSV file", file=path, next_step="Save it as CSV (UTF-8) or as .xlsx."
            )
    candidates = [encoding for mark, encoding in _MARKS.items() if data.startswith(mark)]
    if not candidates and b"\0" in data[:200]:
        # Without a mark: of the two bytes of an ordinary letter one is 0.
        candidates = ["utf-16-be" if data[:1] == b"\0" else "utf-16-le"]
    for encoding in candidates or ["utf-8", "cp1252"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            name = {"cp1252": "Windows-1252"}.get(encoding, encoding[:6].upper().removesuffix("-"))
            return text, name
    raise UsageError(
        "is not a CSV file in UTF-8, UTF-16 or Windows-1252", file=path, next_step="Save it as CSV (UTF-8)."
    )


def _separator(text: str, rating: Rating) -> str:
    """Return what parts the best of the first lines, or else the first one, into the most fields."""
    lines = [line for line in text.splitlines() if line.strip()][:_SEARCHED] or [""]

    def worth(mark: str) -> tuple[int, int]:
        rows = [next(csv.reader([line], delimiter=mark), []) for line in lines]
        return max(map(rating, rows)), len(rows[0])

    return max(_SEPARATORS, key=worth)
