"""Frames by PyAV: each is known by its own timestamp, so it copes with what decord cannot."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import av
import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.decode.frame import Frame, Reading
from vadpipe.extract.decode.timeline import open_container, tolerant

log = logging.getLogger(__name__)


def pyav_frames(reading: Reading) -> Iterator[Frame]:
    """Yield the wanted frames that can be decoded, rotated as a player would and resized to (width, height).

    A stretch that cannot be decoded is left out, and the numbers of the frames after it stay true.
    """
    timeline = reading.timeline
    with open_container(reading.path, reading.limits) as (container, stream):
        # AVI has no presentation times; its frames come in their order and nothing else is known.
        counted = container.format.name == "avi"
        n_broken, last = 0, -1

        def count(reason: str) -> None:
            nonlocal n_broken
            n_broken += 1
            reading.alive()
            log.debug("broken packet: %s", reason)

        for index, frame in enumerate(tolerant(container, stream, count)):
            # Of a broken packet no frame comes; counting goes on as if it had.
            number = index + n_broken if counted else timeline.number_of(frame.pts)
            if number is not None and last < number < len(timeline.times_s):
                last = number
                if reading.wanted[number]:
                    yield Frame(number, upright(frame, *reading.size_px, timeline.quarter_turns))
                    continue
            reading.alive()


def upright(frame: av.VideoFrame, width: int, height: int, quarter_turns: int) -> NDArray[np.uint8]:
    """Return a decoded frame as (height, width, 3) uint8 RGB, resized and turned as it is shown."""
    if quarter_turns % 2:
        width, height = height, width
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="BILINEAR")
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns))
