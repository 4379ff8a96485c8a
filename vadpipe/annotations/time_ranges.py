"""Ranges as people write them: in seconds, as time codes, or in frames.

Whole numbers are frames unless their column says seconds, by its name or by another of its cells: a column
has one unit, and a decimal point, a time code or an ``s`` shows that it is seconds. ``60:180`` is half-open,
``85-148`` includes its last frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vadpipe.annotations.columns import Unit
from vadpipe.errors import UsageError

RIGHT = "Write for example 0:03.4-0:05.9 or 3.4s:5.9s for seconds, 60:180 for frames 60 to 179."
_NONE = {"", "-", "none", "normal", "no", "n/a", "na", "nan", "null", "[]", "-1"}
_NO_EVENT = re.compile(r"-1(?:\.0+)?\s*[:;,\s-]\s*-1(?:\.0+)?")  # how some data sets write that there is none

_UNIT = r"(?:\s?(?:s|sec|secs|seconds))?"
_CLOCK = r"(?:[0-9]{1,9}:)?[0-9]{1,9}:[0-9]{1,2}(?:\.[0-9]{1,12})?"
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,12})?" + _UNIT
_MOMENT = f"{_CLOCK}|{_NUMBER}"
_RANGE = re.compile(
    rf"(?:(?P<start>{_MOMENT})\s*(?:-|–|—|\bto\b)\s*(?P<end>{_MOMENT})|(?P<from>{_NUMBER}):(?P<stop>{_NUMBER}))"
    r"(?=[\s,;|]|$)",
    re.IGNORECASE,
)
_LIKE_SECONDS = re.compile(r"[0-5]?[0-9](?:\.[0-9]+)?")  # as they stand in a time code
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?P<time>[ T][0-9:.]+)?")
DAY_TIMES = "these look like times of day; times count from the start of the video"
_BETWEEN = re.compile(r"[\s,;|]+")
_DECIMAL_COMMA = re.compile(r"(?<=[0-9]),(?=[0-9])")


@dataclass(frozen=True)
class Moment:
    """A time or a frame.

    Attributes:
        value: in seconds, or a number of which only its column says whether it is frames.
        in_seconds: whether it is seconds for certain.
        text: as it is written.
    """

    value: float
    in_seconds: bool
    text: str


@dataclass(frozen=True)
class WrittenRange:
    """A range whose unit its column has still to say.

    Attributes:
        start, end: as they are written.
        counts_last: whether the end is the last frame, if they are frames.
        unclear: whether it could be a single time code as well, such as ``3:05``.
    """

    start: Moment
    end: Moment
    counts_last: bool
    unclear: bool = False

    @property
    def text(self) -> str:
        """How it is written."""
        return f"{self.start.text}{'-' if self.counts_last else ':'}{self.end.text}"

    def in_unit(self, unit: Unit) -> tuple[float, float]:
        """Return the half-open range, of whole numbers if it is frames.

        Raises:
            UsageError: if it is not in this unit, or empty.
        """
        start, end = self.start.value, self.end.value
        if unit == "seconds" and self.unclear:
            raise UsageError(
                f"{self.text!r} is in seconds like its column, and could be one time or a range",
                next_step=f"Write {start:g}s-{end:g}s if it is a range. {RIGHT}",
            )
        if unit == "frames":
            for moment in (self.start, self.end):
                if moment.value != int(moment.value) or not moment.text[-1].isdigit() or ":" in moment.text:
                    raise UsageError(
                        f"{moment.text!r} is not a frame number, although its column is named as frames",
                        next_step=RIGHT,
                    )
            start, end = int(start), int(end) + self.counts_last
        if not start < end:
            raise UsageError(f"the range {self.text} is empty", next_step=RIGHT)
        return start, end


def parse_ranges(text: str) -> list[WrittenRange]:
    """Return the ranges of a cell, separated by blanks, commas, semicolons or bars; none of ``-1:-1``.

    Raises:
        UsageError: if a part is not a range.
    """
    _refuse_date(text)
    plain = _NO_EVENT.sub(" ", text).strip()
    if plain.lower() in _NONE:
        return []
    try:
        return _parse(plain)
    except UsageError:
        if _DECIMAL_COMMA.search(plain) is None:
            raise
    return _parse(_DECIMAL_COMMA.sub(".", plain), text)


def parse_moment(text: str) -> Moment | None:
    """Return the time or frame in a cell; None if it is empty or ``-1``.

    Raises:
        UsageError: if it is neither.
    """
    if text.lower() in _NONE or re.fullmatch(r"-1\.0+", text):
        return None
    _refuse_date(text)
    plain = _DECIMAL_COMMA.sub(".", text)
    if re.fullmatch(_MOMENT, plain, re.IGNORECASE) is None:
        raise UsageError(
            f"{text!r} is neither a time nor a frame number", next_step="Write 3.4, 0:03.4 or a whole number."
        )
    return _moment(plain)


def _refuse_date(text: str) -> None:
    date = _DATE.match(text)
    if date is None:
        return
    if date["time"]:
        raise UsageError(f"{text!r}: {DAY_TIMES}", next_step=RIGHT)
    raise UsageError(
        f"{text!r} is a date; Excel makes dates of ranges such as 3-5",
        next_step="Format the column as text, and type the cell again.",
    )


def unit_of(ranges: Iterable[WrittenRange], named: Unit | None) -> Unit:
    """Return the unit of a column: the one that its name says, or else that its cells show."""
    if named is not None:
        return named
    shown = any(moment.in_seconds for item in ranges for moment in (item.start, item.end))
    return "seconds" if shown else "frames"


def _parse(text: str, shown: str | None = None) -> list[WrittenRange]:
    found: list[WrittenRange] = []
    place = 0
    while place < len(text):
        match = _RANGE.match(text, place)
        if match is None:
            part = _BETWEEN.split(text[place:])[0]
            raise UsageError(f"{part!r} in {shown or text!r} is not a range", next_step=RIGHT)
        if match["start"] is not None:
            start, end = _moment(match["start"]), _moment(match["end"])
            if end.in_seconds and not end.text.count(":"):  # 3-5s
                start = Moment(start.value, in_seconds=True, text=start.text)
            found.append(WrittenRange(start, end, counts_last=True))
        else:
            start, end = _moment(match["from"]), _moment(match["stop"])
            unclear = not start.in_seconds and _LIKE_SECONDS.fullmatch(end.text) is not None
            found.append(WrittenRange(start, end, counts_last=False, unclear=unclear))
        between = _BETWEEN.match(text, match.end())
        place = match.end() if between is None else between.end()
    return found


def _moment(text: str) -> Moment:
    if ":" in text:
        *minutes, seconds = text.split(":")
        if float(seconds) >= 60 or (len(minutes) > 1 and int(minutes[-1]) >= 60):
            raise UsageError(
                f"{text!r} is not a time", next_step="Write hours:minutes:seconds, such as 0:03.4."
            )
        total = sum(int(part) * 60**power for power, part in enumerate(reversed(minutes), 1))
        return Moment(total + float(seconds), in_seconds=True, text=text)
    number = re.match(r"[0-9.]+", text)
    assert number is not None
    return Moment(float(number[0]), in_seconds="." in text or text[-1].isalpha(), text=text)
