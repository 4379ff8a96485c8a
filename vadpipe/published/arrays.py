"""Files with a single array: NumPy formats and text, recognised by their first bytes."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError
from vadpipe.published.array_checks import AGAIN, as_float32
from vadpipe.published.npy import NPY, pickled, read_npy, read_npz
from vadpipe.published.tables import read_table

SUFFIXES = (".npy", ".npz", ".txt", ".h5", ".hdf5", ".pt", ".pth")
"""Suffixes that a folder is searched for."""


def read_array(path: Path, name: str | None = None) -> NDArray[np.float32]:
    """Read the array of a file: ``.npy``, ``.npz`` or a table of numbers as text.

    The first bytes decide which of them it is, not the name.

    Args:
        path: the file.
        name: which array of an ``.npz`` file to take; optional if there is only one.

    Returns:
        The array with its own axes, float32; whole numbers and other floats are converted.

    Raises:
        FeatureError: if the file cannot be read, holds no array of numbers or an empty one, has numbers
            that are not finite in float32, is cut short, or is larger than the limits.
    """
    try:
        with path.open("rb") as file:
            start = file.read(8)
            file.seek(0)
            return as_float32(_read(file, start, path, name), path)
    except OSError as error:
        raise FeatureError(f"cannot be read: {error.strerror or error}", file=path) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise FeatureError(f"is damaged: {error}", file=path, next_step=AGAIN) from error
    except MemoryError as error:
        raise FeatureError("needs more memory than is available", file=path) from error


def _read(file: IO[bytes], start: bytes, path: Path, name: str | None) -> NDArray[np.generic]:
    if start.startswith(NPY):
        return read_npy(file, path.stat().st_size, path)
    if start.startswith(b"PK"):
        return read_npz(file, path, name)
    if start.startswith(b"\x80"):
        raise pickled(path)
    if path.suffix.lower() in SUFFIXES and path.suffix.lower() != ".txt":
        raise FeatureError("is not an array file in a known format", file=path, next_step=AGAIN)
    return read_table(path)
