"""Events as an edit decision list, CMX 3600, which lays them end to end on an editor's timeline.

Timecode counts frames of the nominal rate, non-drop, from 00:00:00:00 at the video's beginning; the
programme begins at 01:00:00:00, as is the custom. The list itself does not say its rate: the editor takes the
project's. A marker (``* LOC``) at each peak has its score. Beyond 999 events the numbers go on with four
digits, which OpenTimelineIO reads; some editors read 999 at most.

Sources: CMX 3600 edit decision lists and Avid's locators as OpenTimelineIO's adapter reads them
(``otio_cmx3600_adapter``); SMPTE ST 12-1 (timecode).
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from vadpipe.curves.curve import Curve
from vadpipe.files.atomic import write_text
from vadpipe.output.event_text import file_name
from vadpipe.output.number_text import score_text

RATES = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0)
_NEAR = 0.005  # share of a rate by which a video's own may differ from it
_PROGRAMME_S = 3600
_TITLE_CHARS = 70


def write_edl(curve: Curve, path: Path) -> None:
    """Write the events as a CMX 3600 edit decision list, atomically; its header alone where there is none.

    Names are written in ASCII, what has no likeness there as ``_``.

    Raises:
        OutputError: if it cannot be written.
    """
    rate = nominal_rate(curve.frame_rate)
    name = _ascii(file_name(curve.video))
    lines = [f"TITLE: {name[:_TITLE_CHARS]}", "FCM: NON-DROP FRAME"]
    record = _PROGRAMME_S * round(rate)
    for number, event in enumerate(curve.events, 1):
        start = round(event.start_s * rate)
        length = max(round(event.end_s * rate) - start, 1)
        peak = record + min(max(round(event.peak_s * rate) - start, 0), length - 1)
        edges = (start, start + length, record, record + length)
        codes = " ".join(frames_timecode(frame, rate) for frame in edges)
        lines += [
            "",
            f"{number:03d}  AX       V     C        {codes}",
            f"* FROM CLIP NAME: {name}",
            f"* LOC: {frames_timecode(peak, rate)} RED     PEAK {score_text(event.peak)}",
        ]
        record += length
    write_text(path, "\n".join(lines) + "\n")


def nominal_rate(frame_rate: float) -> float:
    """Return the rate that timecode counts in: a usual one where that is near, else the nearest whole number.

    Faster video counts every second frame, or every fourth, since a timecode has two digits for frames.
    """
    while frame_rate > RATES[-1] * (1 + _NEAR):
        frame_rate /= 2
    usual = min(RATES, key=lambda rate: abs(rate - frame_rate))
    near = abs(usual - frame_rate) <= _NEAR * usual
    return usual if near else float(max(round(frame_rate), 1))


def frames_timecode(frame: int, rate: float) -> str:
    """Return ``HH:MM:SS:FF`` of a frame number, non-drop."""
    seconds, frames = divmod(frame, round(rate))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}:{frames:02d}"


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name)
    letters = (char for char in plain if not unicodedata.combining(char))
    return "".join(char if char.isascii() and char.isprintable() else "_" for char in letters)
