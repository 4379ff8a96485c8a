"""Features in HDF5, read without following the file anywhere else.

An HDF5 file can refer to others: by links, by virtual datasets, by data that lies outside. None of these is
followed; nor is a filter loaded that HDF5 does not bring itself.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError

if TYPE_CHECKING:
    import h5py

MAGIC = b"\x89HDF\r\n\x1a\n"
_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})  # deflate, shuffle, fletcher32, szip, nbit, scale-offset, lzf
_MOST_DEFLATED = 1100  # deflate makes 1032 zeros one byte
_MAX_DEPTH = 16
_MAX_ARRAYS = 1_000_000
_AGAIN = "Fetch the file again, or leave it out."
_AS_NUMBERS = "Save the arrays again as plain datasets: file.create_dataset(NAME, data=array)."


def list_hdf5(path: Path) -> list[str]:
    """Return the keys of all datasets in a file, with ``/`` between the names of groups.

    Raises:
        FeatureError: where the file cannot be read, or refers to another.
        UsageError: where h5py is not installed.
    """
    with _opened(path) as file:
        return list(_keys(file, path, seen=set()))


def read_hdf5(path: Path, key: str, max_bytes: int) -> NDArray[np.generic]:
    """Return a dataset with its own axes and numbers.

    Raises:
        FeatureError: where it cannot be read, holds no plain numbers, has more bytes than allowed or than are
            in the file, or refers to another file.
    """
    with _opened(path) as file:
        dataset = file[key]
        _check(dataset, path, key, max_bytes)
        array: NDArray[np.generic] = dataset[()]
    return array


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    h5py = _h5py(path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except FeatureError:
        raise
    except MemoryError as error:
        raise FeatureError("needs more memory than there is", file=path) from error
    except Exception as error:  # h5py raises many kinds for a damaged or hostile file
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FeatureError(f"is a damaged HDF5 file: {reason}", file=path, next_step=_AGAIN) from error


def _h5py(path: Path) -> ModuleType:
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise FeatureError(
            "is an HDF5 file, and h5py is not installed",
            file=path,
            next_step="pip install 'vadpipe[hdf5]'",
        ) from error


def _keys(
    group: h5py.Group, path: Path, depth: int = 0, above: frozenset[int] = frozenset(), *, seen: set[int]
) -> Iterator[str]:
    """Yield the keys of the datasets of a group and those below it."""
    h5py = _h5py(path)
    if len(group) > _MAX_ARRAYS:
        raise FeatureError(f"holds more than {_MAX_ARRAYS:,} arrays", file=path)
    address = h5py.h5o.get_info(group.id).addr
    seen.add(address)
    if depth > _MAX_DEPTH or address in above or len(seen) > _MAX_ARRAYS:
        raise FeatureError("has groups that contain themselves", file=path, next_step=_AGAIN)
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            reason = f"holds a link, {name!r}, which may lead to another file and is not followed"
            raise FeatureError(reason, file=path, next_step=_AS_NUMBERS)
        item = group[name]
        if isinstance(item, h5py.Group):
            if h5py.h5o.get_info(item.id).addr in seen and h5py.h5o.get_info(item.id).addr not in above | {
                address
            }:
                raise FeatureError("has one group at two places", file=path, next_step=_AS_NUMBERS)
            yield from (f"{name}/{key}" for key in _keys(item, path, depth + 1, above | {address}, seen=seen))
        elif isinstance(item, h5py.Dataset):
            yield name


def _check(dataset: h5py.Dataset, path: Path, key: str, max_bytes: int) -> None:
    """Refuse a dataset that lies elsewhere, holds no numbers, or has more of them than the file can hold."""
    if dataset.shape is None:
        raise FeatureError(f"{key!r} is empty", file=path, next_step=_AGAIN)
    if dataset.is_virtual or dataset.external:
        reason = f"{key!r} lies in another file, which is not opened"
        raise FeatureError(reason, file=path, next_step=_AS_NUMBERS)
    if dataset.dtype.kind not in "fiu":
        raise FeatureError(f"{key!r} holds {dataset.dtype}, not numbers", file=path, next_step=_AS_NUMBERS)
    plist = dataset.id.get_create_plist()
    filters = {plist.get_filter(at)[0] for at in range(plist.get_nfilters())}
    if not filters <= _FILTERS:
        numbers = ", ".join(map(str, sorted(filters - _FILTERS)))
        reason = f"{key!r} is packed by a filter that HDF5 does not bring (number {numbers})"
        raise FeatureError(reason, file=path, next_step=_AS_NUMBERS)
    item = dataset.dtype.itemsize
    needed = math.prod(map(int, dataset.shape or (0,))) * item
    chunk = math.prod(map(int, dataset.chunks or (0,))) * item
    if max(needed, chunk) > max_bytes:
        raise FeatureError(
            f"{key!r} holds {max(needed, chunk) / 2**30:.0f} GiB, above the limit of {max_bytes / 2**30:.0f}",
            file=path,
            next_step="Save it as float32 or float16, or with fewer crops.",
        )
    held = dataset.id.get_storage_size() * (_MOST_DEFLATED if filters else 1)
    if needed > held:
        shape = tuple(map(int, dataset.shape))
        reason = f"{key!r} is cut short: its shape {shape} needs {needed} bytes, and the file holds less"
        raise FeatureError(reason, file=path, next_step=_AGAIN)
