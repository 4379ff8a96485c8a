"""Rows of a CSV file that a user wrote: labels, or the truth."""

from __future__ import annotations

import csv
from pathlib import Path

from vadpipe.errors import UsageError

Row = dict[str, str]


def read_rows(path: Path) -> tuple[list[str], list[tuple[int, Row]]]:
    """Return the columns, and each row with the number of its line.

    UTF-8 with or without a mark at its beginning, and blanks after commas, are fine. Fields that a short
    row lacks are empty; what a long one has too much is below the key None.

    Raises:
        UsageError: if the file cannot be read or is not a CSV.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True, restval="", strict=True)
            rows = [(reader.line_num, row) for row in reader]
            return list(reader.fieldnames or ()), rows
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", file=path) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError("is not a CSV file in UTF-8", file=path) from error
