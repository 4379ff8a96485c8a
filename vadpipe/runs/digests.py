"""The digest of many files, such as a folder of features."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from vadpipe.files.digest import file_digest


def files_digest(
    files: Iterable[Path], folder: Path, known: Mapping[Path, str] | None = None
) -> tuple[int, str]:
    """Return how many files there are, and one sha256 of their names below a folder and their contents.

    Args:
        files: below the folder.
        folder: that they are named from.
        known: digests of files that need not be read again.

    Raises:
        OSError: if one cannot be read.
    """
    count, whole = 0, hashlib.sha256()
    for file in sorted(files):
        name = file.relative_to(folder).as_posix().encode(errors="surrogateescape")
        digest = file_digest(file) if known is None or file not in known else known[file]
        whole.update(name + b"\0" + digest.encode() + b"\n")
        count += 1
    return count, whole.hexdigest()
