"""A safe reader for pickles of dicts, strings and numpy arrays."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from vadpipe.errors import WeightsError

# A pickle can name any importable function and have it called. These three rebuild an array from
# its bytes; the module of the first was renamed in numpy 2, older files use the old name.
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],  # type: ignore[dict-item]
    ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],  # type: ignore[dict-item]
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _NumpyUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}") from None


def load(data: bytes) -> dict[str, Any]:
    """Return the nested dicts of numeric arrays that ``data`` holds.

    Raises:
        WeightsError: if the pickle is broken, asks for anything but numpy arrays, or holds arrays
            of Python objects.
    """
    try:
        tree = _NumpyUnpickler(io.BytesIO(data)).load()
    except Exception as error:  # a hostile pickle can make the unpickler raise nearly anything
        raise WeightsError(f"the weights file is not a plain pickle of arrays: {error}") from error
    _check(tree)
    return dict(tree)


def _check(tree: object) -> None:
    if isinstance(tree, dict):
        for value in tree.values():
            _check(value)
    elif not (isinstance(tree, np.ndarray) and tree.dtype.kind == "f"):
        raise WeightsError("the weights file contains something other than numeric arrays")
