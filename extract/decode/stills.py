"""Single frames of a video at given times, for pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import av
import numpy as np

from vadpipe.extract.decode.frame import Frame, Size
from vadpipe.extract.decode.limits import Limits
from vadpipe.extract.decode.opening import open_container
from vadpipe.extract.decode.scaling import Scaler
from vadpipe.extract.decode.timeline import Timeline

_ROUNDING_S = 1e-6


def read_stills(
    path: str,
    timeline: Timeline,
    times_s: Sequence[float],
    size: Size,
    limits: Limits,
    alive: Callable[[], None] = lambda: None,
) -> Iterator[Frame]:
    """Yield the frame shown at each time, numbered like the times; what cannot be read is left out.

    ``alive`` is called for each frame that is passed on the way, as a sign of life.
    """
    scaled = Scaler(*size.of(timeline), timeline.quarter_turns)
    for index, time_s in enumerate(times_s):
        if time_s < timeline.end_s:
            begun = int(np.searchsorted(timeline.times_s, time_s + _ROUNDING_S, side="right"))
            frame = _frame(path, timeline, max(begun - 1, 0), limits, alive)
            if frame is not None:
                yield Frame(index, scaled(frame))


def _frame(
    path: str, timeline: Timeline, number: int, limits: Limits, alive: Callable[[], None]
) -> av.VideoFrame | None:
    stamp = int(timeline.stamps[number])
    # A seek in a transport stream can land behind the frame; then it is read from the start.
    for seek in (True, False):
        with open_container(path, limits) as (container, stream):
            counted = container.format.name == "avi"
            try:
                if seek:
                    container.seek(stamp, stream=stream)
                for index, frame in enumerate(container.decode(stream)):
                    alive()
                    if not counted:
                        at = frame.pts
                    elif not stream.codec_context.has_b_frames:
                        at = frame.dts
                    elif seek:  # with b-frames those of an AVI can only be counted, from the start
                        break
                    else:
                        at = stamp + index - number
                    if at == stamp:
                        return frame
                    if at is not None and at > stamp:
                        break
            except av.FFmpegError:
                continue
    return None
