"""Half-open ranges [start, stop) of frames."""

import numpy as np
from numpy.typing import NDArray


def runs_of_true(marks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the longest ranges [start, stop) in which marks (N,) are true, (R, 2) int64."""
    return np.flatnonzero(np.diff(marks, prepend=False, append=False)).reshape(-1, 2)
