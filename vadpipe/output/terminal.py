"""Tables on standard output: as wide as the terminal, or whole in a pipe."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table


@contextmanager
def table_console() -> Iterator[Console]:
    """Yield a console that prints on standard output.

    Piped output is never truncated, since scripts need whole names and counts, and its lines do not end with
    the blanks that fill up a column. It is printed when the block ends.
    """
    if sys.stdout.isatty():
        yield Console()
        return
    text = io.StringIO()
    yield Console(width=1000, file=text)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


def plain_table(*columns: str) -> Table:
    """Return a table without lines; under headings, all columns but the first hold numbers."""
    table = Table(*columns, show_header=bool(columns), box=None, pad_edge=False, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right" if columns else "left"
    return table
