"""Capture of FFmpeg's log, for libraries that report none of its errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STANDARD_ERROR = 2


@contextmanager
def captured_stderr() -> Iterator[Callable[[], bool]]:
    """Capture this process's standard error, and yield a function that tells whether there was any."""
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
