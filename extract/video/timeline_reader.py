"""Reading of a video's presentation times from its packets.

decord gives times as float32 and, for some containers, not at all; a player goes by the packets'
timestamps, and so does everything here. What is wrong with them is mended first, and raw streams, which have
none, are given some by an assumed rate.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.video.concatenation import find_concatenation
from vadpipe.extract.video.container import FAMILIES, Family
from vadpipe.extract.video.container_info import ContainerInfo, read_container_info
from vadpipe.extract.video.demuxing import family_of
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.presentation import Presentation, present
from vadpipe.extract.video.timeline import ASSUMED_FPS, Timeline
from vadpipe.extract.video.timestamps import FAR_S, NO_STAMP

_ROUGHLY_S = 1.0  # a length in words may be off by so much


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
        assume_fps: frames per second of a video that has no times.

    Raises:
        DecodeError: if the container is broken or holds no frame that is shown.
        InputError: if it holds no video, or is beyond the limits.
    """
    limits, family = limits or Limits(), family_of(path)
    if family is FAMILIES["images"]:
        from vadpipe.extract.video.image_frames import read_image_timeline  # Pillow takes a while to load

        return read_image_timeline(path, limits, on_packet, assume_fps)
    stored = read_container_info(path, limits, on_packet)
    joints = find_concatenation(path, family, stored.rows, on_packet)
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


def _shown(
    path: str | os.PathLike[str], stored: ContainerInfo, presented: Presentation, family: Family
) -> _Shown:
    """Return what is shown of a video. Raises DecodeError if that is nothing, InputError for a picture."""
    packets, n_same = _distinct(stored.rows, presented)
    if not len(packets):
        raise DecodeError("has no decodable video frame", file=path)
    n_announced = stored.n_announced - n_same
    if family.counted:
        n_dropped = int(packets["pts"][-1] - packets["pts"][0]) + 1 - len(packets)  # by the capture
        n_announced -= n_dropped
    times_s = _times_s(packets, presented, family, stored.start_s)
    shown: NDArray[np.bool_] = ~packets["discard"] & (times_s >= -float(presented.tick))
    if not shown.any():
        raise DecodeError("has no frame that a player shows", file=path)
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
