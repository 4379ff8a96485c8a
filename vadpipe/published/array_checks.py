"""Checks on arrays of published features, for every file format."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError

MAX_BYTES = 8 * 2**30
"""Of one array in memory. Ten crops of the longest video of UCF-Crime take 5 GB."""

AS_NUMBERS = "Save it again as plain numbers: numpy.save(FILE, array.astype('float32'), allow_pickle=False)."
AGAIN = "Download the file again, or omit it."


def needed_bytes(shape: Sequence[int], itemsize: int, file: str | os.PathLike[str]) -> int:
    """Return how many bytes an array of that shape needs.

    Raises:
        FeatureError: if it is not a valid shape.
    """
    if any(length < 0 for length in shape):
        raise FeatureError(f"has an invalid shape {tuple(shape)}", file=file, next_step=AGAIN)
    # Python's whole numbers, since the product of hostile ones overflows numpy's.
    return math.prod(map(int, shape)) * itemsize


def check_bytes(needed: int, file: str | os.PathLike[str]) -> None:
    """Compare the size of an array with the limit, before memory is allocated for it.

    Raises:
        FeatureError: if it is larger than :data:`MAX_BYTES`.
    """
    if needed > MAX_BYTES:
        raise FeatureError(
            f"has {_gib(needed)} GiB, above the limit of {_gib(MAX_BYTES)}",
            file=file,
            next_step="Save it as float32 or float16, or with fewer crops.",
        )


def cut_short(shape: Sequence[int], needed: int, held: int, file: str | os.PathLike[str]) -> FeatureError:
    """Return the error of a truncated array."""
    reason = f"is truncated: its shape {tuple(shape)} needs {needed} bytes, but only {held} are present"
    return FeatureError(reason, file=file, next_step=AGAIN)


def as_float32(array: NDArray[np.generic], file: str | os.PathLike[str]) -> NDArray[np.float32]:
    """Return the numbers as float32, in the array's own axes; whole numbers and other floats are converted.

    Raises:
        FeatureError: if there are none, or some that are not finite in float32.
    """
    if array.size == 0:
        raise FeatureError(f"is empty: its shape is {array.shape}", file=file, next_step=AGAIN)
    with np.errstate(over="ignore"):  # what overflows is found below
        values = array.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise FeatureError(
            "contains values that are not finite (NaN, infinite, or too large for float32)",
            file=file,
            next_step="Omit the file, or extract that video again.",
        )
    return values


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.0f}" if n_bytes >= 2**30 else f"{n_bytes / 2**30:.3g}"
