"""The data formats of ``vadpipe score --format``, the files of each, and the functions that write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vadpipe.curves.curve import Curve
from vadpipe.curves.explanation import Explanation
from vadpipe.curves.writer_registry import Writer
from vadpipe.errors import UsageError
from vadpipe.extract.video.discovery import Video
from vadpipe.extract.video.limits import Limits
from vadpipe.files.atomic import fitting_name
from vadpipe.output.csv_and_npy import write_events, write_score_array, write_scores, write_time_array
from vadpipe.output.cvat import write_cvat, write_tracks
from vadpipe.output.edl import write_edl
from vadpipe.output.fiftyone import write_fiftyone
from vadpipe.output.json_document import write_document
from vadpipe.output.label_studio import write_label_studio
from vadpipe.output.subtitles import write_srt, write_vtt

ALL = "all"


@dataclass(frozen=True)
class FormatInput:
    """A curve and what else a format may need.

    Attributes:
        curve: of the video.
        video: which; its file is read only for a size that is not known.
        explanations: of its events.
        limits: what the video may ask for while it is read again.
        size_px: width and height of its picture as shown; the video is asked for it where it is None.
    """

    curve: Curve
    video: Video
    explanations: Sequence[Explanation] = ()
    limits: Limits | None = None
    size_px: tuple[int, int] | None = None


@dataclass(frozen=True)
class FormatFile:
    """A file of a format.

    Attributes:
        name: of its writer, by which the method of :class:`vadpipe.curves.curve.Curve` finds it.
        suffix: of its name. None is a bare ``.srt``, say, which may be the user's own subtitles.
        writer: writes a curve to a path, atomically; what else it takes is the method's business.
        from_input: does so with all that a format may need; None where the curve is enough.
    """

    name: str
    suffix: str
    writer: Writer
    from_input: Callable[[FormatInput, Path], None] | None = None

    def write(self, scored: FormatInput, path: Path) -> None:
        """Write the file to this path."""
        if self.from_input is None:
            self.writer(scored.curve, path)
        else:
            self.from_input(scored, path)


def _write_json(scored: FormatInput, path: Path) -> None:
    write_document(scored.curve, path, scored.explanations)


def _write_cvat(scored: FormatInput, path: Path) -> None:
    if scored.size_px is not None:
        write_tracks(scored.curve, path, scored.size_px)
    else:
        write_cvat(scored.curve, path, scored.video.footage, scored.limits)


FORMATS: dict[str, tuple[FormatFile, ...]] = {
    "csv": (
        FormatFile("scores", ".scores.csv", write_scores),
        FormatFile("events", ".events.csv", write_events),
    ),
    "json": (FormatFile("json", ".scores.json", write_document, _write_json),),
    "npy": (
        FormatFile("score_array", ".scores.npy", write_score_array),
        FormatFile("time_array", ".times_s.npy", write_time_array),
    ),
    "srt": (FormatFile("srt", ".events.srt", write_srt),),
    "vtt": (FormatFile("vtt", ".events.vtt", write_vtt),),
    "edl": (FormatFile("edl", ".events.edl", write_edl),),
    "fiftyone": (FormatFile("fiftyone", ".fiftyone.json", write_fiftyone),),
    "labelstudio": (FormatFile("label_studio", ".labelstudio.json", write_label_studio),),
    "cvat": (FormatFile("cvat", ".cvat.xml", write_cvat, _write_cvat),),
}


def parse_formats(text: str) -> tuple[str, ...]:
    """Return the formats that ``"csv,json"`` names, in that order and each once; ``"all"`` is all of them.

    Raises:
        UsageError: if one is unknown, or none is given.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    choices = f"Choose from: {', '.join(FORMATS)}, {ALL}."
    if not names:
        raise UsageError("no format is given", next_step=choices)
    for name in names:
        if name not in FORMATS and name != ALL:
            raise UsageError(f"unknown format {name!r}", next_step=choices)
    found = (known for name in names for known in (FORMATS if name == ALL else (name,)))
    return tuple(dict.fromkeys(found))


def write_formats(
    curve: Curve,
    stem: Path,
    formats: Sequence[str],
    *,
    video: Video,
    explanations: Sequence[Explanation] = (),
    limits: Limits | None = None,
    size_px: tuple[int, int] | None = None,
) -> list[Path]:
    """Write a curve in each format, and return the files in that order.

    Args:
        curve: what to write.
        stem: path of the files without their suffixes; a name that is too long for a file is shortened.
        formats: keys of :data:`FORMATS`.
        video: that the curve belongs to.
        explanations: of its events, for the formats that have a place for them.
        limits: what the video may ask for while it is read again.
        size_px: width and height of its picture as shown, where they are known.

    Raises:
        InputError: if a format needs the video, and it cannot be read.
        OutputError: if a file cannot be written; what was written before stays.
    """
    scored = FormatInput(curve, video, explanations, limits, size_px)
    written: list[Path] = []
    for part in (part for name in formats for part in FORMATS[name]):
        path = stem.with_name(fitting_name(stem.name, part.suffix))
        part.write(scored, path)
        written.append(path)
    return written
