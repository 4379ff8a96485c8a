"""Single frames of a video at given times, for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import DecodeError
from vadpipe.extract.frames import upright
from vadpipe.extract.timeline import open_container, read_timeline, start_of


def read_stills(path: Path, times_s: Sequence[float], short_side_px: int = 180) -> list[NDArray[np.uint8]]:
    """Return the frame shown at each time, (H, W, 3) uint8 RGB, in the order asked.

    Raises:
        DecodeError: where a frame cannot be found or decoded.
    """
    timeline = read_timeline(path)
    width, height = timeline.scaled_to(short_side_px)
    stills: list[NDArray[np.uint8]] = []
    with open_container(path) as (container, stream):
        tick_s, start_s = float(stream.time_base or 0), start_of(container)
        for time_s in times_s:
            try:
                container.seek(int((time_s + start_s) / tick_s), stream=stream)
                frame = next(
                    frame
                    for frame in container.decode(stream)
                    if frame.pts is not None and frame.pts * tick_s - start_s >= time_s - tick_s / 2
                )
            except (av.FFmpegError, StopIteration) as error:
                raise DecodeError(f"has no frame to show at {time_s:.2f} s", file=path) from error
            stills.append(upright(frame, width, height, timeline.quarter_turns))
    return stills
