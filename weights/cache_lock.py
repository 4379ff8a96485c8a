"""Locks on files of the cache, and the renaming of damaged ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vadpipe.errors import OutputError, WeightsError
from vadpipe.files.atomic import write_bytes

WAIT_S = 1800.0
"""How long to wait for a process that fetches the same weights. The lock of one that died is free at once."""

_log = logging.getLogger(__name__)


@contextmanager
def alone(lock_file: Path, *, what: str) -> Iterator[None]:
    """Hold a lock while the block runs, so that two processes do not fetch the same weights.

    Args:
        lock_file: stays behind, empty; its folder is made where it is missing.
        what: name of the weights, for messages.

    Raises:
        WeightsError: if another process holds the lock for too long.
        OutputError: if the lock file cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(lock_file)
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.info("waiting for another process that is fetching %s", what)
            lock.acquire(timeout=WAIT_S)
    except Timeout as error:
        raise WeightsError(
            f"another process has been fetching {what} for more than {WAIT_S / 60:.0f} minutes",
            file=lock_file,
            next_step="Wait for it or end it, and run again.",
        ) from error
    except OSError as error:
        raise OutputError(
            f"cannot be locked: {error.strerror or error}",
            file=lock_file,
            next_step="Set VADPIPE_CACHE to a writable folder.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def set_aside(path: Path, data: bytes | None = None) -> Path:
    """Rename a bad file to ``NAME.bad`` and return that path; nothing happens where there is no file.

    Args:
        path: the file, or where it would lie.
        data: what to write as ``NAME.bad`` where there is no file: bytes that were fetched and refused.

    Raises:
        OutputError: if it can be neither renamed nor written.
    """
    bad = path.with_name(f"{path.name}.bad")
    try:
        path.replace(bad)
    except FileNotFoundError:
        if data is not None:
            write_bytes(bad, data)
        return bad
    except OSError as error:
        raise OutputError(
            f"is damaged and cannot be renamed: {error.strerror or error}",
            file=path,
            next_step="Remove it, or set VADPIPE_CACHE to another folder.",
        ) from error
    return bad
