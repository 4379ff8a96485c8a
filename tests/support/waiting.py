"""Waiting for another process: as long as a busy machine needs, and not longer than it takes."""

import time

LONG_S = 300.0
"""What nothing takes on any machine, unless it hangs."""


def wait_until(condition, what: str) -> None:
    """Return as soon as the condition holds; fail where it never does."""
    deadline_s = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline_s, f"still not: {what}"
        time.sleep(0.005)
