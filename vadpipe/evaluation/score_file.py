"""``scores.npz``: the curves that an evaluation compared with the truth.

Curves lie one after the other, so that a video may have any name:

>>> with np.load("evaluation/scores.npz") as file:  # doctest: +SKIP
...     curves = dict(zip(file["videos"], np.split(file["scores"], file["n_frames"].cumsum()[:-1])))
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError
from vadpipe.evaluation.metrics import JudgedVideo
from vadpipe.files.atomic import atomic_path

NAME = "scores.npz"

_DAMAGES = (
    *(ValueError, TypeError, KeyError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error),
    *(MemoryError, OverflowError),  # of shapes that are only claimed
)


@dataclass(frozen=True)
class FrameScores:
    """The curve of one video, without a threshold.

    Attributes:
        video: its name.
        scores: (N,) float32 in [0, 1]; NaN where a frame has none.
        times_s: (N,) float64, presentation time of each frame; None if it is not known.
        end_s: when the last frame ends; None with them.
    """

    video: str
    scores: NDArray[np.float32] = field(repr=False)
    times_s: NDArray[np.float64] | None = field(default=None, repr=False)
    end_s: float | None = None


def write_scores(judged: Sequence[JudgedVideo], path: Path) -> None:
    """Write the curves of V videos, atomically.

    The arrays are ``videos`` (V,) of text, ``n_frames`` (V,) int64, ``end_s`` (V,) float64, and, of the
    frames of all videos, ``scores`` (M,) float32, NaN where a frame has none, and ``times_s`` (M,) float64.

    Raises:
        OutputError: if it cannot be written.
    """
    arrays: dict[str, Any] = {
        "videos": np.array([video.truth.video for video in judged]),
        "n_frames": np.array([len(video.scores) for video in judged], dtype=np.int64),
        "end_s": np.array([video.end_s for video in judged], dtype=np.float64),
        "scores": np.concatenate([video.scores for video in judged]),
        "times_s": np.concatenate([video.times_s for video in judged]),
    }
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_scores(path: Path) -> list[FrameScores]:
    """Return the curves of such a file.

    Raises:
        FeatureError: if it cannot be read or is not such a file.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            videos, n_frames, end_s = (file[name] for name in ("videos", "n_frames", "end_s"))
            scores, times_s = (file[name] for name in ("scores", "times_s"))
        if not sum(n_frames.tolist()) == len(scores) == len(times_s) or (n_frames < 1).any():
            raise ValueError("its arrays differ in length")
        edges = np.cumsum(n_frames)[:-1]
        curves = zip(videos.tolist(), *(np.split(each, edges) for each in (scores, times_s)), strict=True)
        return [
            FrameScores(str(video), of_video.astype(np.float32), times.astype(np.float64), float(end))
            for (video, of_video, times), end in zip(curves, end_s, strict=True)
        ]
    except OSError as error:
        raise FeatureError(f"cannot be read: {error.strerror or error}", file=path) from error
    except _DAMAGES as error:
        raise FeatureError(
            "is not a file of scores of 'vadpipe evaluate', or is damaged",
            file=path,
            next_step="Run 'vadpipe evaluate' again.",
        ) from error
