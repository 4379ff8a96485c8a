"""Arrays of published features: read without trusting the file, their axes put into one order.

Nothing in a file is executed: pickled objects are refused before numpy sees them. What a file says of
its size is compared with what it holds before memory is taken for it.
"""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vadpipe.errors import FeatureError
from vadpipe.extract.crops import CROPS
from vadpipe.published.hdf5 import MAGIC, list_hdf5, read_hdf5
from vadpipe.published.torch_files import LEGACY_MAGIC, is_torch_archive, list_torch, read_torch

SUFFIXES = (".npy", ".npz", ".txt", ".h5", ".hdf5", ".pt", ".pth")
"""What a folder is searched for."""

LAYOUTS = ("auto", "td", "tcd", "ctd")
"""The order of a file's axes: T rows, C crops, D numbers of a feature. ``auto`` recognises it."""

MAX_BYTES = 8 * 2**30
"""Of one array in memory. Ten crops of the longest video of UCF-Crime take 5 GB."""

MAX_TEXT_BYTES = 2**30
_START_BYTES = max(len(LEGACY_MAGIC), len(MAGIC))

_AS_NUMBERS = "Save it again as plain numbers: numpy.save(FILE, array.astype('float32'), allow_pickle=False)."
_AGAIN = "Fetch the file again, or leave it out."


def list_arrays(path: Path) -> list[str] | None:
    """Return the keys of the arrays in a file that may hold many, HDF5 or PyTorch's; None of other files.

    Raises:
        FeatureError: where such a file cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
        kind = _kind(start, path)
        if kind == "hdf5":
            return list_hdf5(path)
        return list_torch(path, MAX_BYTES) if kind == "torch" else None
    except OSError as error:
        raise FeatureError(f"cannot be read: {error.strerror or error}", file=path) from error


def _kind(start: bytes, path: Path) -> str | None:
    """Return what a file with many arrays is by its first bytes: ``"hdf5"``, ``"torch"`` or None."""
    if start.startswith(MAGIC):
        return "hdf5"
    if start.startswith(LEGACY_MAGIC) or (start.startswith(b"PK") and is_torch_archive(path)):
        return "torch"
    return None


def read_array(path: Path, name: str | None = None) -> NDArray[np.float32]:
    """Read an array of a file: ``.npy``, ``.npz``, a table of numbers as text, HDF5 or PyTorch's.

    The first bytes decide which of them it is, not the name.

    Args:
        path: the file.
        name: which array to take, for HDF5 and PyTorch one that :func:`list_arrays` gave; without it there
            has to be only one.

    Returns:
        The array with its own axes, without those that pooling leaves at the end with size 1; float32, to
        which whole numbers and other floats are converted.

    Raises:
        FeatureError: where the file cannot be read, holds no array of numbers or an empty one, has numbers
            that are not finite in float32, is cut short, or is larger than the limits.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
            file.seek(0)
            array = _read(file, start, path, name)
    except OSError as error:
        raise FeatureError(f"cannot be read: {error.strerror or error}", file=path) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise FeatureError(f"is damaged: {error}", file=path, next_step=_AGAIN) from error
    except MemoryError as error:
        raise FeatureError("needs more memory than there is", file=path) from error
    if array.size == 0:
        raise FeatureError(f"holds no numbers: its shape is {array.shape}", file=path, next_step=_AGAIN)
    array = _without_pooled_axes(array)
    with np.errstate(over="ignore"):  # what overflows is found below
        values = array.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise FeatureError(
            "holds numbers that are not finite (NaN, infinite, or too large for float32)",
            file=path,
            next_step="Leave the file out, or extract that video anew.",
        )
    return values


def _without_pooled_axes(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Drop the axes of size 1 that pooling over time and space leaves at the end: [T, D, 1, 1, 1]."""
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 3 and array.shape[-1] == 1 and array.shape[1] not in CROPS:
        array = array[..., 0]
    return array


def _read(file: IO[bytes], start: bytes, path: Path, name: str | None) -> NDArray[np.generic]:
    kind = _kind(start, path)
    if kind is not None:
        key = name
        if key is None:
            keys = list_arrays(path) or []
            if len(keys) != 1:
                reason = f"holds {len(keys)} arrays"
                raise FeatureError(reason, file=path, next_step="Name one with --array NAME.")
            key = keys[0]
        return read_hdf5(path, key, MAX_BYTES) if kind == "hdf5" else read_torch(path, key, MAX_BYTES)
    if start.startswith(npy.MAGIC_PREFIX):
        return _read_npy(file, path.stat().st_size, path)
    if start.startswith(b"PK"):
        return _read_member(file, path, name)
    if start.startswith(b"\x80"):
        raise _pickled(path)
    if path.suffix.lower() in (".npy", ".npz"):
        raise FeatureError("holds no array: it does not begin like one", file=path, next_step=_AGAIN)
    return _read_text(path)


def _read_member(file: IO[bytes], path: Path, name: str | None) -> NDArray[np.generic]:
    """Read one array of an ``.npz`` file."""
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if name is None and len(members) != 1:
            raise FeatureError(
                f"holds {len(members)} arrays{': ' if members else ''}{', '.join(list(members)[:8])}",
                file=path,
                next_step="Name one of them with --array NAME." if members else _AGAIN,
            )
        chosen = next(iter(members)) if name is None else name
        if chosen not in members:
            raise FeatureError(
                f"holds no array named {chosen!r}", file=path, next_step=f"It holds: {', '.join(members)}."
            )
        info = members[chosen]
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FeatureError(
                "is encrypted, or packed as numpy never does", file=path, next_step=_AS_NUMBERS
            )
        # The archive never gives out more than the size that it states.
        with archive.open(info) as member:
            return _read_npy(member, info.file_size, path)


def _read_npy(file: IO[bytes], n_bytes: int, path: Path) -> NDArray[np.generic]:
    """Read an array in numpy's own format from a stream of so many bytes, its header first."""
    try:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version[0]}.{version[1]} of the format holds no plain array")
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(file)
    except (ValueError, TypeError) as error:
        raise FeatureError(f"holds no array of numpy: {error}", file=path, next_step=_AGAIN) from error
    if dtype.hasobject:
        raise _pickled(path)
    if dtype.kind not in "fiu":
        raise FeatureError(f"holds {dtype}, not numbers", file=path, next_step=_AS_NUMBERS)
    # Python's whole numbers, since the product of hostile ones overflows numpy's.
    if any(length < 0 for length in shape):
        raise FeatureError(f"states a shape of {shape}", file=path, next_step=_AGAIN)
    needed, held = math.prod(shape) * dtype.itemsize, n_bytes - file.tell()
    if needed > held:
        reason = f"is cut short: its shape {shape} needs {needed} bytes, and {held} are there"
        raise FeatureError(reason, file=path, next_step=_AGAIN)
    if needed > MAX_BYTES:
        raise FeatureError(
            f"holds {needed / 2**30:.0f} GiB, above the limit of {MAX_BYTES / 2**30:.0f}",
            file=path,
            next_step="Save it as float32 or float16, or with fewer crops.",
        )
    file.seek(0)
    try:
        array: NDArray[np.generic] = npy.read_array(file, allow_pickle=False)
    except ValueError as error:  # an archive can hold less than it states
        raise FeatureError(f"is damaged: {error}", file=path, next_step=_AGAIN) from error
    return array


