"""Single frames of a video at given times, for pictures and explanations, in one pass over the video."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob, StillRequest, stills_in_order
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.process import Decoding
from vadpipe.extract.video.timeline import ASSUMED_FPS

StillFrames = Sequence[NDArray[np.uint8] | None]
"""The frames of a request, each (H, W, 3) uint8 RGB, in its order; None for one that cannot be read."""


def read_together(
    path: Path,
    requests: Sequence[StillRequest],
    limits: Limits | None = None,
    *,
    assume_fps: float = ASSUMED_FPS,
) -> Generator[tuple[StillRequest, StillFrames], None, None]:
    """Read the frames of several requests in one pass, and yield each request when its last frame has come.

    What has been yielded is not kept, so that memory holds the requests that are incomplete. The decoding
    process waits while a request is worked on. Equal requests are read once, empty ones not at all; where
    there is nothing to read the video is not opened.

    Args:
        path: the video.
        requests: what is wanted of it.
        limits: what it may ask for.
        assume_fps: frames a second of a video without times.

    Raises:
        InputError: where the file itself cannot be read; some requests may have been yielded before.
    """
    wanted = [request for request in dict.fromkeys(requests) if request.times_s]
    if not wanted:
        return
    stills = stills_in_order(wanted)
    found: dict[int, list[NDArray[np.uint8] | None]] = {
        number: [None] * len(request.times_s) for number, request in enumerate(wanted)
    }
    last = {still.request: index for index, still in enumerate(stills)}
    ending = sorted(last, key=lambda number: last[number], reverse=True)  # the next to be complete at the end
    job = DecodeJob(wanted[0].size, stills=tuple(wanted), limits=limits or Limits(), assume_fps=assume_fps)
    with Decoding(path, job) as decoding:
        for index, pixels in decoding.frames():
            while last[ending[-1]] < index:  # what it still waited for cannot be read
                number = ending.pop()
                yield wanted[number], found.pop(number)
            found[stills[index].request][stills[index].position] = pixels
            if last[ending[-1]] == index:
                number = ending.pop()
                yield wanted[number], found.pop(number)
    for number in reversed(ending):
        yield wanted[number], found.pop(number)


@dataclass(frozen=True)
class Stills:
    """Frames of a video that were read beforehand, by the requests that they answer.

    Attributes:
        frames: of each request that was read.
        error: why the others could not be.
    """

    frames: Mapping[StillRequest, StillFrames] = field(default_factory=dict, repr=False)
    error: InputError | None = None

    def of(self, request: StillRequest) -> StillFrames:
        """Return the frames of a request that was read; none of an empty one.

        Raises:
            InputError: where the video could not be read so far.
        """
        if request.times_s and request not in self.frames and self.error is not None:
            raise self.error
        return self.frames[request] if request.times_s else []

    @classmethod
    def read(
        cls,
        path: Path,
        requests: Sequence[StillRequest],
        limits: Limits | None = None,
        *,
        assume_fps: float = ASSUMED_FPS,
    ) -> Self:
        """Read the frames of some requests in one pass; what goes wrong is told by :meth:`of`."""
        frames: dict[StillRequest, StillFrames] = {}
        try:
            with closing(read_together(path, requests, limits, assume_fps=assume_fps)) as reading:
                frames.update(reading)
        except InputError as error:
            return cls(frames, error)
        return cls(frames)


def read_stills(
    path: Path,
    times_s: Sequence[float],
    short_side_px: int = 180,
    limits: Limits | None = None,
    *,
    assume_fps: float = ASSUMED_FPS,
) -> list[NDArray[np.uint8] | None]:
    """Return the frame shown at each time, (H, W, 3) uint8 RGB, in the order asked.

    One that cannot be read is None. A video without times has ``assume_fps`` frames per second.

    Raises:
        InputError: if the file itself cannot be read.
    """
    request = StillRequest(tuple(times_s), Size(short_side_px, square=False))
    return [
        frame
        for _, frames in read_together(path, [request], limits, assume_fps=assume_fps)
        for frame in frames
    ]


def all_read(path: Path, request: StillRequest, frames: StillFrames) -> list[NDArray[np.uint8]]:
    """Return the frames of a request. Raises DecodeError where one could not be read."""
    found = [frame for frame in frames if frame is not None]
    if len(found) < len(frames):
        lost_s = request.times_s[next(index for index, frame in enumerate(frames) if frame is None)]
        raise DecodeError(f"the frame at {lost_s:.3f} s cannot be read again", file=path)
    return found
