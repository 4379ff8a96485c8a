"""Snippet arithmetic: which frames each snippet looks at, and which frames it speaks for.

A video of N shown frames has M samples: M = N; or one in k, for a rate near the one that is wanted; or
more or fewer where it is resampled to a fixed rate.
Snippet s covers the samples ``[s * stride, s * stride + 16)``. The last one begins earlier where it would
reach beyond the end, so that a video ends with pictures that move and not with copies of its last one,
which look calm to a backbone whatever happens. With a stride of at most 16 that makes ``1 + ceil((M - 16) /
stride)`` snippets, and one of a video of fewer than 16 samples, in which alone the last frame is repeated.
Every frame belongs to at least one snippet, so a curve has exactly N values. (Elsewhere the last 16 frames
are lost where the count divides by 16, which is why curves and ground truth of the field differ in length.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadpipe.features.windows import SNIPPET_FRAMES as SNIPPET_FRAMES
from vadpipe.features.windows import Windows

_RATE_INTERVALS = 64
"""The rate of a video is that of its first frames, so that it stays what it is where a video is cut short."""

_SLOWEST = 1e-9
"""The least share of frames that is taken: the times of a damaged file can be next to nothing."""

_ROUNDING_S = 1e-6  # times are ticks of a container's clock, and rarely round numbers


def mean_interval_s(intervals_s: NDArray[np.float64]) -> float | None:
    """Return the mean time from one frame to the next, or None if no time passes.

    Those that are half as long again as the middle one, or half as long, are left out: where a camera halts,
    say. The middle one itself would not do, since some containers know milliseconds only.
    """
    lengths_s = np.sort(intervals_s[intervals_s > 0])
    if not len(lengths_s):
        return None
    middle_s = lengths_s[len(lengths_s) // 2]
    return float(lengths_s[np.abs(lengths_s - middle_s) <= middle_s / 2].mean())


@dataclass(frozen=True)
class Sampling:
    """How a video is cut into snippets.

    Attributes:
        stride: samples from the start of one snippet to the start of the next. Below 16 snippets overlap,
            above it some samples are not looked at.
        fps: samples per second, whatever frame is shown then; None takes frames as they come.
        target_fps: one frame in k is taken, where k is the frame rate of the video divided by this, rounded,
            and at least 1; None takes every frame.
        clip_frames: frames of a snippet that the backbone sees, evenly chosen from its middle parts.
        even_rows: rows that are spread evenly over all frames, whatever their stride, as in published
            features that were squeezed to 32 segments; None everywhere else.
        fixed_rows: rows of published features with a stride, as many as there are; the last one speaks also
            for frames after it, which filled no snippet. None everywhere else.
        window: samples that the backbone sees at once, see :mod:`vadpipe.features.windows`.
    """

    stride: int = SNIPPET_FRAMES
    fps: float | None = None
    clip_frames: int = SNIPPET_FRAMES
    even_rows: int | None = None
    fixed_rows: int | None = None
    window: int = SNIPPET_FRAMES
    target_fps: float | None = None

    @property
    def windowed(self) -> bool:
        """Whether the backbone sees more at once than a snippet."""
        return self.window > SNIPPET_FRAMES

    @property
    def n_seen(self) -> int:
        """Frames of each run of the backbone: of a window, or those that it sees of a snippet."""
        return self.window if self.windowed else self.clip_frames

    def samples(self, times_s: NDArray[np.float64], end_s: float) -> NDArray[np.int64]:
        """Return the frame shown at each sample, (M,) int64, not decreasing.

        Args:
            times_s: (N,) float64, when each frame is shown, from 0 up.
            end_s: when the last one ends.
        """
        if self.fps is None:
            return np.arange(0, len(times_s), self.step(times_s))
        at_s = np.arange(self.n_samples(times_s, end_s)) / self.fps + _ROUNDING_S
        n_begun = np.searchsorted(times_s, at_s, side="right")
        return np.maximum(n_begun - 1, 0)

    def step(self, times_s: NDArray[np.float64]) -> int:
        """Return k, of which one frame in k is taken; 1 where the video is resampled by time."""
        if self.target_fps is None or self.fps is not None:
            return 1
        interval_s = mean_interval_s(np.diff(times_s[: _RATE_INTERVALS + 1]))
        if interval_s is None:
            return 1
        return max(1, round(1 / max(interval_s * self.target_fps, _SLOWEST)))

    def clips(self, times_s: NDArray[np.float64], end_s: float) -> NDArray[np.int64]:
        """Return the frames that the backbone sees of each snippet, (S, clip_frames) int64."""
        samples = self.samples(times_s, end_s)
        starts = self._starts(len(samples))
        part = SNIPPET_FRAMES / self.clip_frames
        offsets = np.floor((np.arange(self.clip_frames) + 0.5) * part).astype(np.int64)
        frames: NDArray[np.int64] = samples[np.minimum(starts[:, None] + offsets, len(samples) - 1)]
        return frames

    def seen(self, times_s: NDArray[np.float64], end_s: float) -> NDArray[np.int64]:
        """Return the frames of each run of the backbone: of windows, (K, window), or else of snippets."""
        if not self.windowed:
            return self.clips(times_s, end_s)
        samples = self.samples(times_s, end_s)
        frames: NDArray[np.int64] = samples[Windows(len(samples), self.window).samples()]
        return frames

    def snippets(self, n_samples: int) -> NDArray[np.int64]:
        """Return the samples [start, stop) that each snippet looks at, (S, 2) int64."""
        starts = self._starts(n_samples)
        return np.stack([starts, np.minimum(starts + SNIPPET_FRAMES, n_samples)], axis=1)

    def spans(self, times_s: NDArray[np.float64], end_s: float) -> NDArray[np.int64]:
        """Return the frames [start, stop) that each snippet speaks for, (S, 2) int64.

        Overlapping snippets speak for all that they see; others also for what lies between them.
        """
        n_frames = len(times_s)
        if self.even_rows is not None:
            edges = np.linspace(0, n_frames, self.even_rows + 1).round().astype(np.int64)
            return np.stack([edges[:-1], edges[1:]], axis=1)
        n_samples = self.n_samples(times_s, end_s)
        starts = self._starts(n_samples)
        stops = np.minimum(starts + max(self.stride, SNIPPET_FRAMES), n_samples)
        stops[-1:] = n_samples  # also where published rows are missing after it
        if self.fps is None:
            taken: NDArray[np.int64] = np.stack([starts, stops], axis=1) * self.step(times_s)
            return np.minimum(taken, n_frames)
        edges_s = np.stack([starts, stops], axis=1) / self.fps - _ROUNDING_S
        spans = np.searchsorted(times_s, edges_s, side="left")
        spans[stops == n_samples, 1] = n_frames
        # One within a single frame's time speaks for that frame.
        mute = spans[:, 0] >= spans[:, 1]
        shown = np.searchsorted(times_s, edges_s[mute, 0] + 2 * _ROUNDING_S, side="right")
        spans[mute] = np.stack([np.maximum(shown - 1, 0), np.maximum(shown, 1)], axis=1)
        return spans

    def n_snippets(self, times_s: NDArray[np.float64], end_s: float) -> int:
        """Return S, the rows of a feature file."""
        if self.even_rows is not None:
            return self.even_rows
        return self._n_starts(self.n_samples(times_s, end_s))

    def n_samples(self, times_s: NDArray[np.float64], end_s: float) -> int:
        """Return M."""
        if self.fps is None:
            return -(-len(times_s) // self.step(times_s))
        return max(1, int(np.ceil((end_s - _ROUNDING_S) * self.fps)))

    def _n_starts(self, n_samples: int) -> int:
        if self.fixed_rows is not None:
            return self.fixed_rows
        beyond_first = max(n_samples - max(self.stride, SNIPPET_FRAMES), 0)
        return 1 - (-beyond_first // self.stride)

    def _starts(self, n_samples: int) -> NDArray[np.int64]:
        starts = np.arange(self._n_starts(n_samples)) * self.stride
        if self.fixed_rows is not None:
            return starts
        return np.minimum(starts, max(n_samples - SNIPPET_FRAMES, 0))
