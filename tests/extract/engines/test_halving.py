"""A batch that the GPU's memory does not hold goes in halves, with the same outputs in the same order.

The memory is a counter of the clips that run at once.
"""

import threading

import numpy as np
import pytest
import torch

from support.waiting import LONG_S
from vadpipe.errors import UsageError
from vadpipe.extract.engines.halving import HalvingBatches


class Memory:
    """Holds so many clips at once, whoever runs them."""

    def __init__(self, clips):
        self.clips, self.used, self.runs = clips, 0, []
        self._lock = threading.Lock()

    def __call__(self, clips):
        with self._lock:
            self.runs.append(len(clips))
            if self.used + len(clips) > self.clips:
                raise torch.OutOfMemoryError("CUDA out of memory")
            self.used += len(clips)
        try:
            return self.compute(clips)
        finally:
            with self._lock:
                self.used -= len(clips)

    def compute(self, clips):
        return 2 * clips[:, 0, 0, 0].astype(np.float32)


def numbered(n):
    return np.arange(3 * n, dtype=np.uint8).reshape(n, 1, 1, 1, 3)


@pytest.mark.parametrize(
    ("holds", "runs", "fits"),
    [(9, [7], 7), (6, [7, 3, 3, 1], 3), (2, [7, 3, *[1] * 7], 1), (1, [7, 3, *[1] * 7], 1)],
)
def test_outputs_are_those_of_the_whole_batch(holds, runs, fits):
    memory, clips = Memory(holds), numbered(7)
    halving = HalvingBatches(memory, 7, 2)
    np.testing.assert_array_equal(halving(clips), 2.0 * clips[:, 0, 0, 0])
    assert memory.runs == runs
    assert halving.fits == fits


def test_later_batches_begin_with_what_has_fitted():
    memory = Memory(4)
    halving = HalvingBatches(memory, 6, 2)
    halving(numbered(6))
    memory.runs.clear()
    halving(numbered(6))
    assert memory.runs == [3, 3]


def test_it_says_so_once(caplog):
    halving = HalvingBatches(Memory(4), 6, 2)
    with caplog.at_level("INFO", logger="vadpipe"):
        halving(numbered(6))
        halving(numbered(6))
    assert caplog.messages == ["the GPU's memory does not hold 6 clips at once; going on with 3"]


def test_one_clip_that_does_not_fit_is_an_error_with_a_way_out():
    halving = HalvingBatches(Memory(0), 4, 2)
    with pytest.raises(UsageError, match="does not hold one clip of 1 x 1 x 1\nFree memory on it, choose"):
        halving(numbered(4))
    halving = HalvingBatches(Memory(0), 4, 2)
    for _ in range(3):  # no place is lost by an error
        with pytest.raises(UsageError):
            halving(numbered(1))


def test_other_errors_are_not_retried():
    def broken(clips):
        raise RuntimeError("an illegal memory access")

    with pytest.raises(RuntimeError, match="illegal"):
        HalvingBatches(broken, 4, 2)(numbered(4))


def test_what_does_not_fit_beside_another_run_is_tried_again_when_that_is_done():
    """The memory holds one clip; the second thread comes while the first one's is there."""
    first_is_in, second_has_failed = threading.Event(), threading.Event()

    class Watched(Memory):
        def __call__(self, clips):
            try:
                return super().__call__(clips)
            except torch.OutOfMemoryError:
                second_has_failed.set()
                raise

        def compute(self, clips):
            if not first_is_in.is_set():
                first_is_in.set()
                assert second_has_failed.wait(LONG_S)
            return super().compute(clips)

    halving, outputs = HalvingBatches(Watched(1), 1, 2), {}

    def work(number):
        outputs[number] = halving(numbered(2)[number : number + 1])

    first = threading.Thread(target=work, args=(0,))
    first.start()
    assert first_is_in.wait(LONG_S)
    work(1)
    first.join(LONG_S)
    assert [outputs[number].tolist() for number in (0, 1)] == [[[0, 2, 4]], [[6, 8, 10]]]


def test_threads_that_all_fail_do_not_wait_for_each_other_for_ever():
    memory, n_threads = Memory(3), 6
    halving, found = HalvingBatches(memory, 8, 2), [None] * n_threads

    def work(number):
        found[number] = halving(numbered(8))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    for outputs in found:
        np.testing.assert_array_equal(outputs, 2.0 * numbered(8)[:, 0, 0, 0])
