"""The presentation times of a video, read from its packets.

decord gives times as float32 and, for some containers, not at all; a player goes by the packets'
timestamps, and so does everything here. What is wrong with them is mended first, and raw streams, which have
none, are given some by an assumed rate.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, NamedTuple, cast

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.video.concatenation import find_joints
from vadpipe.extract.video.container import FAMILIES, Family
from vadpipe.extract.video.container_info import Stored, read_stored
from vadpipe.extract.video.demuxing import family_of, read_packets
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.presentation import MAX_CHANGES, Presentation, present
from vadpipe.extract.video.timestamps import FAR_S, KINDS, NO_STAMP, ClockChange, Kind

ASSUMED_FPS = 25.0
"""Frames per second of a video that carries no times: FFmpeg's default, and the rate of PAL cameras."""


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
        stamps: (N,) int64, timestamps of the same N frames, in ticks.
        quarter_turns: how often the decoded picture is turned by 90 degrees, counterclockwise.
        n_unread_parts: recordings in a file that was joined from several that are not read, since they are
            another program of a transport stream, or coded otherwise in Matroska.
        unread_at: the byte of the file at which the first of them begins; 0 where all is read.
        tick: what timestamps count, in seconds.
        timed: whether the file has times; else they follow from an assumed rate.
        changes: where the clock does not simply go on; another process is told of 100 at most.
        seekable: whether the container keeps its timestamps behind a seek.
        packet_stamps: (P, 2) int64, pts and dts of every packet in the order of the file, where they are not
            what the file says.
    """

    times_s: NDArray[np.float64] = field(repr=False)
    end_s: float
    n_announced: int
    n_hidden: int
    width_px: int
    height_px: int
    quarter_turns: int
    stamps: NDArray[np.int64] = field(repr=False)
    n_unread_parts: int = 0
    unread_at: int = 0
    tick: Fraction = Fraction(0)
    timed: bool = True
    changes: tuple[ClockChange, ...] = ()
    seekable: bool = True
    packet_stamps: NDArray[np.int64] | None = field(default=None, repr=False)

    @property
    def frame_s(self) -> float:
        """How long a frame is shown, in the middle of the distribution."""
        edges = np.append(self.times_s, self.end_s)
        return float(np.median(np.diff(edges)))

    @property
    def can_seek(self) -> bool:
        """Whether the video can be entered elsewhere than at its start."""
        return self.seekable and self.packet_stamps is None

    def to_record(self) -> dict[str, Any]:
        """Return everything but the arrays, and what only the process that read the video can use."""
        changes = [[change.kind, change.frame, change.by_s] for change in self.changes[:MAX_CHANGES]]
        return {name: getattr(self, name) for name in (*_NUMBERS, "timed")} | {"changes": changes}

    @classmethod
    def from_record(cls, record: dict[str, Any], times_s: NDArray[np.float64]) -> Timeline:
        """Return the timeline of a record and its times; it knows no timestamps.

        Raises:
            ValueError: where they cannot be those of a video.
        """
        if record.keys() != {*_NUMBERS, "timed", "changes"} or type(record["timed"]) is not bool:
            raise ValueError("it has other fields")
        if any(type(record[name]) not in (int, float) for name in _NUMBERS):
            raise ValueError("it has other fields")
        changes = _parse_changes(record["changes"], len(times_s))
        no_stamps = np.empty(0, dtype=np.int64)
        timeline = cls(**record | {"changes": changes}, times_s=times_s, stamps=no_stamps)
        edges = np.append(times_s, timeline.end_s)
        whole = [value for name, value in record.items() if name in _NUMBERS and name != "end_s"]
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

    def packets(self, container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
        """Yield every packet of the video, as :func:`read_packets` does, with the timestamps known here.

        Args:
            container: the video, at its start unless it :attr:`can_seek`.
            stream: the one that the timeline is of.
        """
        packets = read_packets(container, stream)
        if self.packet_stamps is None:
            yield from packets
            return
        # The last packet is FFmpeg's own and flushes the decoder.
        for packet, (pts, dts) in zip(packets, self.packet_stamps, strict=False):
            packet.pts = None if pts == NO_STAMP else int(pts)
            packet.dts = None if dts == NO_STAMP else int(dts)
            yield packet

    def scaled_to(self, short_side_px: int) -> tuple[int, int]:
        """Return (width, height) in pixels with that short side and the aspect kept, both even."""
        return scaled_to(short_side_px, self.width_px, self.height_px)


def scaled_to(short_side_px: int, width_px: int, height_px: int) -> tuple[int, int]:
    """Return (width, height) in pixels of a picture with that short side and the aspect kept, both even."""
    scale = short_side_px / min(width_px, height_px)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (width_px, height_px))
    return width, height


_NUMBERS = (
    "end_s", "n_announced", "n_hidden", "width_px", "height_px", "quarter_turns", "n_unread_parts",
    "unread_at",
)  # fmt: skip
_ROUGHLY_S = 1.0  # a length in words may be off by so much


def _parse_changes(changes: object, n_frames: int) -> tuple[ClockChange, ...]:
    if not isinstance(changes, list) or len(changes) > MAX_CHANGES:
        raise ValueError("it has other fields")
    parsed = []
    for change in changes:
        match change:
            case [str(kind), int(frame), float(by_s)] if kind in KINDS and 0 <= frame < n_frames:
                parsed.append(ClockChange(cast("Kind", kind), frame, by_s))
            case _:
                raise ValueError("it has a clock that makes no sense")
    return tuple(parsed)


def read_timeline(
    path: str | os.PathLike[str],
    limits: Limits | None = None,
    on_packet: Callable[[], None] | None = None,
    *,
    assume_fps: float = ASSUMED_FPS,
) -> Timeline:
    """Read the times of all frames, as float64 seconds from the start of playback.

    Args:
        path: the video.
        limits: what it may ask for.
        on_packet: called for each packet that was read, as a sign of life.
        assume_fps: frames a second of a video that has no times.

    Raises:
        DecodeError: where the container is broken or holds no frame that is shown.
        InputError: where it holds no video, or is beyond the limits.
    """
    limits, family = limits or Limits(), family_of(path)
    if family is FAMILIES["images"]:
        from vadpipe.extract.video.image_frames import read_image_timeline  # Pillow takes a while to load

        return read_image_timeline(path, limits, on_packet, assume_fps)
    stored = read_stored(path, limits, on_packet)
    joints = find_joints(path, family, stored.rows, on_packet)
    presented = present(
        path, stored.rows, family, stored.tick,
        reorders=stored.reorders, parts=joints.parts, assume_fps=assume_fps, limits=limits,
        on_packet=on_packet,
    )  # fmt: skip
    shown = _shown(path, stored, presented, family)
    times_s, stamps = shown.times_s, shown.packets["pts"]
    # What FFmpeg makes up for the durations of a raw stream counts other ticks.
    duration = int(shown.packets["duration"][-1]) if family.timed else 1
    rate = stored.rate if family.timed else 1 / presented.tick
    end_s = float(times_s[-1]) + _last_s(duration, times_s, rate, presented.tick)
    limits.check(duration_s=end_s)
    timeline = Timeline(
        times_s=times_s,
        end_s=end_s,
        n_announced=max(len(times_s), shown.n_announced),
        n_hidden=shown.n_hidden,
        width_px=stored.width_px,
        height_px=stored.height_px,
        quarter_turns=stored.quarter_turns,
        n_unread_parts=len(joints.unread),
        unread_at=min(joints.unread, default=0),
        stamps=stamps,
        tick=presented.tick,
        timed=family.timed,
        changes=presented.changes(stamps) if family.timed and not family.counted else (),
        seekable=family.seekable,
        packet_stamps=presented.packet_stamps,
    )
    absent_s = stored.announced_s - stored.start_s - end_s
    if _ROUGHLY_S < absent_s < limits.duration_s and timeline.frame_s > 0:
        timeline = replace(timeline, n_announced=len(times_s) + round(absent_s / timeline.frame_s))
    return timeline


class _Shown(NamedTuple):
    """The packets of the frames that a player shows, in presentation order, and when each is shown."""

    packets: NDArray[np.void]
    times_s: NDArray[np.float64]
    n_announced: int
    n_hidden: int


def _shown(path: str | os.PathLike[str], stored: Stored, presented: Presentation, family: Family) -> _Shown:
    """Return what is shown of a video. Raises DecodeError where that is nothing, InputError for a picture."""
    packets, n_same = _distinct(stored.rows, presented)
    if not len(packets):
        raise DecodeError("holds no readable video frame", file=path)
    n_announced = stored.n_announced - n_same
    if family.counted:
        n_dropped = int(packets["pts"][-1] - packets["pts"][0]) + 1 - len(packets)  # by the capture
        n_announced -= n_dropped
    times_s = _times_s(packets, presented, family, stored.start_s)
    shown: NDArray[np.bool_] = ~packets["discard"] & (times_s >= -float(presented.tick))
    if not shown.any():
        raise DecodeError("holds no frame that a player shows", file=path)
    if shown.sum() == 1 and family.demuxer in ("mjpeg", "gif"):
        raise InputError("is a single picture, not a video", file=path)
    n_hidden = int((~shown).sum())
    return _Shown(packets[shown], np.maximum(times_s[shown], 0.0), n_announced - n_hidden, n_hidden)


def _times_s(
    packets: NDArray[np.void], presented: Presentation, family: Family, start_s: float
) -> NDArray[np.float64]:
    """Return when each packet is shown, from the start of playback; below zero what an edit list hides."""
    seconds = float(presented.tick)
    times_s: NDArray[np.float64] = packets["pts"] * seconds - _start_s(start_s, presented, family, seconds)
    if family.counted:  # what it has instead of presentation times begins with the codec's delay
        begins_s = float(times_s[0])
    elif (packets["pts"] < 0).any() and not packets["discard"].any():
        # Some muxers keep no edit list and let time begin below zero; nothing is hidden then.
        begins_s = min(float(times_s[0]), 0.0)
    else:
        begins_s = 0.0
    times_s -= begins_s
    return times_s


def _last_s(duration: int, times_s: NDArray[np.float64], rate: Fraction | None, tick: Fraction) -> float:
    """Return for how long the last frame is shown, in seconds."""
    if duration > 1 or (duration == 1 and rate is not None and rate * tick >= Fraction(1, 2)):
        return duration * float(tick)
    if rate:  # some demuxers say one tick where they do not know
        return float(1 / rate)
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else float(tick)


def _distinct(rows: NDArray[np.void], presented: Presentation) -> tuple[NDArray[np.void], int]:
    """Return the packets in presentation order, each time once, and how many were left out.

    Dropped frames of a capture are announced but never there, and of two frames at one time one is shown.
    """
    n_packets = int(((rows["pts"] != NO_STAMP) | (rows["dts"] != NO_STAMP)).sum())
    packets = rows.copy()
    packets["pts"] = presented.pts
    packets = packets[presented.pts != NO_STAMP]
    packets = packets[np.lexsort((packets["discard"], packets["pts"]))]
    first: NDArray[np.bool_] = np.diff(packets["pts"], prepend=np.iinfo(np.int64).min) != 0
    return packets[first], n_packets - int(first.sum())


def _start_s(start_s: float, presented: Presentation, family: Family, seconds: float) -> float:
    """Return where playback starts on the clock of a presentation, in seconds."""
    if not family.timed:
        return 0.0
    if presented.mended:  # FFmpeg has seen all clocks of a short file, and may go by another
        first_s = float(presented.pts[presented.pts != NO_STAMP].min()) * seconds
        if abs(first_s - start_s) > FAR_S:
            return first_s
    return start_s
