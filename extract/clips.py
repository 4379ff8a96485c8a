"""From decoded frames to the clips of each snippet, with what could not be decoded left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.decode.frame import Frame
from vadpipe.extract.decode.timeline import Timeline
from vadpipe.sampling import Sampling


class Clips:
    """The clips (T, H, W, 3) of a video's snippets, in order; holds one snippet's frames at a time.

    A snippet of which a frame is missing is left out. Where the last wanted frames are missing the video
    ends with the last one that came, and its last snippet is padded as always.

    Args:
        frames: the wanted frames that could be decoded.
        timeline: of the video.
        sampling: which frames each snippet takes.
        on_time: told the time in seconds up to which frames have been read.

    Attributes:
        n_frames: N, frames of the video; known when all clips have been drawn.
        drawn: which snippet each clip drawn so far belongs to.
        n_missing: how many of them were wanted and are not there; known at the end, too.
        gaps: ranges [start, stop) of those, and of unwanted frames between.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        timeline: Timeline,
        sampling: Sampling,
        on_time: Callable[[float], None] | None = None,
    ) -> None:
        self.n_frames = len(timeline.times_s)
        self.drawn: list[int] = []
        self.n_missing = 0
        self.gaps: list[tuple[int, int]] = []
        self._frames, self._timeline, self._sampling = iter(frames), timeline, sampling
        self._on_time = on_time
        self._held: dict[int, NDArray[np.uint8]] = {}
        self._last = -1
        self._ended = False

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
        index, missing = 0, set[int]()
        while index < len(plan):
            self._read_to(int(plan[index, -1]))
            if self._ended and self._last < plan.max() and self.n_frames == len(self._timeline.times_s):
                plan = self._cut_short()
                continue
            wanted = plan[index].tolist()
            lacking = [number for number in wanted if number not in self._held]
            missing.update(lacking)
            if not lacking:
                self.drawn.append(index)
                yield np.stack([self._held[number] for number in wanted])
            index += 1
            needed_from = int(plan[index, 0]) if index < len(plan) else self.n_frames
            for number in [held for held in self._held if held < needed_from]:
                del self._held[number]
        if missing:
            self.n_missing, self.gaps = len(missing), _ranges(np.unique(plan).tolist(), missing)

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

    def _cut_short(self) -> NDArray[np.int64]:
        """Return the plan of a video that ends with the last frame that came."""
        self.n_frames = self._last + 1
        if not self.n_frames:
            return np.empty((0, self._sampling.clip_frames), dtype=np.int64)
        return self._sampling.clips(self._timeline.times_s[: self.n_frames], self.end_s)


def _ranges(wanted: list[int], missing: set[int]) -> list[tuple[int, int]]:
    """Return ranges [start, stop) that hold the missing of the wanted numbers and no other of them."""
    found: list[tuple[int, int]] = []
    before = False
    for number in wanted:
        if number in missing:
            start = found.pop()[0] if before else number
            found.append((start, number + 1))
        before = number in missing
    return found
