"""Overlap of decoding and inference, with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.engines.engine import Engine

_AHEAD = 2  # batches that wait ready, so that no worker waits for the decoder


def run_engine(engine: Engine, clips: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
    """Yield the feature (D,) or maps (P, h, w, D) of each clip (T, H, W, 3), in order.

    The clips are drawn from the caller's thread, as few ahead as keep the workers busy. Those of one call to
    the engine are as long as each other.
    """
    pending: deque[Future[NDArray[np.float32]]] = deque()
    pool = ThreadPoolExecutor(engine.workers, thread_name_prefix="vadpipe-engine")
    try:
        for batch in _batches(clips, engine.batch):
            pending.append(pool.submit(engine, batch))
            if len(pending) >= engine.workers + _AHEAD:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _batches(clips: Iterable[NDArray[np.uint8]], size: int) -> Iterator[NDArray[np.uint8]]:
    """Yield up to that many consecutive clips of one length at a time, (B, T, H, W, 3)."""
    for _, alike in groupby(clips, key=len):
        while batch := list(islice(alike, size)):
            yield np.stack(batch)
