"""Lists of videos: ``@list.txt``, and ``-`` for one on standard input."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vadpipe.errors import UsageError


def names_list(given: str | os.PathLike[str]) -> bool:
    """Return whether what was given as a video names a list of them.

    Only text does, never a :class:`~pathlib.Path`, and none that is a file as it stands.
    """
    return isinstance(given, str) and (
        given == "-" or (given.startswith("@") and given != "@" and not os.path.lexists(given))
    )


def read_list(given: str) -> list[Path]:
    """Return what a list names: a file, folder or pattern a line.

    Empty lines and those that begin with ``#`` are left out; names count from the current folder, as on the
    command line. Bytes that are no UTF-8 stay what they are.

    Raises:
        UsageError: if it cannot be read, or is no text.
    """
    try:
        if given != "-":
            content = Path(given[1:]).read_bytes()
        elif sys.stdin is None:  # as in some services
            raise UsageError("there is no standard input to read a list of videos from", file=given)
        else:
            content = sys.stdin.buffer.read()
    except OSError as error:
        reason = f"cannot be read as a list of videos: {error.strerror}"
        raise UsageError(
            reason, file=given, next_step=f"A video of that name is written ./{given}."
        ) from error
    if b"\0" in content:
        step = "A list has the name of a file, folder or pattern on each line."
        raise UsageError("is no list of videos but holds bytes of another kind", file=given, next_step=step)
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
    names = [line for line in lines if line.strip() and not line.startswith(b"#")]
    return [Path(os.fsdecode(name)) for name in names]
