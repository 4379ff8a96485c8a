"""What ``--status`` prints."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vadpipe.cli import options
from vadpipe.errors import printable

if TYPE_CHECKING:
    from vadpipe.extract.status import VideoStatus


def print_status(found: Iterable[VideoStatus], folder: Path | None, quiet: bool) -> None:
    """Print a line per video that is not done (state, path, reason, separated by tabs), and the totals.

    Args:
        found: the videos.
        folder: of their results; None where these lie beside the videos.
        quiet: leave out the totals.

    Raises:
        typer.Exit: with the exit code for videos that failed or are missing, if there are any.
    """
    counts = {"done": 0, "failed": 0, "missing": 0}
    for item in found:
        counts[item.state] += 1
        if item.state != "done":
            typer.echo(f"{item.state}\t{printable(item.path)}\t{item.detail}")
    totals = ", ".join(f"{count} {state}" for state, count in counts.items())
    where = "" if folder is None else f": {folder}"
    shown = None if folder is None else str(folder)
    options.say(f"{totals}{where}", quiet, kind="status", **counts, folder=shown)
    options.exit_for(counts["done"], counts["failed"] + counts["missing"])
