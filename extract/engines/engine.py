"""Engines: their interface, and the choice of one."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import UsageError

if TYPE_CHECKING:
    import torch

    from vadpipe.extract.backbones.loading import ClipNetwork

log = logging.getLogger(__name__)

ENGINES = ("torch", "openvino")
PRECISIONS = ("float32", "int8")


class Engine(Protocol):
    """Runs a backbone on batches of clips; may be called from several threads at once.

    Attributes:
        name: what recipes record, for example ``"torch 2.14.1 float32 on cpu"``.
        workers: how many calls at once keep the machine busy.
        batch: how many clips a call should hold at most.
    """

    name: str
    workers: int
    batch: int

    def __call__(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features (B, D) or (B, P, D), or maps (B, P, h, w, D), of clips (B, T, H, W, 3), RGB."""
        ...


class EngineOfWindows:
    """Engines of one backbone for clips of several lengths, taken as one.

    Args:
        engines: by the number of frames T of their clips; all of one kind.
    """

    def __init__(self, engines: Mapping[int, Engine]) -> None:
        self._engines = dict(engines)
        first = next(iter(self._engines.values()))
        self.name, self.workers, self.batch = first.name, first.workers, first.batch

    def __call__(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the engine for their length gives for clips (B, T, H, W, 3)."""
        return self._engines[clips.shape[1]](clips)


def check_engine(name: str) -> None:
    """Raise UsageError where there is no engine of that name, or it is not installed."""
    if name not in ("auto", *ENGINES):
        choices = ", ".join(["auto", *ENGINES])
        raise UsageError(f"unknown engine {name!r}", next_step=f"Choose one of: {choices}.")
    if name == "openvino" and importlib.util.find_spec("openvino") is None:
        raise UsageError(
            "the engine openvino is not installed", next_step="pip install 'vadpipe[cpu]', or --engine torch."
        )


def choose_engine(name: str, device: torch.device) -> str:
    """Return the engine to use; ``"auto"`` is OpenVINO on a CPU where it is installed, else torch.

    Raises:
        UsageError: if one is named that is unknown, not installed, or cannot use the device.
    """
    installed = importlib.util.find_spec("openvino") is not None
    if name == "auto":
        chosen = "openvino" if installed and device.type == "cpu" else "torch"
        if device.type == "cpu" and not installed:
            log.info("engine torch: OpenVINO is not installed (pip install 'vadpipe[cpu]' is faster)")
        else:
            log.info("engine %s: the fastest available on %s", chosen, device)
        return chosen
    check_engine(name)
    if name == "openvino" and device.type != "cpu":
        raise UsageError(f"the engine openvino cannot run on {device}", next_step="Add --device cpu.")
    return name


def choose_precision(asked: str, engine: str, quantised: Path | None) -> str:
    """Return the precision to compute in; ``"auto"`` is int8 where there is a quantised network for it.

    Args:
        asked: ``"auto"`` or one of :data:`PRECISIONS`.
        engine: what :func:`choose_engine` returned.
        quantised: the backbone in int8 for OpenVINO, where there is one of its weights.

    Raises:
        UsageError: if int8 is requested but not available.
    """
    if asked == "int8" and engine != "openvino":
        step = "Use --engine openvino, or --precision float32."
        raise UsageError(f"the engine {engine} does not compute in int8", next_step=step)
    if asked == "int8" and quantised is None:
        raise UsageError(
            "no int8 version of these weights is available", next_step="Use --precision float32."
        )
    if asked == "auto":
        return "int8" if engine == "openvino" and quantised is not None else "float32"
    return asked


def build_engine(
    name: str,
    load: Callable[[], ClipNetwork],
    clip_shape: tuple[int, int, int],
    device: torch.device,
    *,
    key: str,
    quantised: Path | None = None,
    half: bool = True,
) -> Engine:
    """Return an engine by its name.

    Args:
        name: what :func:`choose_engine` returned.
        load: loads the backbone onto the CPU.
        clip_shape: (T, H, W) of each clip.
        device: where to run.
        key: the backbone and the digest of its weights, by which a converted network is kept.
        quantised: the backbone in int8 for OpenVINO, which is taken instead of what ``load`` gives.
        half: whether a GPU may compute in float16.
    """
    if name == "openvino":
        from vadpipe.extract.engines.openvino_engine import OpenVINOEngine, converted_network, read_network

        if quantised is not None:
            return OpenVINOEngine(read_network(quantised, clip_shape), "int8")
        return OpenVINOEngine(converted_network(load, clip_shape, key), "float32")
    from vadpipe.extract.engines.torch_engine import CudaEngine, TorchEngine

    if device.type == "cpu":
        return TorchEngine(load())
    return CudaEngine(load(), clip_shape, device, half=half)
