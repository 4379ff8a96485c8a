"""The report of one video: a self-contained page with the video, its curve and its events."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from vadpipe.curves.curve import Curve
from vadpipe.curves.explanation import Explanation
from vadpipe.errors import InputError, printable
from vadpipe.extract.stills import Stills
from vadpipe.extract.video.container import FAMILIES, open_video
from vadpipe.extract.video.limits import Limits
from vadpipe.files.atomic import atomic_path, fitting_name, move
from vadpipe.output.report.assembling import json_block, readable, relative_address, render
from vadpipe.output.report.preview import SUFFIX as PREVIEW_SUFFIX
from vadpipe.output.report.preview import finished_preview, needs_preview, preview
from vadpipe.output.report.stills import explanation_record, report_stills, thumbnails
from vadpipe.output.timecode import clock
from vadpipe.output.video_export.exports import Exports

MAX_EMBEDDED_BYTES = 20 * 10**6
"""A video up to this size goes into the page where the caller does not decide."""

SCRIPTS = (
    "frames.js", "events.js", "clock.js", "drawing.js", "view.js", "chart.js", "pointing.js", "overview.js",
    "player.js", "list.js", "why.js", "rule.js", "keys.js", "page.js",
)  # fmt: skip
STYLES = ("base.css", "report.css")

TOO_LONG_BYTES = 350 * 10**6  # base64 of more is longer than a browser's texts can be
PIECE_BYTES = 3 << 18  # a multiple of 3: pieces of base64 then join without padding

log = logging.getLogger(__name__)


def write_report(
    curve: Curve,
    path: Path,
    *,
    video: Path,
    embed: bool | None = None,
    truth: Sequence[tuple[float, float]] = (),
    explanations: Sequence[Explanation] = (),
    limits: Limits | None = None,
) -> list[Path]:
    """Write the report of a video as one HTML file, atomically, and return the files that were written.

    Of an image sequence, and of a video in a container that no browser plays, the page shows a copy in MP4:
    within the page, or beside it as ``NAME.preview.mp4``.

    It opens without a network and sends nothing. Where stills cannot be read, a warning says so and it has
    none. A report that refers to its video works as long as both keep their places to each other; the
    page then holds that relative path, and no other.

    Args:
        curve: its scores, threshold and rule.
        path: where to.
        video: the file that the curve belongs to.
        embed: True puts the video into the page, False refers to it by a relative address, None embeds it
            up to :data:`MAX_EMBEDDED_BYTES`.
        truth: stretches [start, end) in seconds to shade as ground truth.
        explanations: why events were called so; each is shown with the event that has the same peak.
        limits: what the video may ask for while its stills are read.

    Raises:
        InputError: if the video is to be embedded and cannot be read.
        OutputError: if the report cannot be written.
    """
    stills = Stills.read(video, [report_stills(curve)], limits, assume_fps=curve.frame_rate)
    with ExitStack() as stack:
        copy = None
        if needs_preview(video):
            job = stack.enter_context(preview(curve, path.parent, limits))
            exports = stack.enter_context(Exports(video, [nullcontext(job)]))
            copy = finished_preview(job, exports, video)
        return write_page(
            curve, path, video=video, stills=stills, copy=copy, embed=embed, truth=truth,
            explanations=explanations,
        )  # fmt: skip


def write_page(
    curve: Curve,
    path: Path,
    *,
    video: Path,
    stills: Stills,
    copy: Path | None = None,
    embed: bool | None = None,
    truth: Sequence[tuple[float, float]] = (),
    explanations: Sequence[Explanation] = (),
) -> list[Path]:
    """Write the report that :func:`write_report` writes, of stills and a copy that were made before.

    Nothing is decoded: the video is embedded byte by byte, or only referred to.

    Args:
        curve: its scores, threshold and rule.
        path: where to.
        video: the file that the curve belongs to.
        stills: with those of :func:`vadpipe.output.report.stills.report_stills`.
        copy: of the video, for browsers; it is moved beside the page where the page refers to it.
        embed: whether it is put into the page, as of :func:`write_report`.
        truth: stretches [start, end) in seconds to shade as ground truth.
        explanations: why events were called so.

    Returns:
        The files that were written.

    Raises:
        InputError: where the video is to be embedded and cannot be read.
        OutputError: where the report cannot be written.
    """
    written = [path]
    shown = video if copy is None else copy
    with ExitStack() as stack:
        embed = is_embedded(shown, embed)
        if embed and _size(shown) > TOO_LONG_BYTES:
            log.warning("%s: too large for browsers to play when embedded in a page", printable(video))
        # Opened first: what goes wrong here is the video's fault, and not that of the report.
        opened = stack.enter_context(open_video(shown)) if embed else None
        if not embed and copy is not None:
            shown = _keep(shown, path)
            written.append(shown)
        address = None if embed else relative_address(shown, path)
        text = _page(curve, video, address, truth, explanations, thumbnails(curve, stills))
        temporary = stack.enter_context(atomic_path(path))
        with temporary.open("wb") as page:
            head, _, tail = text.partition(_CLIP)
            page.write(head.encode())
            if opened is not None:
                page.writelines(_clip(*opened, video))
            page.write(tail.encode())
    return written


def is_embedded(video: Path, embed: bool | None) -> bool:
    """Return whether a page holds a video; where the caller does not decide, a small one."""
    return _size(video) <= MAX_EMBEDDED_BYTES if embed is None else embed


def _keep(copy: Path, page: Path) -> Path:
    """Move a copy of a video beside its page. Raises OutputError if that fails."""
    stem = page.name.removesuffix(".html").removesuffix(".report")
    target = page.with_name(fitting_name(stem, PREVIEW_SUFFIX))
    move(copy, target, replacing=True)
    return target


_CLIP = "<!-- the video -->"  # of the template; in a name it would be escaped


def _page(
    curve: Curve,
    video: Path,
    address: str | None,
    truth: Sequence[tuple[float, float]],
    explanations: Sequence[Explanation],
    stills: dict[int, str],
) -> str:
    stretches = [(max(start_s, 0.0), min(end_s, curve.end_s)) for start_s, end_s in truth]
    stretches = sorted((start_s, end_s) for start_s, end_s in stretches if start_s < end_s)
    data = {
        "video": address,
        "end_s": curve.end_s,
        "threshold": curve.threshold,
        "rule": vars(curve.rule),
        "truth": stretches,
        "stills": stills,
        "explanations": {each.event.peak_frame: explanation_record(each) for each in explanations},
        "scores": _base64(curve.scores.astype("<f4")),
        "times": _base64(curve.times_s.astype("<f8")),
        **_places(curve),
    }
    return render(
        "report.html",
        styles=STYLES,
        scripts=SCRIPTS,
        media="data:" if address is None else "'self' file:",
        name=readable(Path(curve.video).name or video.name),
        facts=_facts(curve),
        embedded=address is None,
        address_text="" if address is None else unquote(address, errors="replace"),
        end_s=curve.end_s,
        truth=stretches,
        unscored=curve.unscored,
        given="no threshold" if curve.threshold is None else f"{curve.threshold:.3g}",
        data=json_block(data),
    )


def _places(curve: Curve) -> dict[str, object]:
    """Return the places of a curve, and from which frame on which of them leads; nothing without places."""
    if not curve.places:
        return {}
    starts = np.append(0, np.flatnonzero(np.diff(curve.leading)) + 1)
    return {
        "places": {
            "all": [{"name": place.name, "box": place.box} for place in curve.places],
            "starts": _base64(starts.astype("<u4")),
            "leading": _base64(curve.leading[starts]),
        }
    }


def _facts(curve: Curve) -> list[str]:
    """Return the line below the title: length, frames, the highest score."""
    unit = " s" if curve.end_s < 10 else ""
    facts = [
        f"{clock(curve.end_s, curve.end_s)}{unit}",
        f"{len(curve):,} frames",
        f"{curve.frame_rate:.4g} a second",
    ]
    if not np.isnan(curve.scores).all():
        facts.append(f"highest score {np.nanmax(curve.scores):.2f}")
    missing = int(np.isnan(curve.scores).sum())
    return [*facts, f"{missing:,} without a score"] if missing else facts


def _base64(values: np.typing.NDArray[np.generic]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).data).decode()


def _size(video: Path) -> float:
    """Return its bytes; infinity for a missing file, which the page reports itself."""
    try:
        return video.stat().st_size
    except OSError:
        return np.inf


def _clip(descriptor: int, family: str, video: Path) -> Iterator[bytes]:
    """Yield the element that holds a video as a data URI, a piece at a time."""
    yield f'<script type="text/plain" id="clip">data:{FAMILIES[family].media_type};base64,'.encode()
    try:
        with open(descriptor, "rb", buffering=PIECE_BYTES, closefd=False) as source:
            source.seek(0)
            while piece := source.read(PIECE_BYTES):
                yield base64.b64encode(piece)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=video) from error
    yield b"</script>"
