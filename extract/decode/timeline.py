"""The presentation times of a video, read from its packets without decoding.

decord gives times as float32 and, for some containers, not at all; a player goes by the packets'
timestamps, and so does everything here.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vadpipe.errors import DecodeError
from vadpipe.extract.decode.limits import Limits
from vadpipe.extract.decode.opening import ffmpeg_log, open_container, read_packets, start_of, tolerant


@dataclass(frozen=True)
class Timeline:
    """When each frame of a video is shown.

    Attributes:
        times_s: (N,) float64, of the frames that a player shows, in presentation order, from 0 up.
        end_s: when the last of them ends.
        n_announced: how many shown frames the container says it has; more than N where the file is cut
            short. Where it does not say, N; Matroska says only how long it is, which is reckoned in frames.
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

    @classmethod
    def from_record(cls, record: dict[str, float | int], times_s: NDArray[np.float64]) -> Timeline:
        """Return the timeline of a record and its times; it knows no timestamps.

        Raises:
            ValueError: where they cannot be those of a video.
        """
        numbers = all(type(value) in (int, float) for value in record.values())
        if not numbers or record.keys() != set(_SCALARS):
            raise ValueError("it has other fields")
        timeline = cls(**record, times_s=times_s, stamps=np.empty(0, dtype=np.int64))  # type: ignore[arg-type]
        edges = np.append(times_s, timeline.end_s)
        whole = (timeline.n_announced, timeline.n_hidden, timeline.width_px, timeline.height_px)
        if not (
            len(times_s)
            and np.isfinite(edges).all()
            and edges[0] >= 0
            and (np.diff(edges) >= 0).all()
            and all(isinstance(number, int) and number >= 0 for number in whole)
            and min(timeline.n_announced - len(times_s), timeline.width_px - 1, timeline.height_px - 1) >= 0
        ):
            raise ValueError("its numbers contradict each other")
        return timeline

    def number_of(self, stamp: int | None) -> int | None:
        """Return which frame has that timestamp, or None where it is hidden or not known."""
        at = int(np.searchsorted(self.stamps, stamp)) if stamp is not None else len(self.stamps)
        return at if at < len(self.stamps) and self.stamps[at] == stamp else None

    def scaled_to(self, short_side_px: int) -> tuple[int, int]:
        """Return (width, height) in pixels with that short side and the aspect kept, both even."""
        scale = short_side_px / min(self.width_px, self.height_px)
        width, height = (max(2, round(side * scale / 2) * 2) for side in (self.width_px, self.height_px))
        return width, height


_ROUGHLY_S = 1.0  # a length in words may be off by so much
_SCALARS = ("end_s", "n_announced", "n_hidden", "width_px", "height_px", "quarter_turns")


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
        packets = _packets(container, stream, on_packet)
        seconds = float(stream.time_base or 0)
        start_s, n_announced = start_of(container), stream.frames
        counted = container.format.name == "avi"
        announced_s = _announced_s(container, stream)
    n_packets = len(packets)
    packets = _distinct(packets)
    n_announced -= n_packets - len(packets)
    if not len(packets):
        raise DecodeError("holds no readable video frame", file=path)
    times_s = packets["pts"] * seconds - start_s
    if counted:  # what AVI has instead of presentation times begins with the codec's delay
        times_s = times_s - times_s[0]
        n_announced -= int(packets["pts"][-1] - packets["pts"][0]) + 1 - len(packets)  # dropped frames again
    elif (packets["pts"] < 0).any() and not packets["discard"].any():
        # Some muxers keep no edit list and let time begin below zero; nothing is hidden then.
        times_s = times_s - min(times_s[0], 0.0)
    shown: NDArray[np.bool_] = ~packets["discard"] & (times_s >= -seconds)
    if not shown.any():
        raise DecodeError("holds no frame that a player shows", file=path)
    times_s = np.maximum(times_s[shown], 0.0)
    last_s = max(0, int(packets["duration"][shown][-1])) * seconds or (1 / float(rate) if rate else 0.0)
    end_s = float(times_s[-1]) + last_s
    limits.check(duration_s=end_s)
    timeline = Timeline(
        times_s=times_s,
        end_s=end_s,
        n_announced=max(len(times_s), n_announced - int((~shown).sum())),
        n_hidden=int((~shown).sum()),
        width_px=width,
        height_px=height,
        quarter_turns=quarter_turns,
        stamps=packets["pts"][shown],
    )
    absent_s = announced_s - start_s - end_s
    if _ROUGHLY_S < absent_s < limits.duration_s and timeline.frame_s > 0:
        timeline = replace(timeline, n_announced=len(times_s) + round(absent_s / timeline.frame_s))
    return timeline


def _distinct(packets: NDArray[np.void]) -> NDArray[np.void]:
    """Return the packets in the order of presentation, without those that give no frame of their own.

    A capture's dropped frames are announced, but never there; and of two at one time one is shown.
    """
    packets = packets[~packets["empty"]]
    packets = packets[np.lexsort((packets["discard"], packets["pts"]))]
    first: NDArray[np.bool_] = np.diff(packets["pts"], prepend=np.iinfo(np.int64).min) != 0
    return packets[first]


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
        if any("get_buffer() failed" in line for line in lines):
            raise MemoryError
        raise DecodeError("holds no readable video frame", file=container.name.removeprefix("file:"))
    limits.check(side_px=max(frame.width, frame.height), area_px=frame.width * frame.height)
    turns = round(frame.rotation / 90) % 4
    sides = (frame.width, frame.height)
    return (*(sides[::-1] if turns % 2 else sides), turns)


def _packets(
    container: InputContainer, stream: VideoStream, on_packet: Callable[[], None] | None
) -> NDArray[np.void]:
    columns = {
        name: array(kind)
        for name, kind in (("pts", "q"), ("duration", "q"), ("discard", "b"), ("empty", "b"))
    }
    counted = container.format.name == "avi"
    # VP8 keeps pictures that are never shown, to predict others from, in packets of their own.
    vp8 = stream.codec_context.name == "vp8"
    for packet in read_packets(container, stream):
        # AVI has no presentation times, or guesses; its frames are known by their place among all.
        stamp = packet.dts if counted or packet.pts is None else packet.pts
        if on_packet is not None:
            on_packet()
        if stamp is not None:
            empty = packet.size == 0 or (vp8 and not memoryview(packet)[0] & 0x10)
            values = (stamp, packet.duration or 0, packet.is_discard, empty)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    rows = np.empty(
        len(columns["pts"]),
        dtype=[("pts", np.int64), ("duration", np.int64), ("discard", np.bool_), ("empty", np.bool_)],
    )
    for name, column in columns.items():
        rows[name] = np.frombuffer(column, dtype=column.typecode)
    return rows
