"""Checks of the backbones on a GPU: the features are those of the CPU, also where memory is short.

A part of ``gpu_check.py``. Networks have random weights by a seed, or those of a file.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from vadpipe.extract.backbones.loading import ClipNetwork, load_all
from vadpipe.extract.backbones.registry import find_backbone
from vadpipe.extract.engines.engine import Engine, build_engine
from vadpipe.extract.engines.halving import HalvingBatches
from vadpipe.extract.engines.overlap import run_engine
from vadpipe.extract.engines.torch_engine import CudaEngine
from vadpipe.extract.pooling import positions

Clips = NDArray[np.uint8]
"""(B, T, H, W, 3), RGB."""

Rows = NDArray[np.float32]
"""(B, D), the feature of each clip."""

FLOAT32_ERROR = 1e-4
"""Relative, as the tests of the engines have it."""
HALF_ERROR = 1e-3
"""Relative, above which the engine itself goes back to float32."""
HALF_COSINE = 0.999
"""Of the worst clip, of a network that is half whether the engine would take it so or not."""


@dataclass(frozen=True)
class Closeness:
    """How close the features of some clips are to those of reference.

    Attributes:
        cosine_min, cosine_median: over the clips; the mean of the reference is subtracted from both before,
            as features of different clips would have a cosine of nearly 1 without that.
        relative_error: norm of the difference over norm of the reference, of all clips together.
    """

    cosine_min: float
    cosine_median: float
    relative_error: float

    @classmethod
    def of(cls, found: Rows, reference: Rows) -> Closeness:
        """Compare features of at least two clips."""
        mean = reference.mean(axis=0, dtype=np.float64)
        one, other = found - mean, reference - mean
        norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        with np.errstate(invalid="ignore"):  # clips without a difference have no cosine, which is not close
            cosines = (one * other).sum(axis=1) / norms
        return cls(float(cosines.min()), float(np.median(cosines)), relative_error(found, reference))


def relative_error(found: Rows, reference: Rows) -> float:
    """Return the norm of the difference over that of the reference, of all clips together."""
    return float(np.linalg.norm(found.astype(np.float64) - reference) / np.linalg.norm(reference))


@dataclass(frozen=True)
class FeaturesCheck:
    """Features of one backbone on a device, compared with eager float32 on the CPU.

    Attributes:
        backbone: which.
        weights: ``"random"`` or ``"trained"``.
        n_clips: how many were compared.
        float32: of the engine where float32 is asked for.
        half: of the network in float16, whatever the engine makes of it.
        engine, chosen: what the engine takes where half precision is allowed, and how close that is.
        reason: why it is not good enough; None if it is.
    """

    backbone: str
    weights: str
    n_clips: int
    float32: Closeness
    half: Closeness
    engine: str
    chosen: Closeness
    reason: str | None


def check_features(
    name: str,
    device: torch.device,
    *,
    n_clips: int,
    side_px: int | None = None,
    weights: Path | None = None,
) -> FeaturesCheck:
    """Compare the features that one backbone gives on the device and on the CPU.

    Args:
        name: of the backbone.
        device: of the engines.
        n_clips: at least two.
        side_px: of the clips; by default what the backbone is made for.
        weights: folder that may have weights of it, ``NAME.safetensors``; they are random otherwise.
    """
    clips = moving_clips(name, n_clips, side_px)
    file = None if weights is None else weights / f"{name}.safetensors"
    if file is not None and file.is_file():
        kind, network = "trained", trained_network(name, file)
    else:
        kind, network = "random", seeded_network(name, clips)
    reference = eager_rows(network, clips)
    exact = engine_rows(torch_engine(network, clips, device, half=False), clips)
    half = eager_rows(copy.deepcopy(network).half().to(device), clips)
    engine = torch_engine(network, clips, device, half=True)
    found = [Closeness.of(rows, reference) for rows in (exact, half, engine_rows(engine, clips))]
    return FeaturesCheck(name, kind, n_clips, found[0], found[1], engine.name, found[2], _too_far(*found))


def _too_far(exact: Closeness, half: Closeness, chosen: Closeness) -> str | None:
    """Return what is too far from the reference; whatever is not a number is."""
    if not exact.relative_error <= FLOAT32_ERROR:
        return f"float32 is {exact.relative_error:.1e} away, more than {FLOAT32_ERROR:.0e}"
    if not half.cosine_min >= HALF_COSINE:
        return f"float16 has a cosine of {half.cosine_min:.5f}, less than {HALF_COSINE}"
    if not chosen.relative_error <= HALF_ERROR:
        return f"the engine is {chosen.relative_error:.1e} away, more than {HALF_ERROR:.0e}"
    return None


@dataclass(frozen=True)
class HalvingCheck:
    """Features of a batch that the memory does not hold, compared with those of one that it does.

    Attributes:
        backbone: which.
        batch, fits: clips of the batch, and how many were run together in the end.
        limit_mb: of the GPU's memory; None where it was not limited, and every batch beyond ``fits`` refused.
        relative_error: of the features to those without the limit.
        reason: why it is not good enough; None if it is.
    """

    backbone: str
    batch: int
    fits: int
    limit_mb: float | None
    relative_error: float
    reason: str | None


def check_halving(name: str, device: torch.device, *, batch: int, side_px: int | None = None) -> HalvingCheck:
    """Have a batch run out of memory, and compare its features with those that it has otherwise."""
    clips = moving_clips(name, batch, side_px)
    network = seeded_network(name, clips[:2])
    if device.type == "cuda":
        expected, found, fits, limit_mb = _halved_on_gpu(network, clips, device)
    else:
        expected, found, fits = _halved_on_cpu(network, clips)
        limit_mb = None
    error = relative_error(found, expected)
    reason = None
    if fits >= batch:
        reason = f"all {batch} clips fitted: no memory ran out"
    elif not error <= FLOAT32_ERROR:
        reason = f"features are {error:.1e} away, more than {FLOAT32_ERROR:.0e}"
    return HalvingCheck(name, batch, fits, limit_mb, error, reason)


def _halved_on_gpu(network: ClipNetwork, clips: Clips, device: torch.device) -> tuple[Rows, Rows, int, float]:
    """Limit the memory to what lies between that of one clip and that of all."""
    engine = CudaEngine(copy.deepcopy(network), clips.shape[1:4], device, half=False)
    one_bytes = _peak_bytes(engine, clips[:1], device)
    all_bytes = _peak_bytes(engine, clips, device)
    expected = rows_of(engine(clips))
    limit_bytes = one_bytes + 0.4 * (all_bytes - one_bytes)
    with limited_memory(limit_bytes, device):
        found = rows_of(engine(clips))
    return expected, found, engine.fits, limit_bytes / 1e6


def _peak_bytes(engine: Engine, clips: Clips, device: torch.device) -> int:
    """Return what the allocator holds of the GPU at most while these clips are run."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    engine(clips)
    return torch.cuda.max_memory_reserved(device)


