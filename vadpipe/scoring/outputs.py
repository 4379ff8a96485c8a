"""What is written of a scored video, and where."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vadpipe.atomic import check_writable, fitting_name
from vadpipe.curve import Curve
from vadpipe.errors import UsageError
from vadpipe.explanation import Explanation
from vadpipe.extract.decode.limits import Limits
from vadpipe.extract.videos import Video, located
from vadpipe.render.formats import FORMATS, write_formats
from vadpipe.scoring.stems import result_stems

FILM_SUFFIXES = (".mp4", ".mkv", ".mov")
INDEX_NAME = "vadpipe-reports.html"

log = logging.getLogger(__name__)

OnRead = Callable[[float, float], None]
Stretches = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Outputs:
    """What to write of each scored video.

    Attributes:
        formats: of the curve and its events, keys of :data:`vadpipe.render.formats.FORMATS`.
        plot: ``"png"`` or ``"svg"``: a picture ``NAME.png``; None for none.
        report: a page ``NAME.report.html`` with the video and its curve, and an index of several.
        embed: whether the page holds the video itself; None where it has at most 20 MB.
        annotate: a video with the curve under its picture: a file for one video, or a folder.
        clips: folder into which each event is cut out of the video.
        pad_s: seconds before and after an event that its clip has too.
        explain: find out which snippets and which part of the picture drove the highest events.

    Raises:
        UsageError: where a format is unknown or a number out of range.
    """

    formats: tuple[str, ...] = ("csv",)
    plot: Literal["png", "svg"] | None = None
    report: bool = False
    embed: bool | None = None
    annotate: Path | None = None
    clips: Path | None = None
    pad_s: float = 2.0
    explain: bool = False

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in FORMATS:
                raise UsageError(
                    f"there is no format {name!r}", next_step=f"Choose of: {', '.join(FORMATS)}, all."
                )
        if self.plot not in (None, "png", "svg"):
            raise UsageError(f"a picture cannot be of kind {self.plot!r}", next_step="Choose png or svg.")
        if not 0 <= self.pad_s <= 3600:
            raise UsageError(f"clips cannot have {self.pad_s} s around an event", next_step="Use 0 to 3600.")

    @property
    def shows_reasons(self) -> bool:
        """Whether anything that is written has a place for explanations."""
        return self.report or "json" in self.formats


class Places:
    """Where each video's results go.

    Args:
        videos: all of a run.
        output: folder for the results; beside each video where it is None.
        outputs: what is written.

    Raises:
        UsageError: where two results would have one name, or one would take the place of a video.
    """

    def __init__(self, videos: Sequence[Video], output: Path | None, outputs: Outputs) -> None:
        self._outputs = outputs
        self._stems = result_stems(videos, output)
        self._films = {} if outputs.annotate is None else _film_paths(videos, outputs.annotate)
        self._clips = {} if outputs.clips is None else result_stems(videos, outputs.clips)
        originals = {located(video.path) for video in videos}
        for film in self._films.values():
            if located(film) in originals:
                step = "Give --annotate another name."
                raise UsageError("would be overwritten by its annotated copy", file=film, next_step=step)
        folders = [located(stem).parent for stem in self._stems.values()]
        common = Path(os.path.commonpath(folders)) if folders else Path()
        self.index = (common if output is None else output) / INDEX_NAME

    def file(self, video: Video, suffix: str) -> Path:
        """Return the path of a result, its name cut short where file systems need it."""
        stem = self._stems[video]
        return stem.with_name(fitting_name(stem.name, suffix))

    def stem(self, video: Video) -> Path:
        """Return the path of a video's results without a suffix."""
        return self._stems[video]

    def film(self, video: Video) -> Path:
        """Return the path of the annotated video."""
        return self._films[video]

    def clip_stem(self, video: Video) -> Path:
        """Return the path of the clips without number and suffix."""
        return self._clips[video]

    def check_writable(self, video: Video) -> None:
        """Raise OutputError where results of a video could not be written, before hours go into it."""
        stems = (self._stems, self._films, self._clips)
        for folder in {paths[video].parent for paths in stems if video in paths}:
            check_writable(folder)


def write_outputs(
    curve: Curve,
    video: Video,
    places: Places,
    outputs: Outputs,
    *,
    explanations: Sequence[Explanation] = (),
    truth_s: Stretches = (),
    limits: Limits | None = None,
    doing: Callable[[str], OnRead | None] = lambda _: None,
) -> list[Path]:
    """Write all that is wanted of a scored video, data first, and return the files.

    Args:
        curve: of the video.
        video: which.
        places: of its results.
        outputs: what is wanted.
        explanations: of its events.
        truth_s: half-open stretches in seconds in which it is known to be abnormal.
        limits: what the video may ask for while it is read again.
        doing: told what is being made next; returns what is told how far that is, in seconds of the video.

    Raises:
        InputError: where the video cannot be read again.
        OutputError: where a result cannot be written; what was written before stays.
    """
    path = video.path
    written = write_formats(
        curve, places.stem(video), outputs.formats, video=path, explanations=explanations, limits=limits
    )
    if outputs.plot is not None:
        from vadpipe.render.plot import plot_curve

        written.append(places.file(video, f".{outputs.plot}"))
        plot_curve(curve, written[-1], video=path, truth_s=truth_s)
    if outputs.report:
        from vadpipe.render.report.page import write_report

        written.append(places.file(video, ".report.html"))
        write_report(
            curve, written[-1], video=path, embed=outputs.embed, truth=truth_s, explanations=explanations
        )
    if outputs.annotate is not None:
        from vadpipe.render.film.annotated import annotate

        written.append(places.film(video))
        annotate(curve, path, written[-1], limits=limits, on_progress=doing("annotating"))
    if outputs.clips is not None:
        from vadpipe.render.film.clips import cut_clips

        stem = places.clip_stem(video)
        written += cut_clips(
            curve, path, stem.parent, stem.name, pad_s=outputs.pad_s, limits=limits,
            on_progress=doing("cutting"),
        )  # fmt: skip
    return written


def _film_paths(videos: Sequence[Video], given: Path) -> dict[Video, Path]:
    if given.suffix.lower() not in FILM_SUFFIXES or given.is_dir():
        stems = result_stems(videos, given)
        return {
            video: stem.with_name(fitting_name(stem.name, ".annotated.mp4")) for video, stem in stems.items()
        }
    if len(videos) > 1:
        raise UsageError(
            f"one file cannot hold the annotated pictures of {len(videos)} videos",
            file=given,
            next_step="Give --annotate a folder.",
        )
    return dict.fromkeys(videos, given)
