"""What this process holds while a long run goes on: memory, open files, threads, processes."""

from __future__ import annotations

import ctypes
import logging
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

log = logging.getLogger(__name__)  # pytest --log-cli-level=INFO shows the figures of docs/performance.md


class Held(NamedTuple):
    """What a process holds at one moment."""

    rss_mb: float
    n_descriptors: int
    n_threads: int
    n_children: int


class HeldResources:
    """What this process holds, noted again and again at moments of one kind, such as the first frame of a video.

    Attributes:
        noted: of each moment, in order.
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.noted: list[Held] = []

    def note(self) -> None:
        process = self._process
        self.noted.append(
            Held(
                process.memory_info().rss / 1e6,
                process.num_fds(),
                process.num_threads(),
                len(process.children(recursive=True)),
            )
        )

    def growth(self) -> Held:
        """Return how much more is held in the last tenth of the moments than in the second tenth.

        The first tenth is left out: there libraries are loaded, and memory is taken for good. Of memory it is
        the difference of the medians; of what is counted that of the largest numbers, since a moment may come
        before or after the next video is opened.
        """
        tenth = len(self.noted) // 10
        assert tenth >= 10, "too few moments to compare"
        early, late = np.array(self.noted[tenth : 2 * tenth]), np.array(self.noted[-tenth:])
        counted = late.max(axis=0) - early.max(axis=0)
        memory_mb = float(np.median(late[:, 0]) - np.median(early[:, 0]))
        grown = Held(memory_mb, *map(int, counted[1:]))
        log.info("growth over %d moments: %s; at the end: %s", len(self.noted), grown, self.noted[-1])
        return grown

    def check_flat(self, *, below_mb: float) -> None:
        """Fail where memory grew by more than that, or anything that is counted grew at all."""
        grown = self.growth()
        assert grown.rss_mb < below_mb
        assert max(grown[1:]) <= 0, grown


def peak_mb(pid: int | str = "self") -> float:
    """Return the most memory that a process has had, or since :func:`forget_peak`.

    Not ``ru_maxrss``, which begins with that of the process that started it.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e6


def forget_peak() -> None:
    """Have the peak of this process begin with what it needs now: memory that was freed is given back before."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
