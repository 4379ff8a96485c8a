"""The page that lists the reports of many videos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vadpipe.files.atomic import write_text
from vadpipe.output.report.assembling import data_uri, json_block, readable, relative_address, render
from vadpipe.output.timecode import clock

STYLES = ("base.css", "index.css")
SCRIPTS = ("index.js",)


@dataclass(frozen=True)
class IndexEntry:
    """A video of the list.

    Attributes:
        video: its name, as it is to be read.
        report: the file that :func:`vadpipe.output.report.write_report` wrote for it.
        peak: its highest score; None if no frame has one.
        n_events: how many events it has.
        length_s: how long it is.
        thumbnail: a small JPEG, or None.
    """

    video: str
    report: Path
    peak: float | None
    n_events: int
    length_s: float
    thumbnail: bytes | None = field(default=None, repr=False)


def write_index(entries: Sequence[IndexEntry], path: Path) -> None:
    """Write the list as one HTML file, atomically: the highest peak first, those without one last.

    Raises:
        OutputError: if it cannot be written.
    """
    in_order = sorted(
        entries, key=lambda entry: (math.inf if entry.peak is None else -entry.peak, entry.video)
    )
    n_events = sum(entry.n_events for entry in entries)
    total_s = sum(entry.length_s for entry in entries)
    facts = [
        _counted(len(entries), "video"),
        _counted(n_events, "event"),
        f"{clock(total_s, total_s)} in all",
    ]
    data = json_block([_row(entry, path) for entry in in_order])
    text = render("index.html", styles=STYLES, scripts=SCRIPTS, media="'none'", facts=facts, data=data)
    write_text(path, text)


def _row(entry: IndexEntry, path: Path) -> dict[str, object]:
    unit = " s" if entry.length_s < 10 else ""
    return {
        "name": readable(entry.video),
        "address": relative_address(entry.report, path),
        "peak": entry.peak,
        "peak_text": "no score" if entry.peak is None else f"{entry.peak:.2f}",
        "events": entry.n_events,
        "length": entry.length_s,
        "length_text": f"{clock(entry.length_s, entry.length_s)}{unit}",
        "thumbnail": None if entry.thumbnail is None else data_uri(entry.thumbnail, "image/jpeg"),
    }


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
