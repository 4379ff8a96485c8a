"""From decoded frames to the clips of each snippet, with what could not be decoded left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.decode.frame import Frame
from vadpipe.extract.decode.timeline import Timeline
from vadpipe.sampling import Sampling


class Clips:
    """The clips (T, H, W, 3) of a video's snippets, in order; holds three snippets' frames at a time.

    A snippet of which a frame could not be decoded is left out. A video ends with the last frame that could
    be, and its last snippet with it. Which one that is, is known only when the next has been read; so one is
    read ahead, and the frames of the one before are kept, since the last may begin in it. Where frames of
    the last snippet were not asked for, because the backbone sees fewer than 16 or the stride is above 16,
    the nearest ones that were stand for them.

    Args:
        frames: the wanted frames that could be decoded.
        decoded: returns which of all N frames could be, (N,) bool; asked when there are no more frames.
        timeline: of the video.
        sampling: which frames each snippet takes.
        on_time: told the time in seconds up to which frames have been read.

    Attributes:
        n_frames: frames of the video up to the last that could be decoded; known when all clips have been
            drawn.
        drawn: which snippet each clip drawn so far belongs to.
        gaps: ranges [start, stop) of frames before the last that could not be; known at the end, too.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        decoded: Callable[[], NDArray[np.bool_]],
        timeline: Timeline,
        sampling: Sampling,
        on_time: Callable[[float], None] | None = None,
    ) -> None:
        self.n_frames = len(timeline.times_s)
        self.drawn: list[int] = []
        self.gaps: list[tuple[int, int]] = []
        self._frames, self._decoded = iter(frames), decoded
        self._timeline, self._sampling, self._on_time = timeline, sampling, on_time
        self._held: dict[int, NDArray[np.uint8]] = {}
        self._last = -1
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
        return self._sampling.n_snippets(self._timeline.times_s[: self.n_frames], self.end_s)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        plan = self._sampling.clips(self._timeline.times_s, self._timeline.end_s)
        index, cut = 0, False
        while index < len(plan):
            near_end = index + 2 >= len(plan)
            # To the very end, since frames after the last that is wanted tell whether the video is cut.
            self._read_to(len(self._timeline.times_s) if near_end else int(plan[index + 1, -1]))
            if self._ended and not cut:
                plan, cut = self._plan_of_what_there_is(plan), True
                continue
            clip = [self._held.get(number) for number in plan[index].tolist()]
            pixels = [frame for frame in clip if frame is not None]
            if len(pixels) == len(clip):
                self.drawn.append(index)
                yield np.stack(pixels)
            index += 1
            needed_from = int(plan[index - 1, 0])
            # The last one stays: it may have to stand for frames that were not asked for.
            for number in [held for held in self._held if held < needed_from and held != self._last]:
                del self._held[number]

    def _read_to(self, number: int) -> None:
        while self._last < number and not self._ended:
            frame = next(self._frames, None)
            if frame is None:
                self._ended = True
                return
            self._held[frame.number] = frame.pixels
            self._last = frame.number
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
        self.gaps = _runs(~decoded[: self.n_frames])
        if self.n_frames == len(decoded):
            return plan
        plan = self._sampling.clips(self._timeline.times_s[: self.n_frames], self.end_s)
        asked_for = dict(self._held)
        for number in set(plan[-1].tolist()) - set(asked_for):
            if decoded[number] and asked_for:
                nearest = min(asked_for, key=lambda held: (held < plan[-1, 0], abs(held - number)))
                self._held[number] = asked_for[nearest]
        return plan


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the ranges [start, stop) in which a mask is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
