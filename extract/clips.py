"""Clips of snippets or of longer windows, from decoded frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.video.frame import Frame
from vadpipe.extract.video.timeline import Timeline
from vadpipe.features.file import lost_snippets
from vadpipe.features.ranges import runs_of_true
from vadpipe.features.sampling import Sampling


@dataclass(frozen=True)
class FrameViews:
    """The views of one frame: its number from 0, and of each view the pixels (side, side, 3) uint8 RGB."""

    number: int
    views: Sequence[NDArray[np.uint8]]


def views_of_frames(
    frames: Iterable[Frame], crop_views: Callable[[NDArray[np.uint8]], Sequence[NDArray[np.uint8]]]
) -> Iterator[FrameViews]:
    """Yield the views of each frame; ``crop_views`` returns as many and as large ones of each."""
    for frame in frames:
        yield FrameViews(frame.number, crop_views(frame.pixels))


class Clips:
    """The clips (T, H, W, 3) of a video's snippets or windows, in order; holds the frames of three at a time.

    With several views, the clips of one snippet follow each other, one per view.

    A snippet with a frame that could not be decoded is left out. In a window, which is context for many
    snippets, the nearest frame stands for it. A video ends with the last frame that could
    be, and its last snippet with it. Which one that is, is known only when the next has been read; so one is
    read ahead, and the frames of the one before are kept, since the last may begin in it. If frames of the
    last snippet were not requested, because the backbone sees fewer than 16 or the stride is above 16, the
    nearest ones that were stand for them.

    Args:
        frames: the views of the wanted frames that could be decoded, see :func:`views_of_frames`.
        decoded: returns which of all N frames could be, (N,) bool; asked when there are no more frames.
        timeline: of the video.
        sampling: which frames each snippet takes.
        on_time: called with the time in seconds up to which frames have been read.

    Attributes:
        n_frames: frames of the video up to the last that could be decoded; known when all clips have been
            drawn.
        last: the number of the last frame that has been read; -1 before the first.
        drawn: which snippets, or windows, have been drawn so far; of the last perhaps not yet every view.
        gaps: ranges [start, stop) of frames before the last that could not be; known at the end, too.
        sampling: which frames each snippet takes.
    """

    def __init__(
        self,
        frames: Iterable[FrameViews],
        decoded: Callable[[], NDArray[np.bool_]],
        timeline: Timeline,
        sampling: Sampling,
        on_time: Callable[[float], None] | None = None,
    ) -> None:
        self.n_frames = len(timeline.times_s)
        self.drawn: list[int] = []
        self.gaps: list[tuple[int, int]] = []
        self._frames, self._decoded = iter(frames), decoded
        self._timeline, self.sampling, self._on_time = timeline, sampling, on_time
        self._held: dict[int, Sequence[NDArray[np.uint8]]] = {}  # the views of each frame
        self.last = -1
        self._ended = False

    @property
    def n_missing(self) -> int:
        """How many frames before the last could not be decoded."""
        return sum(stop - start for start, stop in self.gaps)

    @property
    def end_s(self) -> float:
        """When the last frame ends: where the next one would have begun."""
        if self.n_frames == len(self._timeline.times_s):
            return self._timeline.end_s
        return float(self._timeline.times_s[self.n_frames])

    @property
    def n_snippets(self) -> int:
        """S, with those that were left out."""
        return self.sampling.n_snippets(self._timeline.times_s[: self.n_frames], self.end_s)

    @property
    def lost(self) -> NDArray[np.bool_]:
        """(S,) bool: snippets of which a frame could not be decoded; known at the end."""
        times_s = self._timeline.times_s[: self.n_frames]
        return lost_snippets(self.sampling, times_s, self.end_s, tuple(self.gaps))

    @property
    def n_samples(self) -> int:
        """M, as far as known so far."""
        return self.sampling.n_samples(self._timeline.times_s[: self.n_frames], self.end_s)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        plan = self.sampling.seen(self._timeline.times_s, self._timeline.end_s)
        index, cut = 0, False
        while index < len(plan):
            near_end = index + 2 >= len(plan)
            # To the very end, since frames after the last wanted one show whether the video is cut short.
            self._read_to(len(self._timeline.times_s) if near_end else int(plan[index + 1, -1]))
            if self._ended and not cut:
                plan, cut = self._plan_of_what_there_is(plan), True
                continue
            numbers = plan[index].tolist()
            if self.sampling.windowed:
                numbers = nearest(numbers, self._held)
            if all(number in self._held for number in numbers):
                self.drawn.append(index)
                for pixels in zip(*(self._held[number] for number in numbers), strict=True):
                    yield np.stack(pixels)
            index += 1
            needed_from = int(plan[index - 1, 0])
            # The last one stays: it may have to stand for frames that were not requested.
            for number in [held for held in self._held if held < needed_from and held != self.last]:
                del self._held[number]

    def _read_to(self, number: int) -> None:
        while self.last < number and not self._ended:
            frame = next(self._frames, None)
            if frame is None:
                self._ended = True
                return
            self._held[frame.number] = frame.views
            self.last = frame.number
            if self._on_time is not None:
                self._on_time(float(self._timeline.times_s[frame.number]))

    def _plan_of_what_there_is(self, plan: NDArray[np.int64]) -> NDArray[np.int64]:
        """Note what is missing, and return the plan of a video that ends with the last decoded frame."""
        decoded = self._decoded()
        there = np.flatnonzero(decoded)
        if not len(there):
            self.n_frames = 0
            return plan[:0]
        self.n_frames = int(there[-1]) + 1
        self.gaps = [(start, stop) for start, stop in runs_of_true(~decoded[: self.n_frames]).tolist()]
        if self.n_frames == len(decoded):
            return plan
        plan = self.sampling.seen(self._timeline.times_s[: self.n_frames], self.end_s)
        asked_for = dict(self._held)
        for number in set(plan[-1].tolist()) - set(asked_for):
            if decoded[number] and asked_for:
                nearest = min(asked_for, key=lambda held: (held < plan[-1, 0], abs(held - number)))
                self._held[number] = asked_for[nearest]
        return plan


def interleaved(sources: Sequence[Clips]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the clips of several windows over one video, each with the place of its source among them.

    The source that has read least goes on, so that frames which all of them share wait only for as long as a
    window is.
    """
    open_ones = [(place, clips, iter(clips)) for place, clips in enumerate(sources)]
    while open_ones:
        behind = min(open_ones, key=lambda source: source[1].last)
        clip = next(behind[2], None)
        if clip is None:
            open_ones.remove(behind)
        else:
            yield behind[0], clip


def nearest(numbers: list[int], there: Collection[int]) -> list[int]:
    """Return for each frame of a window the nearest available one; unchanged if there are none."""
    known = [number for number in numbers if number in there]
    if len(known) in (0, len(numbers)):
        return numbers
    return [min(known, key=lambda other: abs(other - number)) for number in numbers]
