"""Stills for a report, small enough to be embedded in the page."""

from __future__ import annotations

import io
import logging

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vadpipe.curves.curve import Curve
from vadpipe.curves.events import Event
from vadpipe.curves.explanation import Explanation
from vadpipe.errors import InputError
from vadpipe.extract.stills import Stills
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import StillRequest
from vadpipe.output.report.assembling import data_uri

MAX_THUMBNAILS = 60
"""Each costs a seek in the video, and a few kilobytes of the page."""

_THUMBNAIL_PX = 120  # the short side: twice that of a row of the list, for fine screens
_INDEX_PX = 72  # the short side, in the list of reports
_STILL_WIDTH_PX = 720
_YELLOW, _VERMILLION = np.array([240, 228, 66]), np.array([213, 94, 0])  # Okabe and Ito's
_FULL_ALPHA = 0.75  # of the hottest part: what is below must stay visible

log = logging.getLogger(__name__)


def report_stills(curve: Curve) -> StillRequest:
    """Return the frames that a report shows in its list: the peaks of the highest events."""
    return StillRequest(tuple(event.peak_s for event in _listed(curve)), Size(_THUMBNAIL_PX, square=False))


def thumbnails(curve: Curve, stills: Stills) -> dict[int, str]:
    """Return a JPEG as a data URI by the frame of the peak, for the highest events of a curve.

    Those that could not be read are left out; where the whole video could not, a warning says so.

    Args:
        curve: of the video.
        stills: with those of :func:`report_stills`.
    """
    try:
        read = stills.of(report_stills(curve))
    except InputError as error:  # the scores stand; a report without pictures is better than none
        log.warning("%s", error)
        return {}
    pairs = zip(_listed(curve), read, strict=True)
    return {
        event.peak_frame: data_uri(jpeg(still), "image/jpeg") for event, still in pairs if still is not None
    }


def index_still(curve: Curve) -> StillRequest:
    """Return the frame that the list of reports shows of a video, its highest; none without a score."""
    times_s = tuple(float(curve.times_s[frame]) for frame in curve.peaks(1))
    return StillRequest(times_s, Size(_INDEX_PX, square=False))


def index_thumbnail(curve: Curve, stills: Stills) -> bytes | None:
    """Return the JPEG of :func:`index_still`, or None where it could not be read."""
    try:
        read = stills.of(index_still(curve))
    except InputError:  # the report of this video has said so
        return None
    return next((jpeg(still) for still in read if still is not None), None)


def _listed(curve: Curve) -> list[Event]:
    """Return the highest events of a curve in the order of their peaks."""
    highest = sorted(curve.events, key=lambda event: -event.peak)[:MAX_THUMBNAILS]
    return sorted(highest, key=lambda event: event.peak_s)


def jpeg(pixels: NDArray[np.uint8], width_px: int | None = None, quality: int = 78) -> bytes:
    """Return (H, W, 3) uint8 RGB as JPEG, made smaller where it is wider than ``width_px``."""
    picture = Image.fromarray(pixels)
    if width_px is not None and picture.width > width_px:
        height_px = max(1, round(picture.height * width_px / picture.width))
        picture = picture.resize((width_px, height_px), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=quality, optimize=True)
    return content.getvalue()


def explanation_record(explanation: Explanation) -> dict[str, object]:
    """Return an explanation as the page needs it; ``heat`` is None if nothing lowers the score."""
    hottest = float(np.nanmax(explanation.heat, initial=0.0))
    return {
        "still": data_uri(jpeg(explanation.still, _STILL_WIDTH_PX), "image/jpeg"),
        "still_s": explanation.still_s,
        "heat": data_uri(heat_png(explanation.heat), "image/png") if hottest > 0 else None,
        "box": [float(side) for side in explanation.box],
        "where": _where(explanation.heat, explanation.box, hottest),
        "snippets": [
            {"start_s": snippet.start_s, "end_s": snippet.end_s, "score": snippet.score}
            for snippet in explanation.snippets
        ],
    }


def heat_png(heat: NDArray[np.float32]) -> bytes:
    """Return the heat as RGBA, a pixel a part: clear at 0 and below, yellow to vermillion at the hottest."""
    warmth = np.nan_to_num(heat).clip(min=0)
    warmth = warmth / warmth.max() if warmth.any() else warmth
    colour = _YELLOW + (_VERMILLION - _YELLOW) * warmth[..., None]
    pixels = np.dstack([colour, 255 * _FULL_ALPHA * warmth**0.75]).round().astype(np.uint8)
    content = io.BytesIO()
    # The browser smooths what it enlarges; more pixels than parts would only be bytes.
    Image.fromarray(pixels).save(content, "PNG", optimize=True)
    return content.getvalue()


def _where(heat: NDArray[np.float32], box: tuple[float, float, float, float], hottest: float) -> str:
    """Describe the heat map in words, for those who cannot see it."""
    if hottest <= 0:
        return "No single part of the picture drove the score."
    row, column = np.unravel_index(int(np.nanargmax(heat)), heat.shape)
    left, top, right, bottom = box
    down = top + (bottom - top) * (int(row) + 0.5) / heat.shape[0]
    across = left + (right - left) * (int(column) + 0.5) / heat.shape[1]
    words = [
        ("top", "middle", "bottom")[min(int(3 * down), 2)],
        ("left", "centre", "right")[min(int(3 * across), 2)],
    ]
    place = "centre" if words == ["middle", "centre"] else " ".join(words)
    return f"The score falls most, by {hottest:.2f}, where the {place} is covered."
