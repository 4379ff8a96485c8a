"""Times as people read them."""

from __future__ import annotations


def clock(time_s: float, end_s: float) -> str:
    """Return ``1:23:45`` for long videos, ``1:23`` for short ones, ``4.5`` below ten seconds."""
    if end_s < 10:
        return f"{round(time_s, 2):g}"
    minutes, seconds = divmod(round(time_s), 60)
    if end_s < 3600:
        return f"{minutes}:{seconds:02d}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def timecode(time_s: float, comma: bool = False) -> str:
    """Return ``01:23:45.678``, to the millisecond; with a comma as SubRip wants it."""
    seconds, milliseconds = divmod(round(time_s * 1000), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{',' if comma else '.'}{milliseconds:03d}"
