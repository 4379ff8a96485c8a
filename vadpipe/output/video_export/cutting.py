"""Cutting of clips in the export process: packets are copied if that is exact enough, else re-encoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from math import inf

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from vadpipe.extract.video.demuxing import open_container, read_packets
from vadpipe.output.video_export.job import Clip, ExportJob
from vadpipe.output.video_export.picture import Upright, new_planes
from vadpipe.output.video_export.sound import Sound
from vadpipe.output.video_export.source import ROUNDING_S, Keys, ProgressReport, VideoSource
from vadpipe.output.video_export.writing import Output, Pictures

MAX_LEAD_S = 10.0
"""A copy may begin at most this long before the wanted start."""


_BACK_S = (0.0, 5.0, inf)
"""A seek can land behind what is looked for; then it is tried from so much further before."""


class _CannotCopyError(Exception):
    """These packets cannot be put into another file as they are."""


class _TooFarError(_CannotCopyError):
    """What a copy begins with has not been met."""


def cut_video(path: str, job: ExportJob, progress: ProgressReport) -> None:
    """Write the clips of a job, one after the other.

    Raises:
        InputError: if the video cannot be used, or is not the one that the curve belongs to.
        OutputError: if a clip cannot be written.
    """
    source = VideoSource.read(path, job.limits, job.times_s, job.end_s, progress)
    keys = source.keys()
    done_s = 0.0
    for clip in job.clips:
        key = _key_for(clip, source, keys)
        try:
            if key is None:
                raise _CannotCopyError
            _copy(clip, source, key, done_s)
        except (_CannotCopyError, av.FFmpegError, ValueError):
            _encode(clip, source, keys, done_s)
        done_s += clip.end_s - clip.start_s


def _key_for(clip: Clip, source: VideoSource, keys: Keys) -> int | None:
    """Return the number of the frame at which a copy can begin, or None."""
    if not keys.copyable:
        return None
    numbers = np.searchsorted(source.timeline.stamps, keys.stamps)
    times_s = source.timeline.times_s[numbers]
    at = int(np.searchsorted(times_s, clip.start_s + ROUNDING_S, side="right")) - 1
    if at < 0 or clip.start_s - times_s[at] > MAX_LEAD_S:
        return None
    return int(numbers[at])


def _span(clip: Clip, source: VideoSource) -> tuple[int, int]:
    """Return the frames [start, stop) that are seen in a stretch."""
    times_s = source.timeline.times_s
    first = max(0, int(np.searchsorted(times_s, clip.start_s + ROUNDING_S, side="right")) - 1)
    return first, max(first + 1, int(np.searchsorted(times_s, clip.end_s - ROUNDING_S)))


def _copy(clip: Clip, source: VideoSource, key: int, done_s: float) -> None:
    """Copy packets from a key frame on. Raises _CannotCopyError, or FFmpeg's errors, where that fails."""
    _, stop = _span(clip, source)
    first_s, zero = float(source.timeline.times_s[key]), int(source.timeline.stamps[key])
    with open_container(source.path, source.limits) as (container, stream), Output(clip.output) as output:
        if clip.for_browsers and not _plays(stream):
            raise _CannotCopyError
        target = output.container.add_stream_from_template(stream, opaque=True)
        sound = Sound(source, output, first_s, float(source.edges_s[stop]))
        n_packets = 0
        for pts, dts, packet in _entered(container, stream, source, key, stop):
            time_s = float(((pts if dts is None else dts) - zero) * source.stamp_s)
            sound.until(time_s)
            # Matroska has no times of decoding; where there is none, the muxer makes one.
            packet.pts, packet.dts, packet.stream = pts - zero, None if dts is None else dts - zero, target
            output.mux(packet)
            n_packets += 1
            source.progress.done(done_s + max(0.0, min(first_s + time_s, clip.end_s) - clip.start_s))
        if n_packets < stop - key:
            raise _CannotCopyError
        sound.finish()


def _plays(stream: VideoStream) -> bool:
    """Return whether every browser plays a video stream's codec."""
    return stream.codec_context.name == "h264" and stream.codec_context.pix_fmt in _PLAYED_PIXELS


_PLAYED_PIXELS = ("yuv420p", "yuvj420p")

_Copied = Iterator[tuple[int, int | None, "av.Packet[VideoStream]"]]
"""Packets with their times of presentation and, where they are known, of decoding."""


def _entered(
    container: InputContainer, stream: VideoStream, source: VideoSource, key: int, stop: int
) -> _Copied:
    """Yield the packets of frames, entering the video as near to the first as can be."""
    stamp = int(source.timeline.stamps[key])
    for back_s in _BACK_S:
        if back_s < inf:
            container.seek(stamp - int(back_s / source.stamp_s), stream=stream)
        else:
            container.seek(container.start_time or 0)
        packets = _packets(read_packets(container, stream), source, key, stop)
        with suppress(_TooFarError):
            return chain([next(packets)], packets)
    raise _CannotCopyError


def _packets(packets: Iterator[av.Packet[VideoStream]], source: VideoSource, key: int, stop: int) -> _Copied:
    """Yield the packets that show the frames from ``key`` up to ``stop``.

    There may be some more, up to where nothing is missing between what is shown.
    """
    stamps = source.timeline.stamps
    first, last = int(stamps[key]), int(stamps[stop - 1])
    newest: int | None = None
    for packet in packets:
        source.progress.alive()
        if not packet.size:
            continue
        pts, dts = packet.pts, packet.dts
        if pts is None:
            raise _CannotCopyError
        if newest is None:
            if pts > first:
                raise _TooFarError
            if pts < first or not packet.is_keyframe:
                continue
            newest = first
        if pts < first:  # builds on frames before the key frame
            continue
        if pts > newest and newest >= last:
            return
        if packet.is_discard or packet.is_corrupt:
            raise _CannotCopyError
        newest = max(newest, pts)
        yield pts, dts, packet
    if newest is None:
        raise _TooFarError


def _encode(clip: Clip, source: VideoSource, keys: Keys, done_s: float) -> None:
    """Write exactly the stretch that is wanted; the frame that stands at its start begins with it."""
    first, stop = _span(clip, source)
    # Behind a key frame there may be frames that build on what lies before it, so the one before is taken.
    at = int(np.searchsorted(keys.stamps, source.timeline.stamps[first], side="right")) - 2
    upright = Upright(source)
    shown = new_planes(upright.width, upright.height)
    with Output(clip.output) as output:
        pictures = Pictures(output, upright.width, upright.height, source.tick, source.rate, source.looks)
        sound = Sound(source, output, clip.start_s, clip.end_s)
        for number, frame in source.frames(first, stop, int(keys.stamps[at]) if at >= 0 else None):
            shown = shown if frame is None else upright(frame)
            start_s, end_s = np.clip(source.edges_s[number : number + 2], clip.start_s, clip.end_s).tolist()
            pictures.add(shown, start_s - clip.start_s, end_s - clip.start_s)
            sound.until(start_s - clip.start_s)
            source.progress.done(done_s + start_s - clip.start_s)
        pictures.finish()
        sound.finish()
