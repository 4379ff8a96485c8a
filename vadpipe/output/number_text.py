"""Numbers as every format writes them, so that a frame has the same score in all; and figures in tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NOTHING = "-"
"""Stands in tables for a figure that is not defined."""


def score_texts(scores: NDArray[np.float32]) -> list[str]:
    """Return each score in the fewest digits that give back the same float32; an empty text for NaN."""
    return [
        "" if score != score else np.format_float_positional(score, unique=True, trim="0") for score in scores
    ]


def score_text(score: float) -> str:
    """Return one score so."""
    return score_texts(np.array([score], np.float32))[0]


def short_score(score: float) -> float:
    """Return the float64 of :func:`score_text`, for formats that hold numbers and not text."""
    return float(score_text(score))


def microseconds(time_s: float) -> float:
    """Return a time to the microsecond, as every text format has it."""
    return round(time_s, 6)


def figure_text(value: float | None) -> str:
    """Return ``0.837``; figures of 10 and more have one digit."""
    if value is None:
        return NOTHING
    return f"{value:.3f}" if abs(value) < 9.9995 else f"{value:.1f}"


def signed_text(value: float | None) -> str:
    """Return ``+0.009``, with a real minus sign."""
    if value is None:
        return NOTHING
    digits = 3 if abs(value) < 9.9995 else 1
    return f"{value:+.{digits}f}".replace("-", "−")
