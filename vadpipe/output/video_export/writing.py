"""Write a video: H.264 whose frames have exactly the times that they are given."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av

from vadpipe.errors import OutputError
from vadpipe.files.atomic import CHOOSE_ANOTHER_PLACE
from vadpipe.output.video_export.picture import Planes, frame_of
from vadpipe.output.video_export.source import Appearance

FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Suffixes of videos that can be written, and what FFmpeg calls them."""

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
_MAX_THREADS = 4  # each takes memory for some frames


@contextmanager
def disk_errors(opening: bool = False) -> Iterator[None]:
    """Raise OutputError where the disk is at fault, and not what is written to it."""
    try:
        yield
    except MemoryError:  # FFmpeg's is one too
        raise
    except (OSError, av.FFmpegError) as error:
        number = error.errno
        if number not in _DISK and not opening:
            raise
        reason = "larger than a video may be (limit file_bytes)" if number == errno.EFBIG else None
        raise OutputError(
            f"cannot be written: {reason or os.strerror(number or 0)}", next_step=CHOOSE_ANOTHER_PLACE
        ) from error


class Output:
    """A container that is written to a file which exists already.

    Args:
        path: of the file; its suffix, one of :data:`FORMATS`, chooses the container.

    Raises:
        OutputError: at any time, where the disk is full or fails.
    """

    def __init__(self, path: str) -> None:
        self.suffix = Path(path).suffix.lower()
        # The index goes first, so that a player can begin before it has all of the file.
        options = {} if self.suffix == ".mkv" else {"movflags": "+faststart"}
        with disk_errors(opening=True):
            self.container = av.open(
                f"file:{path}", "w", format=FORMATS[self.suffix], container_options=options
            )

    def mux(self, packet: av.Packet[Any]) -> None:
        """Write a packet that has its times and its stream."""
        with disk_errors():
            self.container.mux_one(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            with disk_errors():
                self.container.close()
        else:  # only to let go of the file
            with suppress(Exception):
                self.container.close()


class Pictures:
    """The video stream of an output, encoded picture by picture.

    No frame waits for a later one (no b-frames), so that time begins at 0 and nothing has to hide.

    Args:
        output: where it is written to.
        width: in pixels, even.
        height: in pixels, even.
        tick: what its times count, in seconds.
        rate: frames per second, about.
        looks: how colours are coded.
    """

    def __init__(
        self, output: Output, width: int, height: int, tick: Fraction, rate: Fraction, looks: Appearance
    ) -> None:
        self._output, self._tick = output, tick
        options = {"preset": "veryfast", "crf": "20", "bf": "0"}
        stream = output.container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = tick
        codec = stream.codec_context
        codec.time_base = tick
        codec.gop_size = min(250, max(1, round(2 * rate)))  # a player can jump to every other second
        codec.thread_count = min(_MAX_THREADS, os.cpu_count() or 1)
        codec.colorspace, codec.color_range = looks.matrix, 1
        codec.color_primaries, codec.color_trc = looks.primaries, looks.transfer
        self._stream = stream
        self._last = -1
        self._lengths = deque[int]()  # of the frames that are in the encoder, in ticks

    def add(self, picture: Planes, start_s: float, end_s: float) -> None:
        """Show a picture from one time until another, in seconds, rounded to ticks."""
        start = max(round(start_s / self._tick), self._last + 1)
        self._last = start
        self._lengths.append(max(1, round(end_s / self._tick) - start))
        frame = frame_of(picture)
        frame.pts, frame.time_base = start, self._tick
        self._encode(frame)

    def finish(self) -> None:
        """Write what is still in the encoder."""
        self._encode(None)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            packets = self._stream.encode(frame)
        except av.error.ExternalError as error:  # x264 gives no other message when it runs out of memory
            raise MemoryError from error
        for packet in packets:
            packet.duration = self._lengths.popleft()
            self._output.mux(packet)
