"""Single frames of a video at given times, for pictures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.frames import upright
from vadpipe.extract.timeline import Timeline, open_container, read_timeline, start_of


def read_stills(
    path: Path, times_s: Sequence[float], short_side_px: int = 180
) -> list[NDArray[np.uint8] | None]:
    """Return the frame shown at each time, (H, W, 3) uint8 RGB, in the order asked.

    One that cannot be read is None.

    Raises:
        InputError: where the file itself cannot be read.
    """
    timeline = read_timeline(path)
    width, height = timeline.scaled_to(short_side_px)
    frames = [_frame_at(path, timeline, time_s) for time_s in times_s]
    return [
        None if frame is None else upright(frame, width, height, timeline.quarter_turns) for frame in frames
    ]


def _frame_at(path: Path, timeline: Timeline, time_s: float) -> av.VideoFrame | None:
    # A seek in a transport stream can land behind the frame; then it is read from the start.
    for seek in (True, False):
        with open_container(path) as (container, stream):
            tick_s, start_s = float(stream.time_base or 0), start_of(container)
            try:
                if container.format.name == "avi":  # no presentation times: its frames can only be counted
                    number = int(np.searchsorted(timeline.times_s, time_s - tick_s / 2))
                    return next(itertools.islice(container.decode(stream), number, None))
                if seek:
                    container.seek(int((time_s + start_s) / tick_s), stream=stream)
                first = True
                for frame in container.decode(stream):
                    at_s = -1.0 if frame.pts is None else frame.pts * tick_s - start_s
                    if seek and first and at_s > time_s + tick_s / 2:
                        break
                    if at_s >= time_s - tick_s / 2:
                        return frame
                    first = False
            except (av.FFmpegError, StopIteration):
                continue
    return None
