"""Features that ``torch.save`` wrote: tensors alone, read without running anything that lies in the file."""

from __future__ import annotations

import warnings
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError

if TYPE_CHECKING:
    from torch import Tensor

LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
_DEPTH = 2  # {"fight": {"a": tensor}}
_AGAIN = "Fetch the file again, or leave it out."
_AS_TENSORS = "Save it again as tensors alone: torch.save({NAME: tensor}, FILE)."


def is_torch_archive(path: Path) -> bool:
    """Tell whether a ZIP archive was written by ``torch.save``, and not by ``numpy.savez``."""
    return _is_torch_archive(path, _state(path))


@lru_cache(maxsize=1)
def _is_torch_archive(path: Path, state: tuple[int, int]) -> bool:
    del state
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def list_torch(path: Path, max_bytes: int) -> list[str]:
    """Return the keys of all tensors in a file, with ``/`` between those of nested dictionaries.

    The only tensor of a file that holds no dictionary has the key ``""``.

    Raises:
        FeatureError: where the file cannot be loaded safely, or holds more than tensors.
    """
    return list(_tensors(path, _state(path), max_bytes))


def read_torch(path: Path, key: str, max_bytes: int) -> NDArray[np.generic]:
    """Return a tensor as an array with its own axes; bfloat16 becomes float32.

    Raises:
        FeatureError: as :func:`list_torch` does, and where it is not plain numbers in memory.
    """
    import torch

    tensor = _tensors(path, _state(path), max_bytes)[key]
    reason = None
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        reason = "is sparse, quantized or without data"
    elif tensor.is_complex() or tensor.dtype is torch.bool:
        reason = f"holds {tensor.dtype}, not numbers"
    elif tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        reason = f"has the shape {tuple(tensor.shape)}, but holds fewer numbers"
    elif tensor.numel() * 4 > max_bytes:
        reason = f"holds more than {max_bytes / 2**30:.0f} GiB"
    if reason is not None:
        raise FeatureError(f"{key or 'its tensor'!r} {reason}", file=path, next_step=_AS_TENSORS)
    tensor = tensor.detach()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.to(torch.float32)
    # A copy: the tensor is a view of the file, which may change.
    return np.array(tensor.resolve_neg().numpy())


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=1)  # one file may hold thousands of videos, which are read one by one
def _tensors(path: Path, state: tuple[int, int], max_bytes: int) -> dict[str, Tensor]:
    import torch

    n_bytes, _ = state
    archive = is_torch_archive(path)
    if archive:
        _check_archive(path, max_bytes)
    elif n_bytes > max_bytes:
        raise FeatureError(
            f"has {n_bytes / 2**30:.0f} GiB, above the limit", file=path, next_step=_AS_TENSORS
        )
    if _makes_memory(path, archive):
        reason = "asks for memory that no tensor needs, and is not loaded"
        raise FeatureError(reason, file=path, next_step=_AS_TENSORS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of an archive of code before it refuses it
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=archive or None)
    except MemoryError as error:
        raise FeatureError("needs more memory than there is", file=path) from error
    except Exception as error:  # torch raises many kinds for a damaged or hostile file
        raise FeatureError(
            "is damaged, or holds more than tensors, which could run code and is never loaded",
            file=path,
            next_step=_AS_TENSORS,
        ) from error
    return dict(_flat(content, path, "", _DEPTH))


def _makes_memory(path: Path, archive: bool) -> bool:
    """Tell whether a pickle calls ``bytearray``, which torch allows, with whatever length."""
    if not archive:
        return b"bytearray" in path.read_bytes()
    with zipfile.ZipFile(path) as file:
        return any(b"bytearray" in file.read(name) for name in file.namelist() if name.endswith(".pkl"))


def _check_archive(path: Path, max_bytes: int) -> None:
    """Refuse an archive that is packed, as torch never does, or larger than allowed once it is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (OSError, zipfile.BadZipFile) as error:
        raise FeatureError(f"is damaged: {error}", file=path, next_step=_AGAIN) from error
    if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos):
        raise FeatureError("is packed as torch.save never does", file=path, next_step=_AS_TENSORS)
    largest = max((info.file_size for info in infos), default=0)
    if largest > max_bytes:
        reason = f"holds a tensor of {largest / 2**30:.0f} GiB, above the limit of {max_bytes / 2**30:.0f}"
        raise FeatureError(reason, file=path, next_step=_AS_TENSORS)


def _flat(content: object, path: Path, key: str, depth: int) -> list[tuple[str, Tensor]]:
    """Return the tensors of a dictionary, and of those in it, with their keys."""
    from torch import Tensor

    if isinstance(content, Tensor):
        return [(key, content)]
    if isinstance(content, dict) and depth:
        found = []
        for name, value in content.items():
            if isinstance(value, (Tensor, dict)):
                below = str(name).strip("/")
                found += _flat(value, path, f"{key}/{below}" if key else below, depth - 1)
            elif not isinstance(value, (str, int, float, type(None))):  # a name or a count may lie beside
                raise _not_tensors(value, path)
        return found
    raise _not_tensors(content, path)


def _not_tensors(value: object, path: Path) -> FeatureError:
    reason = f"holds {type(value).__name__}, not tensors or one dictionary of tensors"
    return FeatureError(reason, file=path, next_step=_AS_TENSORS)
