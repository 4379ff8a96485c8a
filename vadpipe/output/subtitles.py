"""Events as subtitles, one cue an event, to see them in any player: SubRip and WebVTT.

Times are those of the events, to the millisecond; a cue lasts a millisecond at least. Without an event SubRip
is an empty file, since it has no header, and WebVTT is its header alone.

Source: W3C, WebVTT: The Web Video Text Tracks Format, sections 4.1 and 4.2.2 (what is escaped in a cue).
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from vadpipe.curves.curve import Curve
from vadpipe.files.atomic import write_text
from vadpipe.output.event_text import place_text
from vadpipe.output.timecode import clock, timecode


def write_srt(curve: Curve, path: Path) -> None:
    """Write the events as SubRip, atomically. Raises OutputError if it cannot be written."""
    cues = (
        f"{number}\n{timecode(start_s, comma=True)} --> {timecode(end_s, comma=True)}\n{text}\n"
        for number, (start_s, end_s, text) in enumerate(_cues(curve), 1)
    )
    write_text(path, "\n".join(cues))


def write_vtt(curve: Curve, path: Path) -> None:
    """Write the events as WebVTT, atomically. Raises OutputError if it cannot be written."""
    cues = (
        f"{number}\n{timecode(start_s)} --> {timecode(end_s)}\n{escape(text, quote=False)}\n"
        for number, (start_s, end_s, text) in enumerate(_cues(curve), 1)
    )
    write_text(path, "\n".join(["WEBVTT\n", *cues]))


def _cues(curve: Curve) -> Iterator[tuple[float, float, str]]:
    """Yield the start, end and text of each event's cue."""
    for number, event in enumerate(curve.events, 1):
        start_ms = round(event.start_s * 1000)
        end_ms = max(round(event.end_s * 1000), start_ms + 1)
        at = clock(event.peak_s, curve.end_s) + (" s" if curve.end_s < 10 else "")
        where = f" · {place}" if (place := place_text(curve, event)) else ""
        text = f"Event {number}{where} · peak {event.peak:.2f} at {at} · above {curve.threshold:.2f}"
        yield start_ms / 1000, end_ms / 1000, text
