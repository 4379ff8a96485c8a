"""Output files of scored videos: which are written, and where."""

from __future__ import annotations

import copy
import logging
import os
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vadpipe.curves.curve import Curve
from vadpipe.curves.explanation import Explanation
from vadpipe.errors import UsageError
from vadpipe.extract.stills import Stills
from vadpipe.extract.video.discovery import Video, located
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.shards import Shard
from vadpipe.files.atomic import check_writable, fitting_name
from vadpipe.output.formats import FORMATS
from vadpipe.output.video_export.annotated import SUFFIXES, annotation
from vadpipe.output.video_export.clips import clip_paths, cutting
from vadpipe.output.video_export.exports import Exports
from vadpipe.output.video_export.job import ExportJob
from vadpipe.runs.record import FILE_NAME
from vadpipe.scoring.inputs import files_read
from vadpipe.scoring.output_names import output_stems

CLIP_NAME = re.compile(r"(.*)\.event-\d{3,}\.(mp4|mkv)", re.DOTALL)
INDEX_NAME = "vadpipe-reports.html"

log = logging.getLogger(__name__)

OnRead = Callable[[float, float], None]
Stretches = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Outputs:
    """Which outputs to write for each scored video.

    Attributes:
        formats: of the curve and its events, keys of :data:`vadpipe.output.formats.FORMATS`.
        plot: ``"png"`` or ``"svg"``: a picture ``NAME.png``; None for none.
        report: a page ``NAME.report.html`` with the video and its curve, and an index of several.
        embed: whether the page holds the video itself; None if it has at most 20 MB.
        annotate: a video with the curve under its picture: a file for one video, or a folder.
        clips: folder into which each event is cut out of the video.
        pad_s: seconds before and after an event that its clip has too.
        explain: find out which snippets and which part of the picture drove the highest events, for the
            report and the JSON.

    Raises:
        UsageError: if a format is unknown, a number out of range, or no output can hold the explanations.
    """

    formats: tuple[str, ...] = ("csv",)
    plot: Literal["png", "svg"] | None = None
    report: bool = False
    embed: bool | None = None
    annotate: str | os.PathLike[str] | None = None
    clips: str | os.PathLike[str] | None = None
    pad_s: float = 2.0
    explain: bool = False

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in FORMATS:
                raise UsageError(
                    f"unknown format {name!r}", next_step=f"Choose from: {', '.join(FORMATS)}, all."
                )
        if self.plot not in (None, "png", "svg"):
            raise UsageError(f"unknown plot format {self.plot!r}", next_step="Choose png or svg.")
        if not 0 <= self.pad_s <= 3600:
            raise UsageError(
                f"a padding of {self.pad_s} s around events is out of range", next_step="Use 0 to 3600."
            )
        if self.explain and not (self.report or "json" in self.formats):
            raise UsageError(
                "none of the requested outputs can hold explanations",
                next_step="Add --report or --format json, or omit --explain.",
            )

    @property
    def show_the_video(self) -> bool:
        """Whether one of them cannot be made without the video."""
        return self.report or self.annotate is not None or self.clips is not None

    @property
    def reads_the_video(self) -> bool:
        """Whether one of them reads it again."""
        return self.show_the_video or self.plot is not None or self.explain or "cvat" in self.formats

    @property
    def n_readings(self) -> int:
        """How many steps of a video tell how far they are: scoring, and what else is made of it."""
        return 1 + self.explain + (self.annotate is not None) + (self.clips is not None)


