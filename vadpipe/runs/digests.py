"""Digests of what a run reads and writes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, 64 hexadecimal digits. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_digest(files: Iterable[Path], folder: Path) -> tuple[int, str]:
    """Return how many files there are, and one sha256 of their names below a folder and their contents.

    Raises:
        OSError: if one cannot be read.
    """
    count, whole = 0, hashlib.sha256()
    for file in sorted(files):
        name = file.relative_to(folder).as_posix().encode(errors="surrogateescape")
        whole.update(name + b"\0" + file_digest(file).encode() + b"\n")
        count += 1
    return count, whole.hexdigest()
