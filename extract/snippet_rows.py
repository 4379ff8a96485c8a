"""The rows of a feature file, one per snippet, from the backbone's outputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.clips import Clips, nearest
from vadpipe.extract.pooling import positions
from vadpipe.features.file import Features
from vadpipe.features.windows import Windows

Rows = NDArray[np.float32]
"""(S, C, D): of each snippet and view a feature; zeros for a snippet that is lost."""


def rows_of_snippets(clips: Clips, outputs: Iterable[NDArray[np.float32]], rows: Rows) -> Rows:
    """Return the rows of a video whose snippets are shown one by one.

    Args:
        clips: from which the outputs come.
        outputs: of the engine for each view of each snippet, in order, see :func:`.pooling.positions`.
        rows: zeros, as many as the video should have; they are written into.
    """
    n_views = rows.shape[1]
    for number, output in enumerate(outputs):
        rows[clips.drawn[number // n_views], number % n_views] = positions(output).mean(axis=0)
    return rows[: clips.n_snippets]


def rows_of_windows(clips: Clips, outputs: Iterable[NDArray[np.float32]], rows: Rows) -> Rows:
    """Return the rows of a video that is shown in windows, as they come: no window's features are kept.

    A video may turn out to be shorter than it should be, which moves its last snippet. That one is taken
    from the last window alone, so what was added to its row before then is dropped.

    Args:
        clips: from which the outputs come.
        outputs: of the engine for each view of each window, in order, see :func:`.pooling.positions`.
        rows: zeros, as many as the video should have; they are written into.
    """
    n_views, sampling = rows.shape[1], clips.sampling
    windows = Windows(clips.n_samples, sampling.window)
    snippets = sampling.snippets(windows.n_samples)
    starts, stops = np.ascontiguousarray(snippets.T)  # searched for each window
    for number, output in enumerate(outputs):
        features = positions(output)
        index, view = clips.drawn[number // n_views], number % n_views
        if windows.n_samples != clips.n_samples:  # it has turned out to be shorter
            windows = Windows(clips.n_samples, sampling.window)
            snippets = sampling.snippets(windows.n_samples)
            starts, stops = np.ascontiguousarray(snippets.T)
        if index == len(windows.starts) - 1:
            rows[len(snippets) - 1, view] = 0
        begin, end = windows.taken(index)
        first, stop = np.searchsorted(stops, begin, "right"), np.searchsorted(starts, end)
        shares = windows.shares(index, len(features), snippets[first:stop])
        rows[first:stop, view] += shares @ features
    rows = rows[: clips.n_snippets]
    rows[clips.lost] = 0
    return rows


@dataclass(frozen=True)
class BackboneRuns:
    """The runs of the backbone that the row of a snippet is made of: one, or those of the windows around it.

    Attributes:
        frames: (R, T) int64, what each run sees.
        covered: (R, T) bool, which of these are the snippet's own.
        windows: of the video; None if the snippet is shown by itself.
        indices: (R,) int64, which of the windows these are.
        snippet: (1, 2) int64, the samples [start, stop) of the snippet.
    """

    frames: NDArray[np.int64]
    covered: NDArray[np.bool_]
    windows: Windows | None
    indices: NDArray[np.int64]
    snippet: NDArray[np.int64]

    @classmethod
    def of(cls, features: Features, snippet: int) -> BackboneRuns:
        """Return the runs of a snippet that could be decoded."""
        sampling, video = features.recipe.sampling, (features.frame_times_s, features.end_s)
        n_samples = sampling.n_samples(*video)
        of_snippet = sampling.snippets(n_samples)[snippet : snippet + 1]
        if not sampling.windowed:
            frames = sampling.clips(*video)[snippet : snippet + 1]
            return cls(frames, np.ones(frames.shape, np.bool_), None, np.zeros(1, np.int64), of_snippet)
        windows = Windows(n_samples, sampling.window)
        taken = np.array([windows.taken(index) for index in range(len(windows.starts))])
        indices = np.flatnonzero((taken[:, 0] < of_snippet[0, 1]) & (taken[:, 1] > of_snippet[0, 0]))
        frames = sampling.seen(*video)[indices]
        lost = {number for start, stop in features.source.gaps for number in range(start, stop)}
        frames = np.array([nearest(row, [n for n in row if n not in lost]) for row in frames.tolist()])
        samples = windows.samples()[indices]
        covered = (samples >= of_snippet[0, 0]) & (samples < of_snippet[0, 1])
        return cls(frames, covered, windows, indices, of_snippet)

    def row(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the rows (V, C, D) that these features make.

        Args:
            features: (V, R, C, P, D) float32, of P positions in time of each run.
        """
        n_positions = features.shape[3]
        if self.windows is None:
            shares = [np.full(n_positions, 1 / n_positions, np.float32)]
        else:
            shares = [self.windows.shares(index, n_positions, self.snippet)[0] for index in self.indices]
        rows: NDArray[np.float32] = np.einsum("rp,vrcpd->vcd", np.stack(shares), features, optimize=True)
        return rows
