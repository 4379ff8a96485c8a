"""Sheets in our own form: one row per video, whose times say their unit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from vadpipe.annotations.annotation import Annotation
from vadpipe.files.atomic import write_text


def write_annotations(path: Path, annotations: Iterable[Annotation]) -> None:
    """Write ``video[,label][,frames][,anomalies][,class][,group]``, atomically, each only where one is known.

    ``fit --labels`` and ``evaluate --truth`` both read it.

    Raises:
        OutputError: if it cannot be written.
    """
    items = list(annotations)
    columns = {
        "video": [item.video for item in items],
        "label": ["" if item.abnormal is None else ("normal", "abnormal")[item.abnormal] for item in items],
        "frames": ["" if item.n_frames is None else str(item.n_frames) for item in items],
        "anomalies": [item.written_ranges() for item in items],
        "class": [item.category or "" for item in items],
        "group": [item.group or "" for item in items],
    }
    known = {name: cells for name, cells in columns.items() if any(cells)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(known)
    writer.writerows(zip(*known.values(), strict=True))
    write_text(path, text.getvalue())
