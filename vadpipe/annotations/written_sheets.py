"""Writing of sheets where others may lie already."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.sheet_writing import write_annotations
from vadpipe.errors import UsageError


def write_sheets(sheets: Mapping[Path, Sequence[Annotation]], *, force: bool) -> None:
    """Write sheets in our own form; none of them if one would take the place of another text.

    Args:
        sheets: what each file is to hold.
        force: whether files with different content are overwritten.

    Raises:
        UsageError: if one is there with different content.
        OutputError: if one cannot be written.
    """
    for path, items in sheets.items():
        if not force and path.is_file() and not _holds(path, items):
            raise UsageError(
                "already exists, with different content",
                file=path,
                next_step="Choose another place, or overwrite it with --force.",
            )
    for path, items in sheets.items():
        write_annotations(path, items)


def _holds(path: Path, items: Sequence[Annotation]) -> bool:
    """Return whether a file has the very text that would be written; False if it cannot be read."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "sheet.csv"
        write_annotations(fresh, items)
        try:
            return path.read_bytes() == fresh.read_bytes()
        except OSError:
            return False
