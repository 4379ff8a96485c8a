"""``videos.csv``: a line for each video that was evaluated."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from vadpipe.evaluation.breakdown import VideoMetrics
from vadpipe.evaluation.results import Evaluation
from vadpipe.files.atomic import write_text
from vadpipe.output.number_text import score_text

COLUMNS = (
    "video", "class", "group", "abnormal", "flagged", "frames", "anomalous", "unscored", "auc", "peak",
    "tp", "fp", "fn", "tn", "events",
)  # fmt: skip


def csv_text(result: Evaluation) -> str:
    """Return the table as CSV, videos in the order of the truth.

    ``abnormal`` and ``flagged`` are 0 or 1; ``tp`` to ``tn`` count scored frames. ``auc`` is empty where a
    video has only one kind of frames.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(video) for video in result.videos)
    return text.getvalue()


def write_videos(result: Evaluation, path: Path) -> None:
    """Write the table, atomically. Raises OutputError if that fails."""
    write_text(path, csv_text(result))


def _row(video: VideoMetrics) -> tuple[object, ...]:
    counts = video.confusion
    return (
        video.video,
        video.category or "",
        video.group or "",
        int(video.n_anomalous > 0),
        int(video.flagged),
        video.n_frames,
        video.n_anomalous,
        video.n_unscored,
        "" if video.auc is None else f"{video.auc:.6f}",
        score_text(video.peak),
        *(counts.tp, counts.fp, counts.fn, counts.tn),
        len(video.events),
    )
