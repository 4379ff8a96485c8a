"""Stills: single frames of a video at given times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import DecodeError
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.process import Decoding
from vadpipe.extract.video.timeline import ASSUMED_FPS


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
    size = Size(short_side_px, square=False)
    return _frames(
        path, DecodeJob(size, stills_s=tuple(times_s), limits=limits or Limits(), assume_fps=assume_fps)
    )


def read_frames(
    path: Path,
    times_s: Sequence[float],
    size: Size,
    limits: Limits | None = None,
    *,
    assume_fps: float = ASSUMED_FPS,
) -> list[NDArray[np.uint8]]:
    """Return the frame shown at each time in the size that a backbone is fed, (H, W, 3) uint8 RGB.

    A video without times has ``assume_fps`` frames per second.

    Raises:
        InputError: if the file or one of the frames cannot be read.
    """
    job = DecodeJob(size, stills_s=tuple(times_s), limits=limits or Limits(), assume_fps=assume_fps)
    frames = _frames(path, job)
    found = [frame for frame in frames if frame is not None]
    if len(found) < len(frames):
        lost_s = times_s[next(index for index, frame in enumerate(frames) if frame is None)]
        raise DecodeError(f"the frame at {lost_s:.3f} s cannot be read again", file=path)
    return found


def _frames(path: Path, job: DecodeJob) -> list[NDArray[np.uint8] | None]:
    stills: list[NDArray[np.uint8] | None] = [None] * len(job.stills_s or ())
    with Decoding(path, job) as decoding:
        for index, pixels in decoding.frames():
            stills[index] = pixels
    return stills
