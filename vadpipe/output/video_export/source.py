"""The source of an exported video: its times, its colours, and every frame, decodable or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import chain
from math import ceil
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import InputError
from vadpipe.extract.video.container import FAMILIES, Family
from vadpipe.extract.video.demuxing import family_of, open_container
from vadpipe.extract.video.frame import Reading
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.pyav_decoder import numbered_frames
from vadpipe.extract.video.timeline import ASSUMED_FPS, Timeline
from vadpipe.extract.video.timeline_reader import read_timeline

_SAME_S = 2e-3  # times that went through a table or a container are rounded
ROUNDING_S = 1e-6  # what is nearer than this is the same moment
_FINEST_TICK = Fraction(1, 1_000_000)  # with finer ones, MP4 cannot hold a frame of some seconds
_COARSEST_TICK = Fraction(1, 10_000)
_RGB, _UNKNOWN, _BT709, _BT601 = 0, 2, 1, 6  # colour matrices as FFmpeg numbers them


class ProgressReport(Protocol):
    """Progress and signs of life for the parent process."""

    def alive(self) -> None:
        """Give a sign of life."""

    def done(self, time_s: float) -> None:
        """Report how many seconds of the video are done."""


@dataclass(frozen=True)
class Appearance:
    """How the numbers of a picture become colours, as FFmpeg numbers the ways; 2 is unknown."""

    matrix: int
    primaries: int
    transfer: int


@dataclass(frozen=True)
class Keys:
    """Points at which decoding can start.

    Attributes:
        stamps: (K,) int64, of the shown key frames, rising.
        copyable: whether all packets have times of presentation, so that they can be copied.
    """

    stamps: NDArray[np.int64]
    copyable: bool


@dataclass(frozen=True)
class VideoSource:
    """An open video whose times have been read.

    Attributes:
        path: where it is.
        limits: what it may ask for.
        progress: receives signs of life and progress.
        timeline: when each frame is shown.
        stamp_s: what its timestamps count, in seconds.
        tick: what those of outputs count: a whole part of that, or a microsecond where that is shorter still.
        rate: frames per second, about.
        aspect: width of a pixel over its height, as it is coded.
        looks: how its colours are coded.
        family: its container.
    """

    path: str
    limits: Limits
    progress: ProgressReport
    timeline: Timeline
    stamp_s: Fraction
    tick: Fraction
    rate: Fraction
    aspect: Fraction
    looks: Appearance
    family: Family

    @classmethod
    def read(
        cls, path: str, limits: Limits, times_s: NDArray[np.float64], end_s: float, progress: ProgressReport
    ) -> VideoSource:
        """Read the times of a video and compare them with those that a curve has.

        Raises:
            DecodeError: if the video is broken.
            InputError: if it is beyond the limits, or its frames are not those of the curve.
        """
        # Of a video without times, a curve knows at which rate it was read.
        assumed = len(times_s) / end_s if end_s > 0 else ASSUMED_FPS
        timeline = read_timeline(path, limits, progress.alive, assume_fps=assumed)
        n_frames, n_scores = len(timeline.times_s), len(times_s)
        if n_frames != n_scores or np.abs(timeline.times_s - times_s).max() > _SAME_S:
            counts = f": it shows {n_frames} frames, the curve has {n_scores}" if n_frames != n_scores else ""
            raise InputError(
                f"is not the video that the curve belongs to{counts}",
                next_step="Score this video again, or pass the one that was scored.",
            )
        family = family_of(path)
        tick = timeline.tick or Fraction(1, 1000)
        frame_s = max(timeline.frame_s, 1e-3)
        matrix = _matrix(_UNKNOWN, timeline.width_px, timeline.height_px)
        aspect, looks = Fraction(1), Appearance(matrix, _UNKNOWN, _UNKNOWN)
        if family is not FAMILIES["images"]:
            with open_container(path, limits) as (_, stream):
                codec = stream.codec_context
                aspect = _aspect(stream.sample_aspect_ratio)
                matrix = _matrix(codec.colorspace, codec.width, codec.height)
                looks = Appearance(matrix, codec.color_primaries, codec.color_trc)
        return cls(
            path=path,
            limits=limits,
            progress=progress,
            timeline=timeline,
            stamp_s=tick,
            tick=max(tick / max(1, ceil(tick / _COARSEST_TICK)), _FINEST_TICK),
            rate=max(Fraction(1, 100), Fraction(1 / frame_s).limit_denominator(1001)),
            aspect=aspect,
            looks=looks,
            family=family,
        )

    @property
    def origin_s(self) -> float:
        """What the container's clock shows when playback begins, in seconds."""
        return float(self.timeline.stamps[0] * self.stamp_s) - float(self.timeline.times_s[0])

    @cached_property
    def edges_s(self) -> NDArray[np.float64]:
        """When each frame begins and, at last, when the last one ends: (N + 1,) float64."""
        return np.append(self.timeline.times_s, self.timeline.end_s)

    def keys(self) -> Keys:
        """Read the points at which decoding can start."""
        if self.family is FAMILIES["images"]:  # each stands for itself
            return Keys(self.timeline.stamps, copyable=False)
        counted = self.family.counted
        stamps, copyable = list[int](), not counted and self.timeline.can_seek
        with open_container(self.path, self.limits) as (container, stream):
            for packet in self.timeline.packets(container, stream):
                self.progress.alive()
                if not packet.size:
                    continue
                copyable &= packet.pts is not None
                stamp = packet.dts if counted else packet.pts
                if packet.is_keyframe and self.timeline.number_of(stamp) is not None:
                    assert stamp is not None
                    stamps.append(stamp)
        return Keys(np.unique(np.array(stamps, dtype=np.int64)), copyable)

    def frames(
        self, first: int, stop: int, seek: int | None = None
    ) -> Iterator[tuple[int, av.VideoFrame | None]]:
        """Yield every frame from ``first`` up to ``stop`` with its number; None for what cannot be decoded.

        Args:
            first: number of a frame.
            stop: of the one that is no longer wanted.
            seek: timestamp to enter the video at, well before the first frame; from the start by default.
        """
        expected = first
        for number, frame in self._decoded(first, stop, seek):
            for lost in range(expected, number):
                yield lost, None
            yield number, frame
            expected = number + 1
            if expected == stop:
                return
        for lost in range(expected, stop):
            yield lost, None

    def _decoded(self, first: int, stop: int, seek: int | None) -> Iterator[tuple[int, av.VideoFrame]]:
        wanted = np.zeros(len(self.timeline.times_s), dtype=np.bool_)
        wanted[first:stop] = True
        size_px = (self.timeline.width_px, self.timeline.height_px)
        reading = Reading(
            self.path, self.timeline, size_px, wanted, limits=self.limits, alive=self.progress.alive
        )
        frames = numbered_frames(reading, seek)
        if seek is None:
            return frames
        entered = next(frames, None)
        if entered is None or entered[0] > first:  # the seek went too far: from the start, then
            return numbered_frames(reading)
        return chain([entered], frames)


def _aspect(aspect: Fraction | None) -> Fraction:
    """Return the shape of a pixel; one that nobody would mean is square."""
    return aspect if aspect and Fraction(1, 4) <= aspect <= 4 else Fraction(1)


def _matrix(matrix: int, width_px: int, height_px: int) -> int:
    """Return the colour matrix; where it is unknown, the one that players take for that size."""
    if matrix not in (_RGB, _UNKNOWN):
        return matrix
    return _BT709 if width_px >= 1280 or height_px > 576 else _BT601
