"""Text tables of numbers, the format of published C3D features."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError
from vadpipe.published.array_checks import AS_NUMBERS

MAX_TEXT_BYTES = 2**30


def read_table(path: Path) -> NDArray[np.float32]:
    """Read lines of numbers, parted by spaces or commas; each line is a row.

    Raises:
        FeatureError: if it is not such a table, or longer than :data:`MAX_TEXT_BYTES`.
    """
    if path.stat().st_size > MAX_TEXT_BYTES:
        reason = f"is text of {path.stat().st_size} bytes, above the limit of {MAX_TEXT_BYTES}"
        raise FeatureError(reason, file=path, next_step=AS_NUMBERS)
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
            f"is not a table of numbers: {why}",
            file=path,
            next_step="Name only the feature files, for example with a pattern: 'FOLDER/*.npy'.",
        ) from error
