"""How fast backbones and a training step of the head are on a GPU, against the most that it can do.

A part of ``gpu_check.py``.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from gpu_backbones import moving_clips, seeded_network, torch_engine
from torch.utils.flop_counter import FlopCounterMode

from vadpipe.extract.backbones.loading import ClipNetwork
from vadpipe.extract.backbones.registry import find_backbone
from vadpipe.extract.engines.full_float32 import full_float32
from vadpipe.extract.engines.overlap import run_engine
from vadpipe.extract.engines.torch_engine import CUDA_BATCH
from vadpipe.features.sampling import SNIPPET_FRAMES

DTYPES = {
    "float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "tf32": torch.float32,
}  # fmt: skip
"""``tf32`` is float32 as torch convolves it by default, which the engine does not."""

# TFLOP/s of dense tensors, from NVIDIA's data sheets of the H100 and the H200.
_SXM = {"float16": 989.4, "bfloat16": 989.4, "float32": 66.9, "tf32": 494.7}
PUBLISHED_TFLOPS = {"NVIDIA H100 80GB HBM3": _SXM, "NVIDIA H200": _SXM}


@dataclass(frozen=True)
class Speed:
    """How fast a network computes clips that lie in the device's memory, in one precision.

    Attributes:
        snippets_per_s: median over the repeats.
        frames_per_s: of video, 16 a snippet.
        tflops: floating-point operations a second that this makes, a multiplication and a sum being two.
        of_product: share of the speed at which this device multiplies matrices in this precision.
        of_published: share of what the manufacturer states; None if that is not known here.
        peak_mb: of the device's memory; None of a CPU.
    """

    snippets_per_s: float
    frames_per_s: float
    tflops: float
    of_product: float
    of_published: float | None
    peak_mb: float | None


@dataclass(frozen=True)
class ThroughputCheck:
    """How fast one backbone is.

    Attributes:
        backbone: which.
        batch: clips at a time.
        gflop_per_snippet: counted, not measured.
        speeds: by precision.
        engine, engine_snippets_per_s: of the whole engine, from pixels to features in main memory.
        reason: why a figure cannot be true; None if all can.
    """

    backbone: str
    batch: int
    gflop_per_snippet: float
    speeds: dict[str, Speed]
    engine: str
    engine_snippets_per_s: float
    reason: str | None


def check_throughput(
    name: str,
    device: torch.device,
    product_tflops: dict[str, float],
    *,
    batch: int | None = None,
    repeats: int,
    side_px: int | None = None,
) -> ThroughputCheck:
    """Measure one backbone in each precision for which the speed of matrix products is known.

    Args:
        name: of the backbone.
        device: to be measured.
        product_tflops: what :func:`matrix_tflops` gives, by precision.
        batch: clips at a time; by default as many as the engine takes.
        repeats: of each measurement; the median is taken.
        side_px: of the clips; by default what the backbone is made for.
    """
    batch = batch or max(1, CUDA_BATCH * SNIPPET_FRAMES // find_backbone(name).clip_frames)
    clips = moving_clips(name, batch, side_px)
    network = seeded_network(name, clips)
    flop = counted_flop(network, clips.shape[1:])
    published = PUBLISHED_TFLOPS.get(device_name(device), {})
    speeds = {}
    for kind, peak in product_tflops.items():
        took_s, peak_mb = _network_s(network, clips, device, kind, repeats)
        rate = batch / took_s
        tflops = rate * flop / 1e12
        stated = tflops / published[kind] if kind in published else None
        speeds[kind] = Speed(rate, rate * SNIPPET_FRAMES, tflops, tflops / peak, stated, peak_mb)
    engine = torch_engine(network, clips, device, half=True)
    many = [clip for _ in range(4) for clip in clips]
    engine_s = statistics.median(
        durations_s(lambda: list(run_engine(engine, many)), device, repeats, warm_up=1)
    )
    return ThroughputCheck(
        name, batch, flop / 1e9, speeds, engine.name, len(many) / engine_s, _impossible(speeds)
    )


def _impossible(speeds: dict[str, Speed]) -> str | None:
    """Return which figure is none, or beyond what the device can do."""
    for kind, speed in speeds.items():
        if not 0 < speed.snippets_per_s < np.inf:
            return f"{kind}: {speed.snippets_per_s} snippets a second"
        if speed.of_published is not None and speed.of_published > 1:
            return f"{kind}: {speed.of_published:.0%} of the peak; operations or time are counted wrongly"
    return None


def _network_s(
    network: ClipNetwork, clips: np.ndarray, device: torch.device, kind: str, repeats: int
) -> tuple[float, float | None]:
    """Return the seconds of a batch, and the peak of the device's memory in MB."""
    ready, pixels = copy.deepcopy(network).to(device, DTYPES[kind]), torch.from_numpy(clips).to(device)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    with torch.inference_mode(), full_float32() if kind == "float32" else nullcontext():
        took_s = statistics.median(durations_s(lambda: ready(pixels), device, repeats, warm_up=3))
    return took_s, torch.cuda.max_memory_allocated(device) / 1e6 if on_gpu else None


