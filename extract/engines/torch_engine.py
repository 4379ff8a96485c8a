"""The torch engine: the reference that every other engine is compared with."""

from __future__ import annotations

import ctypes

import numpy as np
import torch
from numpy.typing import NDArray

from vadpipe.extract.backbones.loading import ClipNetwork
from vadpipe.extract.engines.cores import usable_cores
from vadpipe.extract.engines.full_float32 import full_float32
from vadpipe.extract.engines.halving import HalvingBatches
from vadpipe.extract.pooling import positions
from vadpipe.features.sampling import SNIPPET_FRAMES

CUDA_BATCH = 16
HALF_TOLERANCE = 1e-3


class TorchEngine:
    """Eager float32 on the CPU, one clip per call, one thread per call.

    Two calls of one thread each finish sooner than two of two: threads within a call wait for each other
    at every layer.
    """

    def __init__(self, network: ClipNetwork) -> None:
        self.name = f"torch {torch.__version__} float32 on cpu"
        self.workers = usable_cores()
        self.batch = 1
        self._network = network
        self._threads = torch.get_num_threads()
        _keep_freed_memory()

    @torch.inference_mode()
    def __call__(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features or maps of clips (B, T, H, W, 3)."""
        torch.set_num_threads(1)  # of the calling thread, which is a worker; the default of others follows
        try:
            features: NDArray[np.float32] = self._network(torch.from_numpy(clips)).numpy()
        finally:
            torch.set_num_threads(self._threads)
        return features


class CudaEngine:
    """Torch on a GPU, in half precision where that may be and the features stay within 1e-3 of float32.

    That is measured when the engine is built, on clips of noise. Batches that the GPU's memory does not hold
    go in halves.
    """

    def __init__(
        self, network: ClipNetwork, clip_shape: tuple[int, int, int], device: torch.device, *, half: bool
    ) -> None:
        self.workers = 2  # one copies while the other computes
        self.batch = max(1, CUDA_BATCH * SNIPPET_FRAMES // clip_shape[0])  # as many frames at a time
        self._device = device
        self._network = network.to(device)
        self._halving = HalvingBatches(self._run, self.batch, self.workers)
        precise = half and self._is_precise_in_half(clip_shape)
        precision = "float16" if precise else "float32"
        self.name = f"torch {torch.__version__} {precision} on {torch.cuda.get_device_name(device)}"

    def _is_precise_in_half(self, clip_shape: tuple[int, int, int]) -> bool:
        """Leave the network in half precision where its features are near enough, and return whether."""
        noise = np.random.default_rng(0).integers(0, 256, (2, *clip_shape, 3), dtype=np.uint8)
        full = np.stack([positions(output) for output in self(noise)])
        self._network = self._network.half()
        rounded = np.stack([positions(output) for output in self(noise)])
        error = float(np.linalg.norm(rounded - full) / np.linalg.norm(full))
        if np.isfinite(error) and error <= HALF_TOLERANCE:
            return True
        self._network = self._network.float()
        return False

    @property
    def fits(self) -> int:
        """How many clips at most are run together: fewer than ``batch`` once memory did not hold them."""
        return self._halving.fits

    def __call__(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features or maps of clips (B, T, H, W, 3).

        Raises:
            UsageError: if the GPU's memory does not hold one clip.
        """
        return self._halving(clips)

    @torch.inference_mode()
    def _run(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = torch.from_numpy(clips).pin_memory().to(self._device, non_blocking=True)
        with full_float32():
            features: NDArray[np.float32] = self._network(pixels).cpu().numpy()
        return features


def _keep_freed_memory() -> None:
    """Have malloc keep what torch frees between layers; giving it back costs more than the arithmetic.

    Measured on X3D: 1.4 times as fast at batch 1. Where the C library is not glibc nothing happens.
    """
    m_trim_threshold, m_mmap_threshold, at_most = -1, -3, 2**31 - 1
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return
    mallopt(m_mmap_threshold, at_most)
    mallopt(m_trim_threshold, at_most)
