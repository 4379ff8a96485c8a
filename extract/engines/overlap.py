"""Overlap of decoding and inference, with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.engines.engine import Engine

_AHEAD = 2  # batches that wait ready, so that no worker waits for the decoder


def run_engine(engine: Engine, clips: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
    """Yield the feature (D,) or maps (P, h, w, D) of each clip (T, H, W, 3), in order.

    The clips are drawn from the caller's thread, as few ahead as keep the workers busy.
    """
    pending: deque[Future[NDArray[np.float32]]] = deque()
    pool = ThreadPoolExecutor(engine.workers, thread_name_prefix="vadpipe-engine")
    try:
        source = iter(clips)
        while batch := list(islice(source, engine.batch)):
            pending.append(pool.submit(engine, np.stack(batch)))
            if len(pending) >= engine.workers + _AHEAD:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
