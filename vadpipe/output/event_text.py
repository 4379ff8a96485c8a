"""Labels and names in the formats for other tools."""

from __future__ import annotations

from pathlib import PurePosixPath

from vadpipe.curves.curve import Curve
from vadpipe.curves.events import Event

LABEL = "abnormal"
"""The label of an event in annotation tools."""


def place_text(curve: Curve, event: Event) -> str:
    """Return where in the picture an event is, in words; empty if the head does not localise."""
    place = curve.place(event)
    return "" if place is None else place.name


def text_of(name: str) -> str:
    """Return a name as text that every encoding of Unicode can hold: bytes that are no text, escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def file_name(video: str) -> str:
    """Return the name of a curve's video without its folders, as text."""
    return text_of(PurePosixPath(video).name)


def one_line(name: str) -> str:
    """Return a name with ``�`` for what cannot be printed, such as line breaks and marks of direction."""
    return "".join(char if char.isprintable() else "�" for char in name)
