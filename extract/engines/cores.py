"""The processors that this process may use."""

import os


def usable_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))
