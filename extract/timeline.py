"""The presentation times of a video, read from its packets without decoding.

decord gives times as float32 and, for some containers, not at all; a player goes by the packets'
timestamps, and so does everything here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vadpipe.errors import DecodeError, InputError

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
        n_announced: how many frames the container says it has; more than N where the file is cut short.
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

    def stamp(self, number: int) -> int | None:
        """Return the timestamp of a frame by its number, or None beyond the end."""
        return int(self.stamps[number]) if number < len(self.stamps) else None

    def time_of(self, stamp: int | None) -> float | None:
        """Return when the frame with that timestamp is shown, or None where it is hidden."""
        at = int(np.searchsorted(self.stamps, stamp)) if stamp is not None else len(self.stamps)
        if at < len(self.stamps) and self.stamps[at] == stamp:
            return float(self.times_s[at])
        return None

    def scaled_to(self, short_side_px: int) -> tuple[int, int]:
        """Return (width, height) in pixels with that short side and the aspect kept, both even."""
        scale = short_side_px / min(self.width_px, self.height_px)
        width, height = (max(2, round(side * scale / 2) * 2) for side in (self.width_px, self.height_px))
        return width, height


@contextmanager
def open_container(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video with FFmpeg, restricted to local files of the known container families.

    Raises:
        DecodeError: where the container is broken.
        InputError: where it holds no video.
    """
    try:
        # "file:" keeps a name such as "concat:a|b" or "-" from being read as a protocol or option.
        container = av.open(f"file:{path}", options=dict(_OPEN_OPTIONS))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DecodeError(
            f"cannot be opened: {getattr(error, 'strerror', None) or error}",
            file=path,
            next_step="The file is probably cut short or damaged; record or copy it again.",
        ) from error
    with container:
        if not container.streams.video:
            raise InputError("holds no video stream", file=path)
        yield container, container.streams.video[0]


def read_timeline(path: Path) -> Timeline:
    """Read the times of all frames, as float64 seconds from the start of playback.

    Raises:
        DecodeError: where the container is broken or holds no frame that is shown.
        InputError: where it holds no video.
    """
    width, height, quarter_turns = _geometry(path)
    with open_container(path) as (container, stream):
        rate = stream.average_rate or stream.base_rate
        try:
            packets = _packets(container, stream)
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
    return Timeline(
        times_s=times_s,
        end_s=float(times_s[-1]) + last_s,
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


def _geometry(path: Path) -> tuple[int, int, int]:
    """Return (width, height, quarter turns) of the first frame; only a frame knows its rotation."""
    with open_container(path) as (container, stream):
        try:
            frame = next(container.decode(stream), None)
        except av.FFmpegError as error:
            raise DecodeError(f"cannot be decoded: {error.strerror}", file=path) from error
    if frame is None:
        raise DecodeError("holds no readable video frame", file=path)
    turns = round(frame.rotation / 90) % 4
    sides = (frame.width, frame.height)
    return (*(sides[::-1] if turns % 2 else sides), turns)


def _packets(container: InputContainer, stream: VideoStream) -> NDArray[np.void]:
    rows = []
    for packet in container.demux(stream):
        stamp = packet.pts if packet.pts is not None else packet.dts  # AVI has no presentation time
        if stamp is not None:
            rows.append((stamp, packet.duration or 0, packet.is_discard, packet.size == 0))
    return np.array(
        rows, dtype=[("pts", np.int64), ("duration", np.int64), ("discard", np.bool_), ("empty", np.bool_)]
    )
