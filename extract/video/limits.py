"""Limits on the resources that a video may use, checked before any of it is decoded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from vadpipe.errors import InputError, UsageError


@dataclass(frozen=True)
class Limits:
    """Limits on a video and on the process that decodes it; a file beyond them is rejected.

    Attributes:
        side_px: width or height of a frame.
        area_px: width times height of a frame.
        streams: streams of any kind in the container.
        duration_s: length of the video.
        file_bytes: size of the file.
        memory_bytes: address space of the decoding process.
        stall_s: how long it may go without a new frame before it is killed.
    """

    side_px: int = 16_384
    area_px: int = 64_000_000
    streams: int = 16
    duration_s: float = 24 * 3600.0
    file_bytes: int = 64_000_000_000
    memory_bytes: int = 4 * 2**30
    stall_s: float = 30.0

    @classmethod
    def parse(cls, assignments: Iterable[str]) -> Limits:
        """Return the limits with some of them changed by ``NAME=NUMBER``.

        Raises:
            UsageError: for an unknown name, or a value that is not a positive number.
        """
        kinds = {name: type(value) for name, value in asdict(cls()).items()}
        changed: dict[str, float] = {}
        for assignment in assignments:
            name, _, value = assignment.partition("=")
            if name not in kinds:
                raise UsageError(f"unknown limit {name!r}", next_step=f"The limits are: {', '.join(kinds)}.")
            try:
                number = float(value)  # 1e9 is a number too
                changed[name] = number if kinds[name] is float or not number.is_integer() else int(number)
            except ValueError:
                changed[name] = 0
            if not (0 < changed[name] < math.inf and isinstance(changed[name], kinds[name])):
                what = "number" if kinds[name] is float else "whole number"
                raise UsageError(f"limit {name} must be a {what} above 0, not {value!r}")
        return replace(cls(), **changed)  # type: ignore[arg-type]  # each was made by its own field's type

    def check(self, **measured: float) -> None:
        """Check measurements of a video, named like the limits, against them.

        Raises:
            InputError: at the first that is exceeded.
        """
        allowed = asdict(self)
        for name, value in measured.items():
            if value > allowed[name]:
                what, unit = _WORDS[name]
                raise InputError(
                    f"has {what} of {value:,.0f}{unit}, above the limit of {allowed[name]:,.0f}",
                    next_step=f"Raise it with --limit {name}=NUMBER if you trust the file.",
                )


_WORDS = {
    "side_px": ("a side", " px"),
    "area_px": ("frames", " px"),
    "streams": ("a number of streams", ""),
    "duration_s": ("a length", " s"),
    "file_bytes": ("a size", " bytes"),
}
