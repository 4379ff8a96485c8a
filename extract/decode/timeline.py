"""The presentation times of a video, read from its packets without decoding.

decord gives times as float32 and, for some containers, not at all; a player goes by the packets'
timestamps, and so does everything here.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.decode.limits import Limits

# The demuxers of the four families that container.sniff lets through. Without this list, FFmpeg
# picks one by content and can end in a playlist reader.
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts",
}


@dataclass(frozen=True)
class Timeline:
    """When each frame of a video is shown.

    Attributes:
        times_s: (N,) float64, of the frames that a player shows, in presentation order, from 0 up.
        end_s: when the last of them ends.
        n_announced: how many shown frames the container says it has; more than N where the file is cut
            short. Where it does not say, N.
        n_hidden: coded frames that a player does not show, since an edit list hides them, such as
            those between a key frame and the cut after it.
        width_px, height_px: of the picture as shown, after rotation.
        stamps: (N,) int64, the container's timestamps of the same N frames, in its own ticks.
        quarter_turns: how often the decoded picture is turned by 90 degrees, counterclockwise.
    """

    times_s: NDArray[np.float64] = field(repr=False)
    end_s: float
    n_announced: int
    n_hidden: int
    width_px: int
    height_px: int
    quarter_turns: int
    stamps: NDArray[np.int64] = field(repr=False)

    @property
    def frame_s(self) -> float:
        """How long a frame is shown, in the middle of the distribution."""
        edges = np.append(self.times_s, self.end_s)
        return float(np.median(np.diff(edges)))

    def to_record(self) -> dict[str, float | int]:
        """Return everything but the arrays."""
        return {name: getattr(self, name) for name in _SCALARS}

    def number_of(self, stamp: int | None) -> int | None:
        """Return which frame has that timestamp, or None where it is hidden or not known."""
        at = int(np.searchsorted(self.stamps, stamp)) if stamp is not None else len(self.stamps)
        return at if at < len(self.stamps) and self.stamps[at] == stamp else None

    def scaled_to(self, short_side_px: int) -> tuple[int, int]:
        """Return (width, height) in pixels with that short side and the aspect kept, both even."""
        scale = short_side_px / min(self.width_px, self.height_px)
        width, height = (max(2, round(side * scale / 2) * 2) for side in (self.width_px, self.height_px))
        return width, height


_SCALARS = ("end_s", "n_announced", "n_hidden", "width_px", "height_px", "quarter_turns")


@contextmanager
def open_container(
    path: str | os.PathLike[str], limits: Limits | None = None
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video with FFmpeg, restricted to local files of the known container families.

    Raises:
        DecodeError: where the container is broken.
        InputError: where it holds no video, or is beyond the limits.
    """
    limits = limits or Limits()
    with _opened(path, limits) as container:
        limits.check(streams=len(container.streams), duration_s=(container.duration or 0) / av.time_base)
        if not container.streams.video:
            raise InputError("holds no video stream", file=path)
        stream = container.streams.video[0]
        limits.check(
            side_px=max(stream.codec_context.width, stream.codec_context.height),
            area_px=stream.codec_context.width * stream.codec_context.height,
        )
        # What the container announces and what the codec then finds need not agree.
        stream.codec_context.options = {"max_pixels": str(limits.area_px)}
        stream.codec_context.thread_count = 1  # more threads give no more frames per processor second
        yield container, stream


def _opened(path: str | os.PathLike[str], limits: Limits) -> InputContainer:
    # "file:" keeps a name such as "concat:a|b" or "-" from being read as a protocol or option.
    url = f"file:{os.fspath(path)}"
    # Opening decodes a first frame of each stream to learn its format, and a bomb goes off there.
    each_stream: list[dict[str, str]] = [{"max_pixels": str(limits.area_px)}] * (limits.streams + 1)
    try:
        try:
            return av.open(url, options=dict(_OPEN_OPTIONS), stream_options=each_stream)  # type: ignore[arg-type]
        except ValueError:  # a transport stream, whose streams are not known before
            return av.open(url, options=dict(_OPEN_OPTIONS))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DecodeError(
            f"cannot be opened: {getattr(error, 'strerror', None) or error}",
            file=path,
            next_step="The file is probably cut short or damaged; record or copy it again.",
        ) from error


