"""The choice of the torch device."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from vadpipe.errors import UsageError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; ``"auto"`` is the first CUDA device, else the CPU.

    Raises:
        UsageError: if a device is named that is not available on this machine or in this build of torch.
    """
    import torch

    available = torch.cuda.is_available()
    if name == "auto":
        chosen, why = ("cuda:0", "torch found it") if available else ("cpu", "torch found no CUDA device")
        log.info("device %s: %s", chosen, why)
        return torch.device(chosen)
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"unknown device {name!r}", next_step="Use auto, cpu or cuda:0.") from None
    if device.type == "cuda" and (not available or (device.index or 0) >= torch.cuda.device_count()):
        raise UsageError(
            f"device {name!r} is not available: torch {torch.__version__} sees "
            f"{torch.cuda.device_count()} CUDA devices",
            next_step="Use --device cpu, or install a CUDA build of torch and its driver.",
        )
    if device.type not in {"cpu", "cuda"}:
        raise UsageError(f"device {name!r} is not supported", next_step="Use auto, cpu or cuda:0.")
    return device
