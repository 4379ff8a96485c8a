"""Single frames of a video at given times, for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.decode.frame import Size
from vadpipe.extract.decode.job import Job
from vadpipe.extract.decode.process import Decoding


def read_stills(
    path: Path, times_s: Sequence[float], short_side_px: int = 180
) -> list[NDArray[np.uint8] | None]:
    """Return the frame shown at each time, (H, W, 3) uint8 RGB, in the order asked.

    One that cannot be read is None.

    Raises:
        InputError: where the file itself cannot be read.
    """
    stills: list[NDArray[np.uint8] | None] = [None] * len(times_s)
    job = Job(Size(short_side_px, square=False), stills_s=tuple(times_s))
    with Decoding(path, job) as decoding:
        for index, pixels in decoding.frames():
            stills[index] = pixels
    return stills
