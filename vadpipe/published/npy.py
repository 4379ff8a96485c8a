"""NumPy's own formats, ``.npy`` and ``.npz``, read without executing anything in them.

Pickled objects are refused before numpy sees them, and what a file says of its size is compared with what it
holds.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vadpipe.errors import FeatureError, printable
from vadpipe.published.array_checks import AGAIN, AS_NUMBERS, check_bytes, cut_short, needed_bytes

NPY = npy.MAGIC_PREFIX
"""How a file in numpy's own format begins."""


def read_npz(file: IO[bytes], path: Path, name: str | None) -> NDArray[np.generic]:
    """Read one array of an ``.npz`` file: the named one, or the only one.

    Raises:
        FeatureError: if there is no such array, several, or something other than a numeric array.
    """
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if name is None and len(members) != 1:
            raise FeatureError(
                f"holds {len(members)} arrays{': ' if members else ''}{', '.join(list(members)[:8])}",
                file=path,
                next_step="Choose one with --array NAME." if members else AGAIN,
            )
        chosen = next(iter(members)) if name is None else name
        if chosen not in members:
            raise FeatureError(
                f"has no array named {chosen!r}", file=path, next_step=f"It contains: {', '.join(members)}."
            )
        info = members[chosen]
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FeatureError(
                "is encrypted or compressed, unlike files written by NumPy", file=path, next_step=AS_NUMBERS
            )
        # The archive never gives out more than the size that it states.
        with archive.open(info) as member:
            return read_npy(member, info.file_size, path)


def read_npy(file: IO[bytes], n_bytes: int, path: Path) -> NDArray[np.generic]:
    """Read an array in numpy's own format from a stream of so many bytes, its header first.

    Raises:
        FeatureError: if it is not a numeric array, is truncated, or is larger than the limit.
    """
    try:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"unsupported version {version[0]}.{version[1]} of the format")
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(file)
    # numpy tokenizes and parses a header as Python.
    except (ValueError, TypeError, SyntaxError, TokenError, RecursionError) as error:
        reason = printable(str(error).partition("\n")[0][:200])
        raise FeatureError(f"has no valid NumPy array: {reason}", file=path, next_step=AGAIN) from error
    if dtype.hasobject:
        raise pickled(path)
    if dtype.kind not in "fiu":
        raise FeatureError(f"holds {dtype}, not numbers", file=path, next_step=AS_NUMBERS)
    needed, held = needed_bytes(shape, dtype.itemsize, path), n_bytes - file.tell()
    if needed > held:
        raise cut_short(shape, needed, held, path)
    check_bytes(needed, path)
    file.seek(0)
    try:
        array: NDArray[np.generic] = npy.read_array(file, allow_pickle=False)
    except ValueError as error:  # an archive can hold less than it states
        raise FeatureError(f"is damaged: {error}", file=path, next_step=AGAIN) from error
    return array


def pickled(path: Path) -> FeatureError:
    """Return the error of a file that only unpickling could read."""
    return FeatureError(
        "contains pickled objects, which can run code and are never loaded", file=path, next_step=AS_NUMBERS
    )
