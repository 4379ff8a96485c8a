"""Conversion of published weights to safetensors, without executing anything in the file.

A ``.pyth`` is a pickle, and a pickle can name functions and have them called. ``torch.load`` with
``weights_only=True`` admits tensors and plain containers alone; torch before 2.10, where that could be got
around, is not supported.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from vadpipe.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_NEXT_STEP = "Use the file as published: a state dict, or one under 'model_state'."
_SHARED_BYTES = 2**26


def to_safetensors(data: bytes, *, origin: str) -> bytes:
    """Return the safetensors file of the state dict that ``data`` holds, each entry as it was.

    The same state dict gives the same bytes. pytorchvideo publishes ``{"model_state": {name: tensor}}``;
    what else lies beside ``model_state`` is left out. A bare ``{name: tensor}`` is taken as well.

    Args:
        data: content of a file that ``torch.save`` wrote.
        origin: its path or address, for messages.

    Raises:
        WeightsError: if it cannot be read safely, or holds anything but plain tensors.
    """
    import torch
    from safetensors.torch import save

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of an archive of code before it refuses it
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged or hostile file
        raise _refused("is not a weights file that can be loaded safely", origin) from error
    state = content.get("model_state", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not state:
        raise _refused("has no state dict", origin)
    tensors: dict[str, Tensor] = {}
    n_bytes = 0
    for name, value in state.items():
        if not isinstance(name, str) or not _is_plain(value):
            raise _refused(f"contains something other than a plain tensor: {str(name)[:80]!r}", origin)
        # Numbers can be repeated by a stride of 0, and shared by any number of entries.
        n_bytes += value.numel() * value.element_size()
        if n_bytes > 4 * len(data) + _SHARED_BYTES:
            raise _refused(f"contains entries far larger than the file: {name[:80]!r}", origin)
        # A copy of each: safetensors refuses tensors that share their memory.
        tensors[name] = value.detach().clone(memory_format=torch.contiguous_format)
    try:
        return save(tensors)
    except Exception as error:  # a type or a name for which the format has no place
        raise _refused("contains entries that cannot be stored as safetensors", origin) from error


def check_safetensors(path: Path) -> None:
    """Check that ``path`` is a whole safetensors file with at least one entry.

    Raises:
        WeightsError: if it is not, or cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            n_entries = len(file.keys())
    except (OSError, SafetensorError) as error:
        raise _refused(f"is not a whole safetensors file: {error}", str(path)) from error
    if n_entries == 0:
        raise _refused("has no state dict", str(path))


def _is_plain(value: object) -> TypeGuard[Tensor]:
    import torch

    return (
        isinstance(value, torch.Tensor)
        and value.layout is torch.strided
        and not value.is_quantized
        and not value.is_meta
    )


def _refused(reason: str, origin: str) -> WeightsError:
    return WeightsError(reason, file=origin, next_step=_NEXT_STEP)
