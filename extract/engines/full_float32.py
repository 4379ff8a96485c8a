"""Convolutions of float32 on a GPU in float32: of backbones, and of heads in training."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_n_inside = 0
_before = ""


@contextmanager
def full_float32() -> Iterator[None]:
    """Have cuDNN convolve float32 in float32 while any thread is inside, and leave the setting as it was.

    On GPUs since Ampere its default is TF32, which rounds to 10 bits, no more than float16 has. The setting
    is one for all threads: the first in sets it, the last out sets it back.
    """
    global _n_inside, _before
    convolution = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    with _lock:
        if not _n_inside:
            _before, convolution.fp32_precision = convolution.fp32_precision, "ieee"
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if not _n_inside:
                convolution.fp32_precision = _before
