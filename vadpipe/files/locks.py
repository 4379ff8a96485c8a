"""Locks between processes that share a folder: each video is processed by one of them."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)


class VideoLock:
    """The right to work on one video, given back by :meth:`close`, or by the kernel when the process ends.

    Where the file system has no locks every claim is granted: at worst two processes do the same work and
    write the same bytes.

    Args:
        path: what stands for the video, a file that need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # A lock that is only a file would outlive a killed process, and be waited for for ever.
        self._lock = FileLock(path, thread_local=False, fallback_to_soft=False)

    def take(self, *, wait: bool) -> bool:
        """Return whether the claim was granted; with ``wait`` it always is, in the end."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            return False
        except (OSError, NotImplementedError) as error:
            log.debug("locks are not supported here: %s", error)
        return True

    def close(self) -> None:
        """Give the claim back; what was claimed leaves no file behind."""
        if self._lock.is_locked:
            # While the lock is held: whoever opened this file before gets the lock of a file without a
            # name, sees that, and opens the next one.
            with suppress(OSError):
                self._path.unlink()
            with suppress(OSError):
                self._lock.release()
