"""Scratch folders in the cache, gone with the process that made them, however it ended."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from vadpipe.errors import OutputError
from vadpipe.weights import layout

_LOCK = "lock"


def new_folder(prefix: str) -> Path:
    """Return a new empty folder, which whoever asks removes, or the end of the process.

    Raises:
        OutputError: if it cannot be made.
    """
    try:
        return Path(tempfile.mkdtemp(dir=_of_process(os.getpid()), prefix=prefix))
    except OSError as error:
        step = "Free disk space, or set VADPIPE_CACHE."
        raise OutputError(f"cannot be written: {error.strerror}", file=_home(), next_step=step) from error


def _home() -> Path:
    return layout.folder() / "remote"


@cache
def _of_process(_: int) -> Path:
    """Return the folder of this process, and remove those of processes that were killed."""
    home = _home()
    home.mkdir(parents=True, exist_ok=True)
    alone = os.open(home, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(alone, fcntl.LOCK_EX)  # a folder without its lock is not one that is just being made
        for folder in home.iterdir():
            if _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)
        own = Path(tempfile.mkdtemp(dir=home, prefix="process-"))
        # Open until the process ends: the kernel then gives the lock back, whatever ended it.
        fcntl.flock(os.open(own / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC), fcntl.LOCK_EX)
    finally:
        os.close(alone)
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return own


def _is_left(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return folder.is_dir()
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
