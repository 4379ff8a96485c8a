"""A folder of curves: those that ``score`` wrote, or the arrays of another tool, one score per frame.

A video's name is the file's path below the folder, without the suffix. Of several formats of one name the
first of :data:`SUFFIXES` is read, since ``score`` writes the same scores in all of them.
"""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.annotations.truth import Truth
from vadpipe.errors import FeatureError, printable
from vadpipe.evaluation.score_file import FrameScores
from vadpipe.features.folder import PART
from vadpipe.features.sampling import mean_interval_s
from vadpipe.output.csv_and_npy import SCORE_COLUMNS
from vadpipe.output.json_document import read_document
from vadpipe.published.arrays import read_array
from vadpipe.published.npy import read_npy

SUFFIXES = (".scores.json", ".scores.npy", ".scores.csv", ".npy", ".npz", ".txt")
TIMES, EVENTS = ".times_s.npy", ".events.csv"
SNIPPETS = (4, 8, 16, 32, 64)
"""Lengths of snippets, in frames, that other tools give one score each."""

log = logging.getLogger(__name__)


class CurveFolder:
    """The curves below a folder.

    Args:
        path: the folder.

    Raises:
        FeatureError: if it holds none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        ranked: dict[str, tuple[int, Path]] = {}
        for file in sorted(path.rglob("*")):
            if file.name.startswith(PART) or file.name.endswith(TIMES) or not file.is_file():
                continue
            rank = next((rank for rank, suffix in enumerate(SUFFIXES) if file.name.endswith(suffix)), None)
            if rank is None:
                continue
            name = file.relative_to(path).as_posix().removesuffix(SUFFIXES[rank])
            ranked[name] = min(ranked.get(name, (rank, file)), (rank, file))
        self.files = {name: file for name, (_, file) in ranked.items()}
        self._thresholds: set[float | None] = set()
        if not self.files:
            raise FeatureError(
                "is neither a head, nor results of 'vadpipe evaluate', nor a folder of curves",
                file=path,
                next_step="Curves are files such as NAME.scores.csv, NAME.scores.json or NAME.npy, with one "
                "score per frame.",
            )

    def files_read(self) -> list[Path]:
        """Return the files of all curves, and what lies beside them: frame times and events."""
        beside = (self.path / f"{name}{suffix}" for name in self.files for suffix in (TIMES, EVENTS))
        return [*self.files.values(), *(file for file in beside if file.is_file())]

    def read(self, name: str, truth: Truth) -> FrameScores:
        """Return the curve of a name.

        Raises:
            FeatureError: if its file cannot be read, does not hold one score in [0, 1] per frame, or, by what
                the truth says of its frames, one per snippet.
        """
        file = self.files[name]
        try:
            curve, threshold = _read(name, file)
        except OSError as error:
            raise FeatureError(f"cannot be read: {error.strerror or error}", file=file) from error
        scored = curve.scores[~np.isnan(curve.scores)]
        if len(scored) and not 0 <= scored.min() <= scored.max() <= 1:
            raise FeatureError(
                f"has scores from {scored.min():.4g} to {scored.max():.4g}; scores lie in [0, 1]",
                file=file,
                next_step="Scale all curves of the folder alike: (scores - lowest) / (highest - lowest).",
            )
        _check_per_frame(len(curve.scores), truth.n_frames, file)
        self._thresholds |= {threshold} - {None}
        return curve

    @property
    def threshold(self) -> float | None:
        """The threshold of the curves that were read; None if they have none, or several."""
        if len(self._thresholds) > 1:
            what = "%s: its curves have different thresholds, so no events are counted; --threshold sets one"
            log.warning(what, printable(self.path))
        return next(iter(self._thresholds)) if len(self._thresholds) == 1 else None


def _check_per_frame(n: int, n_truth: int, file: Path) -> None:
    """Raise FeatureError if the frames of the truth are as many snippets, of a usual length, as scores."""
    each = next((each for each in SNIPPETS if n in (n_truth // each, -(-n_truth // each))), None)
    if each is not None:
        raise FeatureError(
            f"has {n} scores for {n_truth} frames, which looks like one score per {each} frames",
            file=file,
            next_step=f"Give each frame its score: numpy.repeat(scores, {each})[:{n_truth}].",
        )


def _read(name: str, file: Path) -> tuple[FrameScores, float | None]:
    """Return the curve of a file, and the threshold that is written beside it."""
    if file.name.endswith(".scores.json"):
        curve, _ = read_document(file)
        return FrameScores(name, curve.scores, curve.times_s, curve.end_s), curve.threshold
    if file.name.endswith(".scores.csv"):
        events = file.with_name(file.name.removesuffix(".scores.csv") + EVENTS)
        return _timed(name, *_read_table(file)), _read_threshold(events)
    if file.suffix != ".npy":
        return FrameScores(name, _flat(read_array(file), file).astype(np.float32)), None
    scores = _flat(_read_npy(file), file).astype(np.float32)
    times = file.with_name(file.name.removesuffix(".scores.npy") + TIMES)
    if not file.name.endswith(".scores.npy") or not times.is_file():
        return FrameScores(name, scores), None
    times_s = _flat(_read_npy(times), times).astype(np.float64)
    if len(times_s) != len(scores):
        raise FeatureError(f"has {len(times_s)} times for {len(scores)} scores", file=times)
    return _timed(name, scores, times_s), None


def _timed(name: str, scores: NDArray[np.float32], times_s: NDArray[np.float64]) -> FrameScores:
    """Return a curve whose last frame is shown for as long as the others are on average."""
    return FrameScores(name, scores, times_s, float(times_s[-1]) + (mean_interval_s(np.diff(times_s)) or 0.0))


def _read_npy(file: Path) -> NDArray[np.generic]:
    with file.open("rb") as opened:
        return read_npy(opened, file.stat().st_size, file)


def _flat(array: NDArray[np.generic], file: Path) -> NDArray[np.generic]:
    """Return (N,) numbers of an array that has no other axis of more than 1."""
    if array.size == 0 or max(array.shape, default=0) != array.size:
        raise FeatureError(f"has the shape {array.shape}, not one score per frame", file=file)
    return array.reshape(-1)


def _read_table(file: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            header, *rows = csv.reader(opened)
        if tuple(header) != SCORE_COLUMNS or not rows:
            raise ValueError(f"its first line is not {','.join(SCORE_COLUMNS)}, or no other follows")
        times_s = np.array([row[1] for row in rows], dtype=np.float64)
        scores = np.array([row[2] or "nan" for row in rows], dtype=np.float32)
    except (ValueError, IndexError, csv.Error) as error:
        raise FeatureError(f"is not a CSV file of scores: {error}", file=file) from error
    return scores, times_s


def _read_threshold(events: Path) -> float | None:
    """Return the threshold of a table of events; None if there is none, or it has no event."""
    if not events.is_file():
        return None
    try:
        with events.open(newline="", encoding="utf-8-sig") as opened:
            first = next(csv.DictReader(opened), None)
        return None if first is None else float(first["threshold"])
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise FeatureError("is not a CSV file of events", file=events) from error
