"""Container metadata: all packets, lengths, and the geometry of the first frame."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from mmap import mmap
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vadpipe.errors import DecodeError
from vadpipe.extract.video.demuxing import ffmpeg_log, open_container, start_of, tolerant
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.packets import read_rows

_BYTES_PER_PX = 4


class ContainerInfo(NamedTuple):
    """The metadata of a file's video.

    Attributes:
        rows: of all packets, see :func:`vadpipe.extract.video.packets.read_rows`.
        tick: what timestamps count, in seconds.
        rate: frames per second, about; None if nothing says.
        start_s: where playback starts on the container's clock.
        n_announced: how many frames it says that it has; 0 where it does not.
        announced_s: when a Matroska file says that its video ends; else 0.
        reorders: whether the codec shows frames in another order than it stores them.
        width_px, height_px: of the first picture, turned upright.
        quarter_turns: how often it is turned by 90 degrees, counterclockwise.
    """

    rows: NDArray[np.void]
    tick: Fraction
    rate: Fraction | None
    start_s: float
    n_announced: int
    announced_s: float
    reorders: bool
    width_px: int
    height_px: int
    quarter_turns: int


def read_container_info(
    path: str | os.PathLike[str], limits: Limits, on_packet: Callable[[], None] | None
) -> ContainerInfo:
    """Decode the first frame, and read all packets without decoding them.

    Raises:
        DecodeError: if the container is broken, or no frame can be decoded.
        InputError: if it holds no video, or is beyond the limits.
    """
    with open_container(path, limits) as (container, stream):
        width_px, height_px, quarter_turns = _geometry(container, stream, limits)
    with open_container(path, limits) as (container, stream):
        return ContainerInfo(
            rows=read_rows(container, stream, on_packet),
            tick=Fraction(stream.time_base or 0),
            rate=stream.average_rate or stream.base_rate,
            start_s=start_of(container),
            n_announced=_n_announced(stream),
            announced_s=_announced_s(container, stream),
            reorders=stream.codec_context.has_b_frames,
            width_px=width_px,
            height_px=height_px,
            quarter_turns=quarter_turns,
        )


def _n_announced(stream: VideoStream) -> int:
    """Return how many frames the container says it has, less those behind the end of an MP4's edit list."""
    n_indexed = len(stream.index_entries)  # FFmpeg drops from the index what the edit list leaves out
    return min(stream.frames, n_indexed) if stream.container.format.name.startswith("mov") else stream.frames


def _announced_s(container: InputContainer, stream: VideoStream) -> float:
    """Return when a Matroska file says that its video ends, or 0; it does not say how many frames it has."""
    if "matroska" not in container.format.name:
        return 0.0
    for name, value in stream.metadata.items():
        if name.startswith("DURATION"):
            hours, _, rest = value.partition(":")
            minutes, _, seconds = rest.partition(":")
            with suppress(ValueError):
                return 3600 * float(hours) + 60 * float(minutes) + float(seconds)
    # That of the whole file is the video's where there is nothing else.
    return (container.duration or 0) / av.time_base if len(container.streams) == 1 else 0.0


def _geometry(container: InputContainer, stream: VideoStream, limits: Limits) -> tuple[int, int, int]:
    """Return (width, height, quarter turns) of the first frame; only a frame knows its rotation."""
    with ffmpeg_log() as lines:
        frame = next(iter(tolerant(container, stream)), None)
    if frame is None:
        # FFmpeg refuses a frame above the limit, and says so in its log alone.
        for width, height in re.findall(r"Picture size (\d+)x(\d+)", "".join(lines)):
            limits.check(side_px=max(int(width), int(height)), area_px=int(width) * int(height))
        if any("get_buffer() failed" in line for line in lines) or not _has_room(stream):
            raise MemoryError
        raise DecodeError("has no decodable video frame", file=container.name.removeprefix("file:"))
    limits.check(side_px=max(frame.width, frame.height), area_px=frame.width * frame.height)
    turns = round(frame.rotation / 90) % 4
    sides = (frame.width, frame.height)
    return (*(sides[::-1] if turns % 2 else sides), turns)


def _has_room(stream: VideoStream) -> bool:
    """Return whether memory for two more frames could be had; decoders do not always say what they lacked."""
    context = stream.codec_context
    try:
        mmap(-1, max(2 * _BYTES_PER_PX * context.width * context.height, 1)).close()
    except (OSError, OverflowError):
        return False
    return True
