"""What FFmpeg writes to its log while a library that wraps it keeps silent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STANDARD_ERROR = 2


@contextmanager
def captured_stderr() -> Iterator[Callable[[], bool]]:
    """Catch what this process writes to its standard error, and give what tells whether there was any."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = os.dup(_STANDARD_ERROR)

    def complained() -> bool:
        try:
            return bool(os.read(read, 1))
        except BlockingIOError:
            return False

    try:
        os.dup2(write, _STANDARD_ERROR)
        yield complained
    finally:
        os.dup2(before, _STANDARD_ERROR)
        for descriptor in (read, write, before):
            os.close(descriptor)
