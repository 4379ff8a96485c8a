"""Lists of videos: ``@list.txt``, and ``-`` for one on standard input."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vadpipe.errors import UsageError


def names_list(given: str | os.PathLike[str]) -> bool:
    """Return whether what was given as a video names a list of them.

    Only text does, never a :class:`~pathlib.Path` or the name of an existing file.
    """
    return isinstance(given, str) and (
        given == "-" or (given.startswith("@") and given != "@" and not os.path.lexists(given))
    )


def read_list(given: str) -> list[str]:
    """Return the entries of a list: a file, folder, pattern or address per line.

    Empty lines and those that begin with ``#`` are left out; names count from the current folder, as on the
    command line. Bytes that are not UTF-8 are kept.

    Raises:
        UsageError: if it cannot be read, or is not text.
    """
    try:
        if given != "-":
            content = Path(given[1:]).read_bytes()
        elif sys.stdin is None:  # as in some services
            raise UsageError("standard input is closed, so no list of videos can be read from it", file=given)
        else:
            content = sys.stdin.buffer.read()
    except OSError as error:
        reason = f"cannot be read as a list of videos: {error.strerror}"
        raise UsageError(
            reason, file=given, next_step=f"For a video of that name, write ./{given}."
        ) from error
    if b"\0" in content:
        step = "A list is a text file with one file, folder or pattern per line."
        raise UsageError("is not a list of videos but a binary file", file=given, next_step=step)
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
    names = [line for line in lines if line.strip() and not line.startswith(b"#")]
    return [os.fsdecode(name) for name in names]
