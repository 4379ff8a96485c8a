"""Batches on a GPU whose memory may not hold them: those that do not fit go in halves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from vadpipe.errors import UsageError

log = logging.getLogger(__name__)

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Gives the outputs (B, ...) of clips (B, ...)."""


class HalvingBatches:
    """Runs batches whole where memory allows, else in parts, each half as long as what did not fit.

    Later batches go in parts of the size that fitted from the start. May be called from several threads at
    once, whose runs share the memory; what did not fit is tried again while no other runs.

    Args:
        run: of one batch; raises ``torch.OutOfMemoryError`` where memory does not hold it.
        batch: clips that a call should hold at most.
        callers: how many threads run at once; further ones wait.

    Attributes:
        fits: how many clips at most are run together now.
    """

    def __init__(self, run: Run, batch: int, callers: int) -> None:
        self.fits = batch
        self._run, self._callers = run, callers
        self._running = threading.Semaphore(callers)
        self._retrying = threading.Lock()

    def __call__(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the outputs of all clips, in order.

        Raises:
            UsageError: if not even one clip fits.
        """
        outputs: list[NDArray[np.float32]] = []
        done = 0
        while done < len(clips):
            part = clips[done : done + self.fits]
            with self._running:
                output = self._attempt(part)
            if output is None:  # whoever waits to be alone must not run itself
                output = self._run_in_less(part)
            outputs.append(output)
            done += len(output)
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def _attempt(self, part: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return the outputs, or None if memory does not hold them; what the failed run held is freed."""
        try:
            return self._run(part)
        except torch.OutOfMemoryError:
            return None

    def _run_in_less(self, part: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the outputs of the first clips of a part, as many as memory holds with no other run."""
        with self._no_other_runs():
            n_clips = len(part)
            while True:
                n_clips = max(1, n_clips // 2)
                torch.cuda.empty_cache()  # pieces that were cut for larger batches
                output = self._attempt(part[:n_clips])
                if output is not None:
                    break
                if n_clips == 1:
                    size = " x ".join(map(str, part.shape[1:4]))
                    raise UsageError(
                        f"the GPU's memory does not hold one clip of {size}",
                        next_step="Free memory on it, choose a smaller backbone, or use --device cpu.",
                    )
            # A part of one clip did not fit because of what ran beside it.
            fits = n_clips if n_clips < len(part) else max(1, self.fits // 2)
            if fits < self.fits:
                log.info("the GPU's memory does not hold %d clips at once; going on with %d", self.fits, fits)
                self.fits = fits
            return output

    @contextmanager
    def _no_other_runs(self) -> Iterator[None]:
        with self._retrying:  # two that wait for each other's place would wait for ever
            for _ in range(self._callers):
                self._running.acquire()
            try:
                yield
            finally:
                self._running.release(self._callers)
