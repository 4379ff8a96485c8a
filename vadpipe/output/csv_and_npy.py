"""The curve and its events as CSV tables and NumPy arrays."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.curves.curve import Curve
from vadpipe.files.atomic import atomic_path, write_text
from vadpipe.output.event_text import place_text
from vadpipe.output.number_text import score_text, score_texts

SCORE_COLUMNS = ("frame", "time_s", "score")
EVENT_COLUMNS = (
    "event", "start_s", "end_s", "start_frame", "stop_frame", "peak", "peak_s", "peak_frame", "mean",
    "threshold", "hysteresis", "merge_gap_s", "min_length_s", "place",
)  # fmt: skip


def write_scores(curve: Curve, path: Path) -> None:
    """Write ``frame,time_s,score``, a line per frame, atomically.

    Frames count from 0; times have microseconds, and scores the fewest digits that give back the same
    float32. A frame without a score, of a stretch that could not be decoded, has an empty field.

    Raises:
        OutputError: if it cannot be written.
    """
    times = (f"{time_s:.6f}" for time_s in curve.times_s.tolist())
    rows = zip(range(len(curve)), times, score_texts(curve.scores), strict=True)
    _write(path, SCORE_COLUMNS, rows)


def write_events(curve: Curve, path: Path) -> None:
    """Write a line an event, with what made it one, atomically; only the first line where there is none.

    Events count from 1, frames from 0; ranges are half-open. The place is in words (:attr:`Place.name`); the
    field is empty where the head does not tell places.

    Raises:
        OutputError: if it cannot be written.
    """
    rule = curve.rule
    rows = (
        (
            number, f"{event.start_s:.6f}", f"{event.end_s:.6f}", event.start, event.stop,
            score_text(event.peak), f"{event.peak_s:.6f}", event.peak_frame, f"{event.mean:.6f}",
            curve.threshold, rule.hysteresis, rule.merge_gap_s, rule.min_length_s, place_text(curve, event),
        )
        for number, event in enumerate(curve.events, 1)
    )  # fmt: skip
    _write(path, EVENT_COLUMNS, rows)


def write_score_array(curve: Curve, path: Path) -> None:
    """Write the scores as a plain NumPy array (N,) float32, NaN where a frame has none, atomically."""
    _save(path, curve.scores)


def write_time_array(curve: Curve, path: Path) -> None:
    """Write when each frame is shown as a plain NumPy array (N,) float64 of seconds, atomically."""
    _save(path, curve.times_s)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _save(path: Path, values: NDArray[np.float32] | NDArray[np.float64]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, values, allow_pickle=False)
