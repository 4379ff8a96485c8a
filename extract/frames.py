"""Frames of a video in presentation order, resized, by decord or by PyAV."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import DecodeError
from vadpipe.extract.timeline import Timeline, open_container


class Frame(NamedTuple):
    """One frame as a player shows it: pixels (H, W, 3) uint8 RGB, and its time from the start."""

    pixels: NDArray[np.uint8]
    time_s: float


Decoder = Callable[[Path, Timeline, tuple[int, int]], Iterator[Frame]]


def decord_frames(path: Path, timeline: Timeline, size_px: tuple[int, int]) -> Iterator[Frame]:
    """Yield each shown frame, rotated as a player would and resized to (width, height).

    Frames are read strictly one after the other: decord's random access is where it hangs.

    Raises:
        DecodeError: where decord cannot read the file to its end, or would misnumber its frames.
    """
    if timeline.n_hidden:
        # decord 3.4.0 counts the hidden frames but does not get them, and fills up with copies of others.
        raise DecodeError("decord cannot number its frames: an edit list hides some", file=path)
    decord = _decord()
    width, height = size_px
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), width=width, height=height, num_threads=1)
        if len(reader) != len(timeline.times_s):
            reason = f"decord counts {len(reader)} frames of {len(timeline.times_s)}"
            raise DecodeError(reason, file=path)
        for time_s in timeline.times_s:
            yield Frame(reader.next().asnumpy(), float(time_s))
    except DecodeError:
        raise
    except Exception as error:  # decord raises a dozen unrelated classes
        raise DecodeError("decord cannot decode it to its end", file=path) from error


def _decord() -> ModuleType:
    """Import decord without the CUDA libraries that lie about.

    decord2 3.4.0 loads every library of the ``nvidia`` packages into the global scope, libnvblas
    among them, which then takes over torch's matrix products and crashes them where no GPU is
    configured. Decoding here is done by the CPU, which needs none of them.
    """
    hidden = sys.modules.get("nvidia")
    sys.modules["nvidia"] = None  # type: ignore[assignment]  # makes find_spec("nvidia") answer None
    try:
        import decord
    finally:
        if hidden is None:
            del sys.modules["nvidia"]
        else:
            sys.modules["nvidia"] = hidden
    decord.logging.set_level(decord.logging.QUIET)
    module: ModuleType = decord
    return module


def pyav_frames(path: Path, timeline: Timeline, size_px: tuple[int, int]) -> Iterator[Frame]:
    """Yield each shown frame, rotated as a player would and resized to (width, height).

    Raises:
        DecodeError: at the first frame that cannot be decoded.
    """
    width, height = size_px
    with open_container(path) as (container, stream):
        stream.codec_context.thread_count = 1
        try:
            # AVI has no presentation times; its frames come in their order and nothing else is known.
            counted = container.format.name == "avi"
            for number, frame in enumerate(container.decode(stream)):
                stamp = timeline.stamp(number) if counted else frame.pts
                time_s = timeline.time_of(stamp)
                if time_s is not None:
                    yield Frame(upright(frame, width, height, timeline.quarter_turns), time_s)
        except av.FFmpegError as error:
            raise DecodeError(f"breaks while decoding: {error.strerror}", file=path) from error


def upright(frame: av.VideoFrame, width: int, height: int, quarter_turns: int) -> NDArray[np.uint8]:
    """Return a decoded frame as (height, width, 3) uint8 RGB, resized and turned as it is shown."""
    if quarter_turns % 2:
        width, height = height, width
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="BILINEAR")
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns))


DECODERS: dict[str, Decoder] = {"decord": decord_frames, "pyav": pyav_frames}
"""In the order in which ``auto`` tries them."""


def decoder_version(name: str) -> str:
    """Return for example ``"decord2 3.4.0"``, as recipes record it."""
    if name == "pyav":
        return f"PyAV {av.__version__}"
    for distribution in ("decord2", "decord"):  # both install the module decord
        try:
            return f"{distribution} {metadata.version(distribution)}"
        except metadata.PackageNotFoundError:
            continue
    return "decord"
