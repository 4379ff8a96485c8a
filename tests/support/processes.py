"""Processes that tests leave or look for."""

import os
import time

import psutil

from support.waiting import LONG_S


def has_ended(number: int) -> bool:
    """Tell whether a process has ended; one whose parent went before it may wait for init to reap it."""
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def left_of(session):
    """Return the processes of a session that are still there, also dead ones that are ours to reap."""
    deadline_s = time.monotonic() + LONG_S
    while found := [process for process in psutil.process_iter() if _is_of(process, session)]:
        if time.monotonic() > deadline_s:
            break
        time.sleep(0.03)  # what was killed may take a moment to go
    return found


def _is_of(candidate, session):
    try:
        orphan = candidate.status() == psutil.STATUS_ZOMBIE and candidate.ppid() != os.getpid()
        return os.getsid(candidate.pid) == session and not orphan
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def children_left(before=frozenset()):
    """Return the children of this process that were not there before, after giving them a moment to go."""
    deadline_s = time.monotonic() + LONG_S
    while found := {*psutil.Process().children(recursive=True)} - before:
        if time.monotonic() > deadline_s:
            break
        time.sleep(0.02)
    return found
