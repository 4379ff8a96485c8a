"""The number of CPU cores available to this process."""

import os


def usable_cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0))