class OutputPaths:
    """Where each video's results go.

    Args:
        videos: all of a run, those of its other shards too: a video's results have one name in all of them.
        output: folder for the results; beside each video where it is None.
        outputs: what is written.
        shard: of the run. Its record and its index are its own.

    Attributes:
        index: the page of all reports.
        are_several: whether there are several videos, which then share a record and an index.

    Raises:
        UsageError: if two results would have one name, one would take the place of a video, or one would
            lie among the pictures of an image sequence.
    """

    def __init__(
        self, videos: Sequence[Video], output: Path | None, outputs: Outputs, shard: Shard | None = None
    ) -> None:
        self._stems = output_stems(videos, output)
        self._annotated = {} if outputs.annotate is None else _annotated_paths(videos, Path(outputs.annotate))
        self._clips = {} if outputs.clips is None else output_stems(videos, Path(outputs.clips))
        read = {located(path).resolve() for path in files_read(videos, footage=outputs.show_the_video)}
        for path in (*self._stems.values(), *self._annotated.values(), *self._clips.values()):
            # With results in it, the folder would not be an image sequence any more.
            if located(path.parent).resolve() in read:
                step = "Use other folders for -o, --annotate and --clips."
                raise UsageError(
                    "is an image sequence, so no results can be written to it",
                    file=path.parent,
                    next_step=step,
                )
        for film in self._annotated.values():
            if located(film).resolve() in read:
                step = "Use another name for --annotate."
                raise UsageError("would be overwritten by its annotated copy", file=film, next_step=step)
        stems = {located(stem).parent.resolve() / stem.name for stem in self._clips.values()}
        for original in read:
            clip = CLIP_NAME.fullmatch(original.name)
            if clip and original.parent / clip[1] in stems:
                step = "Use another folder for --clips, or omit that video."
                raise UsageError("could be overwritten by a clip of this run", file=original, next_step=step)
        self.index = _index_path([*self._stems.values()], output)
        self._record = FILE_NAME
        if shard is not None:
            self.index = self.index.with_name(shard.own_name(INDEX_NAME))
            self._record = shard.own_name(FILE_NAME)
        self.are_several = len(videos) > 1
        self._has_index = outputs.report and self.are_several

    def part_of(self, videos: Sequence[Video]) -> OutputPaths:
        """Return where the results of these videos go, for another process."""
        part = copy.copy(self)
        for name in ("_stems", "_annotated", "_clips"):
            places = getattr(self, name)
            setattr(part, name, {video: places[video] for video in videos if video in places})
        return part

    def file(self, video: Video, suffix: str) -> Path:
        """Return the path of a result, its name cut short where file systems need it."""
        stem = self._stems[video]
        return stem.with_name(fitting_name(stem.name, suffix))

    def stem(self, video: Video) -> Path:
        """Return the path of a video's results without a suffix."""
        return self._stems[video]

    def record(self, video: Video) -> Path:
        """Return the path of the record: ``NAME.run.json`` of one video, else ``run.json``."""
        return self.index.with_name(self._record) if self.are_several else self.file(video, f".{FILE_NAME}")

    def film(self, video: Video) -> Path:
        """Return the path of the annotated video."""
        return self._annotated[video]

    def clip_stem(self, video: Video) -> Path:
        """Return the path of the clips without number and suffix."""
        return self._clips[video]

    def check_writable(self) -> None:
        """Raise OutputError where results could not be written, before hours go into any."""
        paths = [path for paths in (self._stems, self._annotated, self._clips) for path in paths.values()]
        folders = dict.fromkeys(path.parent for path in [*paths, *[self.index] * self._has_index])
        absent = dict.fromkeys(video.path.parent for video in self._stems)
        for folder in folders:
            # A video whose folder is missing fails on its own, and does not end the run.
            if folder not in absent or os.path.isdir(folder):  # noqa: PTH112  Path raises for long names
                check_writable(folder)


