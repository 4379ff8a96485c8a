"""Worksheets of Excel files (.xlsx), as text."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from vadpipe.annotations.excel_parts import checked_parts
from vadpipe.errors import UsageError

EXCEL_SUFFIXES = (".xlsx", ".xlsm")
_MOST_CELLS = 2**22
"""In all worksheets: four columns down to the last row that there is."""


def read_worksheets(path: Path) -> dict[str, list[tuple[int, list[str]]]]:
    """Return the rows of each worksheet that is not empty, with their numbers, by the worksheet's name.

    Every cell is the text that it would be in a CSV. A time of day, which Excel makes of ``1:30``, is
    ``1:30`` where its format shows no seconds, and ``1:30:05.5`` where it does; a date is
    ``2026-11-03``. Merged cells all hold what they show, except in rows without a cell of their own.

    Raises:
        UsageError: if the file cannot be read, or is no Excel file, or if openpyxl is not installed.
    """
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise UsageError(
            "Excel files need openpyxl, which is not installed",
            file=path,
            next_step="pip install 'vadpipe[excel]', or save the sheet as CSV.",
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about parts of the file that hold no cells
            # Read-only books do not say which cells are merged.
            with closing(load_workbook(checked_parts(path), data_only=True)) as book:
                _check_size(book.worksheets)
                cells = {sheet.title: _filled(sheet) for sheet in book.worksheets}
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror or error}", file=path) from error
    except Exception as error:  # of zip archives, of XML, and whatever openpyxl trips over
        raise UsageError(
            f"is not a readable Excel file: {error}", file=path, next_step="Save it again, or save it as CSV."
        ) from error
    sheets = {
        name: [(line, [_text(cell) for cell in row]) for line, row in enumerate(rows, 1)]
        for name, rows in cells.items()
    }
    return {name: rows for name, rows in sheets.items() if any(any(fields) for _, fields in rows)}


def _check_size(sheets: Sequence[Any]) -> None:
    """Raise ValueError if there are more cells, empty ones included; openpyxl makes an object of each."""
    n_cells = sum(sheet.max_row * sheet.max_column for sheet in sheets)
    if n_cells > _MOST_CELLS:
        raise ValueError(f"its tables have {n_cells} cells, of which at most {_MOST_CELLS} are read")


def _filled(sheet: Any) -> list[list[Any]]:  # noqa: ANN401  openpyxl is imported late
    """Return the cells of each row, with the top left one in place of each that is merged with it."""
    rows = [[*row] for row in sheet.iter_rows()]
    filled = {line for line, row in enumerate(rows) if any(cell.value is not None for cell in row)}
    for merged in sheet.merged_cells.ranges:
        shown = rows[merged.min_row - 1][merged.min_col - 1]
        for line in filled & {*range(merged.min_row - 1, merged.max_row)}:
            span = rows[line][merged.min_col - 1 : merged.max_col]
            rows[line][merged.min_col - 1 : merged.max_col] = [shown] * len(span)
    return rows


def _text(cell: Any) -> str:  # noqa: ANN401  openpyxl has several kinds of cells
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(round(value, 9))  # Excel computes in binary: 0.1 + 0.2
    if isinstance(value, (time, timedelta)):
        return _clock(value, seconds="s" in str(cell.number_format).lower())
    if isinstance(value, datetime) and not any((value.hour, value.minute, value.second)):
        value = value.date()
    return str(value)


def _clock(value: time | timedelta, *, seconds: bool) -> str:
    """Return a time as Excel shows it, with or without seconds."""
    if isinstance(value, time):
        value = timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
        )
    total = round(value / timedelta(microseconds=1))
    minutes, micro = divmod(total, 60_000_000)
    text = f"{minutes // 60}:{minutes % 60:02}"
    if not seconds:
        return text
    return f"{text}:{micro // 1_000_000:02}" + f".{micro % 1_000_000:06}".rstrip("0").rstrip(".")