@contextmanager
def limited_memory(n_bytes: float, device: torch.device) -> Iterator[None]:
    """Let this process have only so much of the GPU's memory."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(n_bytes / total, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def _halved_on_cpu(network: ClipNetwork, clips: Clips) -> tuple[Rows, Rows, int]:
    """Do the same where memory cannot be limited: runs of more than two fifths of the clips are refused."""
    most = max(1, int(0.4 * len(clips)))

    @torch.inference_mode()
    def run(part: Clips) -> NDArray[np.float32]:
        if len(part) > most:
            raise torch.OutOfMemoryError(f"{len(part)} clips, at most {most}")
        outputs: NDArray[np.float32] = network(torch.from_numpy(part)).numpy()
        return outputs

    halving = HalvingBatches(run, len(clips), callers=2)
    return eager_rows(network, clips), rows_of(halving(clips)), halving.fits


# ---- networks, clips and their features ----------------------------------------------------------


def seeded_network(name: str, clips: Clips, seed: int = 0) -> ClipNetwork:
    """Return a backbone on the CPU with random weights that are as well-conditioned as trained ones.

    That is, the scale of the numbers stays the same from layer to layer, and rounding is not amplified:
    branches that are added are small beside what they are added to.
    """
    torch.manual_seed(seed)
    backbone = find_backbone(name)
    network = ClipNetwork(backbone, backbone.build()).requires_grad_(False)
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm3d)]
    if not norms:
        for layer in network.modules():
            if isinstance(layer, nn.Conv3d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight)
                layer.bias.zero_()
    for norm in norms:
        last_of_branch = not norm.weight.any()  # it begins with zeros, which would leave the branch out
        norm.weight.uniform_(*((0.2, 0.4) if last_of_branch else (0.8, 1.2)))
        norm.bias.normal_(0, 0.1)
        norm.momentum = 1.0
    network.eval()
    for norm in norms:  # no dropout
        norm.train()
    with torch.inference_mode():
        network(torch.from_numpy(clips[:4]))
    return network.eval()


def trained_network(name: str, file: Path) -> ClipNetwork:
    """Return a backbone on the CPU with the weights of a file, in evaluation mode and float32.

    Raises:
        WeightsError: if they are those of another one.
    """
    backbone = find_backbone(name)
    network = backbone.build()
    load_all(network, load_file(file), name, file)
    return ClipNetwork(backbone, network).eval().requires_grad_(False)


def moving_clips(name: str, n_clips: int, side_px: int | None = None, seed: int = 0) -> Clips:
    """Return clips of coloured blocks, each of its own, that move at its own speed."""
    backbone = find_backbone(name)
    side = side_px or backbone.input_px
    rng = np.random.default_rng(seed)
    clips = np.empty((n_clips, backbone.clip_frames, side, side, 3), dtype=np.uint8)
    for clip in clips:
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        blocks = coarse.repeat(-(-side // 8), 0).repeat(-(-side // 8), 1)[:side, :side]
        step = rng.integers(-6, 7, 2)
        for number, frame in enumerate(clip):
            noise = rng.integers(0, 32, (side, side, 3), dtype=np.uint8)
            frame[:] = np.roll(blocks, number * step, axis=(0, 1)) // 8 * 7 + noise
    return clips


def torch_engine(network: ClipNetwork, clips: Clips, device: torch.device, *, half: bool) -> Engine:
    """Return the torch engine as extraction builds it; it has a copy of the network."""
    shape = (clips.shape[1], clips.shape[2], clips.shape[3])
    return build_engine("torch", lambda: copy.deepcopy(network), shape, device, key="checked", half=half)


def engine_rows(engine: Engine, clips: Clips) -> Rows:
    """Return the features of clips as extraction gets them."""
    return rows_of(list(run_engine(engine, clips)))


@torch.inference_mode()
def eager_rows(network: ClipNetwork, clips: Clips) -> Rows:
    """Return the features of clips by the network alone, where it lies, two at a time."""
    device = network.scale.device
    parts = [clips[start : start + 2] for start in range(0, len(clips), 2)]
    return rows_of(
        [output for part in parts for output in network(torch.from_numpy(part).to(device)).cpu().numpy()]
    )


def rows_of(outputs: list[NDArray[np.float32]] | NDArray[np.float32]) -> Rows:
    """Return the mean over the positions in time of what a backbone gives for each clip."""
    return np.stack([positions(output).mean(axis=0) for output in outputs])