def counted_flop(network: ClipNetwork, clip_shape: tuple[int, ...]) -> int:
    """Return the floating-point operations of one clip (T, H, W, 3), counted without computing it."""
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        copy.deepcopy(network).to("meta")(torch.empty((1, *clip_shape), dtype=torch.uint8, device="meta"))
    return int(counter.get_total_flops())


def matrix_tflops(
    device: torch.device, *, side: int, repeats: int, kinds: tuple[str, ...]
) -> dict[str, float]:
    """Return the TFLOP/s of products of random square matrices, by precision."""
    found = {}
    matmul = torch.backends.cuda.matmul
    for kind in kinds:
        one, other = (torch.randn(side, side, device=device, dtype=DTYPES[kind]) for _ in range(2))
        before, matmul.fp32_precision = matmul.fp32_precision, "tf32" if kind == "tf32" else "ieee"
        try:
            took_s = durations_s(partial(torch.matmul, one, other), device, repeats, warm_up=3)
        finally:
            matmul.fp32_precision = before
        found[kind] = 2 * side**3 / statistics.median(took_s) / 1e12
    return found


@dataclass(frozen=True)
class StepCheck:
    """Seconds of a training step of the head with its default settings, after the warm-up.

    Attributes:
        bags, segments, dim: of a batch.
        cpu_s, device_s: medians of a step on the CPU and on the device.
        reason: why a figure cannot be true; None if all can.
    """

    bags: int
    segments: int
    dim: int
    cpu_s: float
    device_s: float
    reason: str | None


def check_training_step(device: torch.device, *, steps: int, repeats: int) -> StepCheck:
    """Measure steps on the CPU and on the device; each repeat is the mean of some."""
    from head import DIM, N_EACH, SEGMENTS, our_steps, random_set

    medians_s = []
    for where in (torch.device("cpu"), device):
        steps_of = our_steps(random_set(N_EACH, N_EACH, where))
        took_s = durations_s(partial(steps_of, steps), where, repeats, warm_up=1, by_clock=True)
        medians_s.append(statistics.median(took_s) / steps)
    cpu_s, device_s = medians_s
    reason = None if min(medians_s) > 0 else "a step took no time"
    return StepCheck(2 * N_EACH, SEGMENTS, DIM, cpu_s, device_s, reason)


def durations_s(
    work: Callable[[], object], device: torch.device, repeats: int, *, warm_up: int, by_clock: bool = False
) -> list[float]:
    """Return the seconds of each repeat of some work, after some that are not counted.

    Args:
        work: to be measured.
        device: where it is done. On a GPU CUDA's events tell the time.
        repeats: how often.
        warm_up: how often before that.
        by_clock: whether the clock tells the time on a GPU, too: of work in which the CPU has a large part.
    """
    for _ in range(warm_up):
        work()
    if device.type == "cuda" and not by_clock:
        return [_by_events(work, device) for _ in range(repeats)]
    took_s = []
    for _ in range(repeats):
        _finish(device)
        start_s = time.perf_counter()
        work()
        _finish(device)
        took_s.append(time.perf_counter() - start_s)
    return took_s


def _by_events(work: Callable[[], object], device: torch.device) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    _finish(device)
    start.record()
    work()
    end.record()
    _finish(device)
    return float(start.elapsed_time(end)) / 1000


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_name(device: torch.device) -> str:
    """Return what the manufacturer calls a GPU, or ``"cpu"``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
