"""The digest of many files, such as a folder of features."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from vadpipe.files.digest import file_digest


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