def _read_text(path: Path) -> NDArray[np.float32]:
    """Read lines of numbers, parted by spaces or commas; each line is a row."""
    if path.stat().st_size > MAX_TEXT_BYTES:
        reason = f"is text of {path.stat().st_size} bytes, above the limit of {MAX_TEXT_BYTES}"
        raise FeatureError(reason, file=path, next_step=_AS_NUMBERS)
    try:
        # Opened here: numpy would take some names for addresses or packed files.
        with path.open(encoding="utf-8") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an empty file, which is refused later
            first = next((line for line in file if line.partition("#")[0].strip()), "")
            delimiter = "," if "," in first else None
            file.seek(0)
            return np.loadtxt(file, dtype=np.float32, delimiter=delimiter, ndmin=2)
    except ValueError as error:
        why = str(error).partition(";")[0]
        raise FeatureError(
            f"is no table of numbers: {why}",
            file=path,
            next_step="Name the files of features alone, for example with a pattern: 'FOLDER/*.npy'.",
        ) from error


def _pickled(path: Path) -> FeatureError:
    return FeatureError(
        "holds pickled objects, which can run code and are never loaded", file=path, next_step=_AS_NUMBERS
    )


def in_order(
    array: NDArray[np.float32],
    path: Path,
    *,
    layout: str = "auto",
    crops: int | None = None,
    feature_dim: int | None = None,
) -> NDArray[np.float32]:
    """Bring an array into the order (T, C, D).

    Two axes are [T, D]. A transposed [D, T] looks just like it, so it is taken for one only where
    ``feature_dim`` tells. Of three axes, D is the last and C is 1, 5 or 10: where only one of the first two
    can be C, it is; where both can (``[10, 10, D]``, or one row of ten crops), nothing is guessed.

    Args:
        array: with two or three axes.
        path: its file, for messages.
        layout: one of :data:`LAYOUTS`.
        crops: C where it is known.
        feature_dim: D where it is known.

    Returns:
        (T, C, D) float32.

    Raises:
        FeatureError: where the axes are not as told, or cannot be told apart.
    """
    shape = array.shape
    if feature_dim is not None and array.ndim == 2 and shape[0] == feature_dim != shape[1]:
        array = array.T
    if feature_dim is not None and array.shape[-1] != feature_dim:
        raise FeatureError(
            f"has the shape {shape}, and no last axis of {feature_dim}",
            file=path,
            next_step="Correct --feature-dim, or put the axes into the order rows, crops, numbers.",
        )
    fitting = [name for name in _fitting(array.shape, crops) if layout in ("auto", name)]
    if len(fitting) > 1:
        raise FeatureError(
            f"has the shape {shape}: both of the first axes can be the crops",
            file=path,
            next_step="Say --layout tcd (rows first) or --layout ctd (crops first).",
        )
    if not fitting:
        raise FeatureError(
            f"has the shape {shape}, which is not {_wanted(layout, crops)}",
            file=path,
            next_step="Correct --layout or --crops, or leave them out.",
        )
    if fitting == ["td"]:
        return array[:, None]
    return array if fitting == ["tcd"] else array.transpose(1, 0, 2)


def _fitting(shape: Sequence[int], crops: int | None) -> list[str]:
    """Return the layouts that a shape can have."""
    possible = CROPS if crops is None else (crops,)
    if len(shape) == 2:
        return ["td"] if 1 in possible else []
    if len(shape) != 3:
        return []
    return [name for name, n_crops in (("tcd", shape[1]), ("ctd", shape[0])) if n_crops in possible]


def _wanted(layout: str, crops: int | None) -> str:
    """Say which shapes would have been right."""
    counts = "1, 5 or 10" if crops is None else str(crops)
    shapes = {
        "td": "[rows, numbers]",
        "tcd": f"[rows, crops, numbers] with {counts} crops",
        "ctd": f"[crops, rows, numbers] with {counts} crops",
    }
    if layout == "auto":
        return " or ".join(shapes[name] for name in LAYOUTS[1:] if name != "td" or crops in (None, 1))
    return shapes[layout]
