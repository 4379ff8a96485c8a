"""The digest of a file, by which its content is known again."""

from __future__ import annotations

import errno
import hashlib
import stat
from pathlib import Path


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, 64 hexadecimal digits.

    Raises:
        OSError: if it cannot be read, or is a pipe or a device, which need not end.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
