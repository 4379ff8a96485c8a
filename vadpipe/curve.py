"""The anomaly curve of a video: one score a frame."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.atomic import write_text
from vadpipe.errors import FeatureError


def spread(scores: NDArray[np.float32], stride_frames: int, n_frames: int) -> NDArray[np.float32]:
    """Give each frame the score of its snippet: (S,) to (N,).

    Args:
        scores: one a snippet, S = ceil(N / stride).
        stride_frames: frames that a snippet speaks for; the last may speak for fewer.
        n_frames: N.

    Raises:
        FeatureError: where S snippets cannot belong to N frames.
    """
    if len(scores) != -(-n_frames // stride_frames):
        raise FeatureError(f"{len(scores)} snippets of {stride_frames} frames cannot cover {n_frames} frames")
    return np.repeat(scores, stride_frames)[:n_frames]


@dataclass(frozen=True)
class Curve:
    """How anomalous each frame of a video is.

    Attributes:
        video: its name.
        scores: (N,) float32 in [0, 1], exactly one for each frame that a player shows.
        times_s: (N,) float64, presentation time of each frame.
        end_s: when the last frame ends.
        threshold: score above which the head that made it calls a frame abnormal, or None.
    """

    video: str
    scores: NDArray[np.float32] = field(repr=False)
    times_s: NDArray[np.float64] = field(repr=False)
    end_s: float
    threshold: float | None = None

    def __len__(self) -> int:
        """Return N."""
        return len(self.scores)

    def peaks(self, count: int = 3, apart_s: float | None = None) -> list[int]:
        """Return the frames of the highest stretches, the highest first.

        Each is the middle of the run of frames that share its score, since a snippet's frames have
        one score and its middle shows most of it.

        Args:
            count: at most so many.
            apart_s: two peaks lie at least so far apart; a tenth of the video by default.
        """
        apart_s = self.end_s / 10 if apart_s is None else apart_s
        edges = np.flatnonzero(np.diff(self.scores)) + 1
        starts, stops = np.append(0, edges), np.append(edges, len(self))
        found: list[int] = []
        for run in np.argsort(-self.scores[starts], kind="stable"):
            middle = int(starts[run] + stops[run] - 1) // 2
            if all(abs(self.times_s[middle] - self.times_s[other]) >= apart_s for other in found):
                found.append(middle)
            if len(found) == count:
                break
        return found

    def to_csv(self, path: Path) -> None:
        """Write ``frame,time_s,score``, a line a frame, atomically.

        Frames count from 0; times have microseconds, scores six digits.

        Raises:
            OutputError: where it cannot be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["frame", "time_s", "score"])
        for frame, (time_s, score) in enumerate(zip(self.times_s, self.scores, strict=True)):
            writer.writerow([frame, f"{time_s:.6f}", f"{score:.6f}"])
        write_text(path, text.getvalue())
