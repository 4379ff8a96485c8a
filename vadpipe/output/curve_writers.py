"""The functions behind the ``to_*`` methods and ``plot`` of a curve, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vadpipe.curves.curve import Curve
from vadpipe.curves.explanation import Explanation
from vadpipe.curves.writer_registry import Writer
from vadpipe.extract.video.discovery import named_video
from vadpipe.output.data_frames import curve_frame
from vadpipe.output.formats import FORMATS
from vadpipe.output.json_document import read_document
from vadpipe.output.video_export.annotated import annotate
from vadpipe.output.video_export.clips import cut_clips

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# matplotlib and jinja2 take half a second to load: only who draws or reports waits for them.


def _read_curve(path: Path) -> Curve:
    return read_document(path)[0]


def _draw(curve: Curve, axes: Axes | None, *, truth_s: Sequence[tuple[float, float]]) -> Axes:
    from vadpipe.output.plot import draw_curve

    return draw_curve(curve, axes, truth_s=truth_s)


def _plot(curve: Curve, path: Path, *, video: Path | None) -> None:
    from vadpipe.output.plot import plot_curve

    plot_curve(curve, path, video=video)


def _report(curve: Curve, path: Path, *, video: Path, explanations: Sequence[Explanation]) -> None:
    from vadpipe.output.report.page import write_report

    write_report(curve, path, video=video, explanations=explanations)


def _html(curve: Curve) -> str:
    from vadpipe.output.notebook import curve_html

    return curve_html(curve)


def _clips(curve: Curve, video: Path, folder: Path, *, pad_s: float) -> list[Path]:
    return cut_clips(curve, video, folder, named_video(video).stem, pad_s=pad_s)


WRITERS: dict[str, Writer] = {file.name: file.writer for files in FORMATS.values() for file in files} | {
    "from_json": _read_curve,
    "data_frame": curve_frame,
    "html": _html,
    "axes": _draw,
    "picture": _plot,
    "report": _report,
    "annotated_video": annotate,
    "clips": _clips,
}
