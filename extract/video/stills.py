"""Stills in the decoding process: single frames of a video at given times."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from vadpipe.extract.video.demuxing import open_container, tolerant
from vadpipe.extract.video.frame import Frame
from vadpipe.extract.video.image_folder import list_images
from vadpipe.extract.video.job import Still
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.scaling import Scaler
from vadpipe.extract.video.timeline import Timeline

_ROUNDING_S = 1e-6
_NEAR_S = 2.0  # key frames are rarely closer together


def read_stills(
    path: str,
    timeline: Timeline,
    stills: Sequence[Still],
    limits: Limits,
    alive: Callable[[], None] = lambda: None,
) -> Iterator[Frame]:
    """Yield each still, numbered in the order given; what cannot be read is left out.

    In the order of time a frame is decoded once, in however many sizes it is wanted.

    ``alive`` is called for each frame that is passed on the way, as a sign of life.
    """
    scalers = {
        size: Scaler(*size.of(timeline), timeline.quarter_turns) for size in {still.size for still in stills}
    }
    reader: _ImageReader | _Reader
    is_folder = os.path.isdir(path)  # noqa: PTH112
    reader = _ImageReader(path, timeline) if is_folder else _Reader(path, timeline, limits, alive)
    with reader:
        for index, still in enumerate(stills):
            number = _shown_at(timeline, still.time_s)
            frame = None if number is None else reader.frame(number)
            if frame is not None:
                yield Frame(index, scalers[still.size](frame))


def _shown_at(timeline: Timeline, time_s: float) -> int | None:
    """Return the number of the frame that is shown at a time; None after the end."""
    if time_s >= timeline.end_s:
        return None
    return max(int(np.searchsorted(timeline.times_s, time_s + _ROUNDING_S, side="right")) - 1, 0)


class _ImageReader:
    """Finds the pictures of an image sequence by number."""

    def __init__(self, path: str, timeline: Timeline) -> None:
        self._path, self._names = path, list_images(path)
        self._size = timeline.width_px, timeline.height_px
        self._last: tuple[int, av.VideoFrame | None] | None = None

    def frame(self, number: int) -> av.VideoFrame | None:
        """Return a picture, or None where it cannot be read."""
        from vadpipe.extract.video.image_frames import read_image  # Pillow takes a while to load

        if number >= len(self._names):
            return None
        if self._last is None or self._last[0] != number:
            self._last = number, read_image(self._path, self._names[number], self._size)
        return self._last[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: each picture was closed when it had been read."""


class _Reader:
    """Finds frames by number; reads on from the last one if that is closer than a key frame may be."""

    def __init__(self, path: str, timeline: Timeline, limits: Limits, alive: Callable[[], None]) -> None:
        self._path, self._timeline, self._limits, self._alive = path, timeline, limits, alive
        self._open = ExitStack()
        self._coming: Iterator[tuple[int, av.VideoFrame]] = iter(())
        self._last: tuple[int, av.VideoFrame] | None = None

    def frame(self, number: int) -> av.VideoFrame | None:
        """Return a frame, or None if it cannot be read."""
        stamp = int(self._timeline.stamps[number])
        if self._last is not None and self._last[0] == stamp:
            return self._last[1]
        if self._is_near(number) and (frame := self._forward(stamp)) is not None:
            return frame
        # A seek in a transport stream can land behind the frame; then it is read from the start.
        for seek in (True, False) if self._timeline.can_seek else (False,):
            self._open.close()
            container, stream = self._open.enter_context(open_container(self._path, self._limits))
            try:
                if seek:
                    container.seek(stamp, stream=stream)
                self._coming = self._stamped(container, stream, seek)
                if (frame := self._forward(stamp)) is not None:
                    return frame
            except av.FFmpegError:
                continue
        self._last = None
        return None

    def _is_near(self, number: int) -> bool:
        if self._last is None:
            return False
        times_s, at = self._timeline.times_s, self._timeline.number_of(self._last[0])
        return at is not None and 0 <= times_s[number] - times_s[at] <= _NEAR_S

    def _forward(self, stamp: int) -> av.VideoFrame | None:
        """Read on to the frame of a timestamp; None if there is none."""
        for at, frame in self._coming:
            self._last = at, frame
            if at >= stamp:
                return frame if at == stamp else None
        return None

    def _stamped(
        self, container: InputContainer, stream: VideoStream, seek: bool
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield frames with their timestamps, as the timeline has them."""
        counted = container.format.name == "avi"
        stamps = self._timeline.stamps
        packets = self._timeline.packets(container, stream)
        for index, frame in enumerate(tolerant(container, stream, packets=packets)):
            self._alive()
            at = frame.dts if counted else frame.pts
            if counted and stream.codec_context.has_b_frames:
                if seek:  # those of an AVI with b-frames can only be counted, from the start
                    return
                at = int(stamps[index]) if index < len(stamps) else None
            if at is not None:
                yield at, frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()
