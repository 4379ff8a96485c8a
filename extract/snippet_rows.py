"""The rows of a feature file, one per snippet, from the backbone's outputs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.clips import Clips, interleaved, nearest
from vadpipe.extract.engines.engine import Engine
from vadpipe.extract.engines.overlap import run_engine
from vadpipe.extract.pooling import positions
from vadpipe.features.file import Features
from vadpipe.features.sampling import Sampling
from vadpipe.features.windows import Windows

Rows = NDArray[np.float32]
"""(S, C, D): of each snippet and view a feature; zeros for a snippet that is lost."""


class SnippetRows:
    """The rows of a video whose snippets are shown one by one.

    Args:
        clips: from which the outputs come.
        rows: zeros, as many as the video should have; they are written into.
    """

    def __init__(self, clips: Clips, rows: Rows) -> None:
        self._clips, self._rows, self._n_added = clips, rows, 0

    def add(self, output: NDArray[np.float32]) -> None:
        """Take in what the engine gives for the next view of a snippet, see :func:`.pooling.positions`."""
        snippet, view = divmod(self._n_added, self._rows.shape[1])
        self._rows[self._clips.drawn[snippet], view] = positions(output).mean(axis=0)
        self._n_added += 1

    def finish(self) -> None:
        """Do nothing: a lost snippet was not shown, and its row is zero."""


class WindowRows:
    """The rows of a video that is shown in windows, as they come: no window's features are kept.

    A video may turn out to be shorter than it should be, which moves its last snippet. That one is taken
    from the last window alone, so what was added to its row before then is dropped.

    Args:
        clips: from which the outputs come.
        rows: zeros, as many as the video should have; they are written into.
    """

    def __init__(self, clips: Clips, rows: Rows) -> None:
        self._clips, self._rows, self._n_added = clips, rows, 0
        self._of_length(clips.n_samples)

    def _of_length(self, n_samples: int) -> None:
        sampling = self._clips.sampling
        self._windows, self._snippets = Windows(n_samples, sampling.window), sampling.snippets(n_samples)
        self._starts, self._stops = np.ascontiguousarray(self._snippets.T)  # searched for each window

    def add(self, output: NDArray[np.float32]) -> None:
        """Take in what the engine gives for the next view of a window, see :func:`.pooling.positions`."""
        features = positions(output)
        window, view = divmod(self._n_added, self._rows.shape[1])
        index = self._clips.drawn[window]
        if self._windows.n_samples != self._clips.n_samples:  # it has turned out to be shorter
            self._of_length(self._clips.n_samples)
        if index == len(self._windows.starts) - 1:
            self._rows[len(self._snippets) - 1, view] = 0
        begin, end = self._windows.taken(index)
        first, stop = np.searchsorted(self._stops, begin, "right"), np.searchsorted(self._starts, end)
        shares = self._windows.shares(index, len(features), self._snippets[first:stop])
        self._rows[first:stop, view] += shares @ features
        self._n_added += 1

    def finish(self) -> None:
        """Set the rows of lost snippets to zero, when all windows have been added."""
        self._rows[: self._clips.n_snippets][self._clips.lost] = 0


def rows_of_windows(sources: Sequence[Clips], engine: Engine, rows: Rows) -> Rows:
    """Return the rows of a video, those of each window beside each other along D.

    Rows are written where they belong as they come: an hour of features is not held twice.

    Args:
        sources: the clips of each window; a window of 16 is a snippet by itself.
        engine: runs clips of all these lengths.
        rows: zeros (S, C, D), as many as the video should have; they are written into.
    """
    parts = [
        (WindowRows if clips.sampling.windowed else SnippetRows)(clips, part)
        for clips, part in zip(sources, np.split(rows, len(sources), axis=2), strict=True)
    ]
    drawn: deque[int] = deque()  # from which source each clip on its way comes

    def clips_in_turn() -> Iterator[NDArray[np.uint8]]:
        for place, clip in interleaved(sources):
            drawn.append(place)
            yield clip

    for output in run_engine(engine, clips_in_turn()):
        parts[drawn.popleft()].add(output)
    for part in parts:
        part.finish()
    return rows[: sources[0].n_snippets]


@dataclass(frozen=True)
class BackboneRuns:
    """The runs of the backbone by which one window makes a snippet's part of a row: one, or those around it.

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
    def of(cls, features: Features, snippet: int) -> list[BackboneRuns]:
        """Return the runs of a snippet that could be decoded, by each of the windows."""
        return [cls._of(features, snippet, sampling) for sampling in features.recipe.samplings]

    @classmethod
    def _of(cls, features: Features, snippet: int, sampling: Sampling) -> BackboneRuns:
        video = (features.frame_times_s, features.end_s)
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
        """Return the parts of rows (V, C, D) that these features make.

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