def read_timeline(
    path: str | os.PathLike[str],
    limits: Limits | None = None,
    on_packet: Callable[[], None] | None = None,
) -> Timeline:
    """Read the times of all frames, as float64 seconds from the start of playback.

    Args:
        path: the video.
        limits: what it may ask for.
        on_packet: called for each packet that was read, as a sign of life.

    Raises:
        DecodeError: where the container is broken or holds no frame that is shown.
        InputError: where it holds no video, or is beyond the limits.
    """
    limits = limits or Limits()
    with open_container(path, limits) as (container, stream):
        width, height, quarter_turns = _geometry(container, stream, limits)
    with open_container(path, limits) as (container, stream):
        rate = stream.average_rate or stream.base_rate
        try:
            packets = _packets(container, stream, on_packet)
        except av.FFmpegError as error:
            raise DecodeError(f"cannot be read: {error.strerror}", file=path) from error
        seconds = float(stream.time_base or 0)
        start_s, n_announced = start_of(container), stream.frames
        counted = container.format.name == "avi"
    n_announced -= int(packets["empty"].sum())  # a capture's dropped frames: announced, but never there
    packets = packets[~packets["empty"]]
    if not len(packets):
        raise DecodeError("holds no readable video frame", file=path)
    order = np.argsort(packets["pts"], kind="stable")
    packets = packets[order]
    times_s = packets["pts"] * seconds - start_s
    if counted:  # what AVI has instead of presentation times begins with the codec's delay
        times_s = times_s - times_s[0]
    elif (packets["pts"] < 0).any() and not packets["discard"].any():
        # Some muxers keep no edit list and let time begin below zero; nothing is hidden then.
        times_s = times_s - min(times_s[0], 0.0)
    shown: NDArray[np.bool_] = ~packets["discard"] & (times_s >= -seconds)
    if not shown.any():
        raise DecodeError("holds no frame that a player shows", file=path)
    times_s = np.maximum(times_s[shown], 0.0)
    last_s = float(packets["duration"][shown][-1]) * seconds or (1 / float(rate) if rate else 0.0)
    end_s = float(times_s[-1]) + last_s
    limits.check(duration_s=end_s)
    return Timeline(
        times_s=times_s,
        end_s=end_s,
        n_announced=max(len(times_s), n_announced - int((~shown).sum())),
        n_hidden=int((~shown).sum()),
        width_px=width,
        height_px=height,
        quarter_turns=quarter_turns,
        stamps=packets["pts"][shown],
    )


def start_of(container: InputContainer) -> float:
    """Return where playback starts on the container's clock, in seconds; transport streams start late."""
    return max(0, container.start_time or 0) / av.time_base


def _geometry(container: InputContainer, stream: VideoStream, limits: Limits) -> tuple[int, int, int]:
    """Return (width, height, quarter turns) of the first frame; only a frame knows its rotation."""
    frame = next(iter(tolerant(container, stream)), None)
    if frame is None:
        raise DecodeError("holds no readable video frame", file=container.name.removeprefix("file:"))
    limits.check(side_px=max(frame.width, frame.height), area_px=frame.width * frame.height)
    turns = round(frame.rotation / 90) % 4
    sides = (frame.width, frame.height)
    return (*(sides[::-1] if turns % 2 else sides), turns)


def tolerant(
    container: InputContainer, stream: VideoStream, on_broken: Callable[[str], None] | None = None
) -> Iterator[av.VideoFrame]:
    """Yield every frame that can be decoded, in presentation order; broken packets are left out.

    Args:
        container: an open video.
        stream: one of its streams.
        on_broken: told FFmpeg's reason for each packet or stretch that cannot be decoded.
    """
    packets = iter(container.demux(stream))
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except av.FFmpegError as error:
            if on_broken is not None:
                on_broken(str(error.strerror))
            continue
        yield from frames


def _packets(
    container: InputContainer, stream: VideoStream, on_packet: Callable[[], None] | None
) -> NDArray[np.void]:
    columns = {
        name: array(kind)
        for name, kind in (("pts", "q"), ("duration", "q"), ("discard", "b"), ("empty", "b"))
    }
    for packet in container.demux(stream):
        stamp = packet.pts if packet.pts is not None else packet.dts  # AVI has no presentation time
        if on_packet is not None:
            on_packet()
        if stamp is not None:
            for column, value in zip(
                columns.values(),
                (stamp, packet.duration or 0, packet.is_discard, packet.size == 0),
                strict=True,
            ):
                column.append(value)
    rows = np.empty(
        len(columns["pts"]),
        dtype=[("pts", np.int64), ("duration", np.int64), ("discard", np.bool_), ("empty", np.bool_)],
    )
    for name, column in columns.items():
        rows[name] = np.frombuffer(column, dtype=column.typecode)
    return rows
