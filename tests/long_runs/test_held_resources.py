"""What the tests of long runs look for is noticed where there is something."""

import mmap
import os
import subprocess
import sys
import threading

import pytest

from support.held_resources import HeldResources, forget_peak, peak_mb

N = 100
MEGABYTE = 10**6


def after(hold):
    """Note what is held at so many moments, at each of which ``hold`` may hold on to something more."""
    held, kept = HeldResources(), []
    for number in range(N):
        kept.append(hold(number))
        held.note()
    return held


def test_what_holds_nothing_is_flat():
    after(lambda _: None).check_flat(below_mb=1)


def test_memory_is_noticed():
    def hold(_):
        memory = mmap.mmap(-1, MEGABYTE)
        memory.write(b"x" * MEGABYTE)
        return memory

    held = after(hold)
    assert held.growth().rss_mb == pytest.approx(0.8 * N, abs=5)
    with pytest.raises(AssertionError):
        held.check_flat(below_mb=0.5 * N)


def test_one_descriptor_is_noticed():
    opened = []
    held = after(lambda number: opened.append(os.open(os.devnull, os.O_RDONLY)) if number == 50 else None)
    os.close(*opened)
    assert held.growth().n_descriptors == 1
    with pytest.raises(AssertionError):
        held.check_flat(below_mb=1000)


def test_one_thread_is_noticed():
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    try:
        held = after(lambda number: thread.start() if number == 50 else None)
    finally:
        done.set()
    assert held.growth().n_threads == 1
    with pytest.raises(AssertionError):
        held.check_flat(below_mb=1000)


def test_one_process_is_noticed():
    children = []
    command = [sys.executable, "-c", "input()"]

    def hold(number):
        if number == 50:
            children.append(subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL))

    try:
        held = after(hold)
    finally:
        for child in children:
            with child:
                child.kill()
    assert held.growth().n_children == 1


def test_a_peak_that_is_over_is_seen_until_it_is_forgotten():
    forget_peak()
    before_mb = peak_mb()
    with mmap.mmap(-1, 50 * MEGABYTE) as memory:
        memory.write(b"x" * 50 * MEGABYTE)
    # The bytes that were written count as well, in a large block that is given back.
    assert peak_mb() - before_mb > 49
    forget_peak()
    assert peak_mb() - before_mb < 25
