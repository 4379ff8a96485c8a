"""Data frames of pandas, which an extra installs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import UsageError

if TYPE_CHECKING:
    from pandas import DataFrame


def data_frame(columns: Mapping[str, Sequence[object] | NDArray[np.generic]]) -> DataFrame:
    """Return a data frame of columns, by their names and in their order.

    Raises:
        UsageError: if pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise UsageError(
            "data frames need pandas, which is not installed", next_step="Run: pip install 'vadpipe[pandas]'"
        ) from error
    return pandas.DataFrame(dict(columns))
