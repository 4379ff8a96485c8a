"""Single frames of a video at given times, for pictures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import av
import numpy as np

from vadpipe.extract.decode.frame import Frame, Size
from vadpipe.extract.decode.limits import Limits
from vadpipe.extract.decode.opening import open_container, start_of
from vadpipe.extract.decode.scaling import Scaler
from vadpipe.extract.decode.timeline import Timeline


def read_stills(
    path: str, timeline: Timeline, times_s: Sequence[float], size: Size, limits: Limits
) -> Iterator[Frame]:
    """Yield the frame shown at each time, numbered like the times; what cannot be read is left out."""
    scaled = Scaler(*size.of(timeline), timeline.quarter_turns)
    for index, time_s in enumerate(times_s):
        frame = _frame_at(path, timeline, time_s, limits)
        if frame is not None:
            yield Frame(index, scaled(frame))


def _frame_at(path: str, timeline: Timeline, time_s: float, limits: Limits) -> av.VideoFrame | None:
    # A seek in a transport stream can land behind the frame; then it is read from the start.
    for seek in (True, False):
        with open_container(path, limits) as (container, stream):
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
