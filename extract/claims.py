"""Several processes on one folder: each video is worked on by one of them."""

from __future__ import annotations

import logging
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)


class Claim:
    """The right to work on one video, given back by :meth:`close`, or by the kernel when the process ends.

    Where the file system has no locks every claim is granted: at worst two processes do the same work and
    write the same bytes.

    Args:
        folder: of the feature files.
        name: what is claimed, a plain file name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._lock = FileLock(folder / ".locks" / name, thread_local=False)

    def take(self, *, wait: bool) -> bool:
        """Return whether the claim was granted; with ``wait`` it always is, in the end."""
        try:
            Path(self._lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            return False
        except (OSError, NotImplementedError) as error:
            log.debug("no locks here: %s", error)
        return True

    def close(self) -> None:
        """Give the claim back; what was claimed leaves no file behind."""
        if self._lock.is_locked:
            # Whoever opened this file before it goes and gets its lock later looks into the store again.
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self._lock.release()