def write_pictures(
    curve: Curve,
    video: Video,
    places: OutputPaths,
    outputs: Outputs,
    *,
    stills: Stills,
    explanations: Sequence[Explanation] = (),
    truth_s: Stretches = (),
    limits: Limits | None = None,
    is_elsewhere: bool = False,
    doing: Callable[[str], OnRead | None] = lambda _: None,
) -> list[Path]:
    """Write the requested outputs of a scored video, and return the files.

    All that are videos come from one process, which reads the video once more.

    Args:
        curve: of the video.
        video: which.
        places: of its results.
        outputs: what is wanted.
        stills: of the video, see :func:`vadpipe.scoring.second_pass.stills_wanted`.
        explanations: of its events.
        truth_s: half-open stretches in seconds in which it is known to be abnormal.
        limits: what the video may ask for while it is read again.
        is_elsewhere: whether results do not stay where they are written, so that a page cannot refer to a
            video by where that lies.
        doing: called with the name of the next output; returns a callback for its progress, in seconds.

    Raises:
        InputError: if the video cannot be read again.
        OutputError: if a result cannot be written; what was written before stays.
    """
    written = list[Path]()
    if outputs.plot is not None:
        from vadpipe.output.plot import write_plot

        written.append(places.file(video, f".{outputs.plot}"))
        write_plot(curve, written[-1], stills if video.is_footage_known else None, truth_s=truth_s)
    if not outputs.show_the_video:
        return written
    path, is_apart = video.footage, is_elsewhere or video.is_remote
    with ExitStack() as stack:
        jobs = _video_jobs(curve, video, places, outputs, limits)
        copying = None
        if outputs.report:
            from vadpipe.output.report.page import is_embedded
            from vadpipe.output.report.preview import needs_preview, preview

            page = places.file(video, ".report.html")
            if needs_preview(path) or (is_apart and not is_embedded(path, outputs.embed)):
                copying = stack.enter_context(preview(curve, page.parent, limits))
                jobs.insert(0, nullcontext(copying))
        exports = stack.enter_context(Exports(path, jobs))
        if outputs.report:
            from vadpipe.output.report.page import write_page
            from vadpipe.output.report.preview import finished_preview

            copy = None if copying is None else finished_preview(copying, exports, path)
            # The local copy of a remote video is soon gone, as is the local folder of a remote page.
            embed = True if is_apart and copy is None else outputs.embed
            written += write_page(
                curve, page, video=path, stills=stills, copy=copy, embed=embed, truth=truth_s,
                explanations=explanations,
            )  # fmt: skip
        if outputs.annotate is not None:
            exports.finish(doing("annotating"))
            written.append(places.film(video))
        if outputs.clips is not None:
            stem = places.clip_stem(video)
            clips = clip_paths(curve, path, stem.parent, stem.name)
            exports.finish(doing("cutting"))
            written += clips
    return written


def _video_jobs(
    curve: Curve, video: Video, places: OutputPaths, outputs: Outputs, limits: Limits | None
) -> list[AbstractContextManager[ExportJob]]:
    """Return the jobs of the annotated video and of the clips, if they are wanted."""
    jobs = list[AbstractContextManager[ExportJob]]()
    if outputs.annotate is not None:
        jobs.append(annotation(curve, video.footage, places.film(video), limits=limits))
    if outputs.clips is not None:
        stem = places.clip_stem(video)
        jobs.append(cutting(curve, video.footage, stem.parent, stem.name, pad_s=outputs.pad_s, limits=limits))
    return jobs


def _annotated_paths(videos: Sequence[Video], given: Path) -> dict[Video, Path]:
    if given.suffix.lower() not in SUFFIXES or given.is_dir():
        stems = output_stems(videos, given)
        return {
            video: stem.with_name(fitting_name(stem.name, ".annotated.mp4")) for video, stem in stems.items()
        }
    if len(videos) > 1:
        raise UsageError(
            f"{len(videos)} annotated videos cannot be written to one file",
            file=given,
            next_step="Pass a folder to --annotate.",
        )
    return dict.fromkeys(videos, given)


def _index_path(stems: Sequence[Path], output: Path | None) -> Path:
    """Return the path of the page of all reports: in ``output``, or above all results.

    Where that is above the current folder too, such as the root of all disks, it is the current folder: it
    would be looked for there.
    """
    if output is not None or not stems:
        return (output or Path()) / INDEX_NAME
    common = Path(os.path.commonpath([located(stem).parent for stem in stems]))
    here = Path.cwd()
    return (here if common != here and here.is_relative_to(common) else common) / INDEX_NAME
