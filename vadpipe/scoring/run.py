"""Scoring of many videos in one run, with their output files."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.truth_sheet import read_annotations
from vadpipe.curves.curve import Curve
from vadpipe.errors import FeatureError, printable
from vadpipe.extract.extraction import TOLERATED_SHARE
from vadpipe.extract.run import OnFailure, OnProgress, Reporter, run_over
from vadpipe.extract.stills import Stills
from vadpipe.extract.store import content_digest
from vadpipe.extract.video.discovery import Failure, Video, named_video
from vadpipe.extract.video.names import match, tell
from vadpipe.extract.video.shards import Shard
from vadpipe.features.file import Features, Source
from vadpipe.output.formats import write_formats
from vadpipe.runs.journal import journal
from vadpipe.runs.recording import recorded
from vadpipe.scoring.inputs import FeatureFile, find_inputs
from vadpipe.scoring.outputs import OutputPaths, Outputs, write_pictures
from vadpipe.scoring.scorer import PendingScore, Scorer
from vadpipe.scoring.second_pass import read_again, stills_wanted

if TYPE_CHECKING:
    from vadpipe.output.report.index import IndexEntry

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoredVideo:
    """A scored video and the files that were written for it.

    Attributes:
        video: the video file.
        curve: one score per frame.
        files: what was written, in the order of :class:`Outputs`.
        damaged: whether more of the video's frames were lost than is tolerated.
    """

    video: Path
    curve: Curve
    files: tuple[Path, ...]
    damaged: bool = False


@dataclass(frozen=True)
class Scoring:
    """Result of :func:`score_videos`, in the order of the input.

    Attributes:
        scored: the videos that have a curve and all their files.
        failed: the others, and why; one whose curve was written may be here, where a picture of it failed.
        index: the page that leads to all reports, where several were written.
    """

    scored: list[ScoredVideo] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    index: Path | None = None


@recorded("score")
def score_videos(
    inputs: Iterable[str | os.PathLike[str]],
    scorer: Scorer,
    *,
    output: str | os.PathLike[str] | None = None,
    outputs: Outputs | None = None,
    truth: str | os.PathLike[str] | None = None,
    shard: Shard | None = None,
    tolerate: float = TOLERATED_SHARE,
    on_progress: OnProgress | None = None,
    on_scored: Callable[[ScoredVideo], None] | None = None,
    on_failure: OnFailure | None = None,
) -> Scoring:
    """Score videos and write what is wanted of each: ``NAME.scores.csv`` and ``NAME.events.csv`` by default.

    Feature files take the place of their videos; only where pictures are wanted are these looked for, see
    :attr:`vadpipe.scoring.inputs.FeatureFile.footage`: without, a plot has no stills, and a report, an
    annotated video and clips count as failures.

    A video that cannot be read is reported and the rest goes on. Videos that would write the same file
    take more of their names: ``clip.mkv.scores.csv``, or ``cam2/clip.scores.csv``.

    Args:
        inputs: videos and feature files, folders (searched recursively), patterns and lists, see
            :func:`vadpipe.scoring.inputs.find_inputs`.
        scorer: the head.
        output: folder for the results; beside each video by default.
        outputs: what to write.
        truth: a sheet of what is known, see :func:`vadpipe.annotations.truth_sheet.read_annotations`, to be
            shown beside the scores.
        shard: score this part of the videos alone. Its record and its index of reports have own names; all
            else is called what it is called in a run over all videos.
        tolerate: share of a video's frames that may be lost before it is called damaged.
        on_progress: called as a video is read.
        on_scored: called at once for each video whose results are written.
        on_failure: called at once for each video that cannot be used.

    Raises:
        UsageError: if even the full names of two videos would give the same results, or the list of inputs
            or of the truth cannot be read.
        OutputError: if results cannot be written; what was written before stays.
        WeightsError: if the backbone's weights are not available.
    """
    every, unusable = find_inputs(inputs)
    videos = every if shard is None else shard.of_videos(every)
    if shard is not None and shard.number > 1:
        unusable = []  # to be reported once
    outputs = outputs or Outputs()
    places = OutputPaths(every, None if output is None else Path(output), outputs, shard)

    def fail(failure: Failure) -> None:
        journal().failed(failure.path, named_video(failure.path).name, failure.error)
        if on_failure is not None:
            on_failure(failure)

    for failure in unusable:
        fail(failure)
    truths = {} if truth is None else _truths(every, Path(truth))
    places.check_writable()
    if outputs.plot is not None:
        bare = [video.name for video in videos if not video.is_footage_known]
        tell(log, "plotted without stills, as only the features were found", bare)
    task = _ScoringTask(scorer, outputs, places, truths, tolerate, on_scored)
    journal().resolve(scorer=scorer.resolved)
    for role, path in {**scorer.inputs, "truth": truth}.items():
        journal().reads(role, path)
    failed = run_over(
        videos,
        scorer.begin,
        task.finish,
        n_readings=outputs.n_readings,
        on_progress=on_progress,
        on_failure=fail,
    )
    return Scoring(task.scored, [*unusable, *failed], task.write_index())


class _ScoringTask:
    """What is done with each video of a run once it is being decoded."""

    def __init__(
        self,
        scorer: Scorer,
        outputs: Outputs,
        places: OutputPaths,
        truths: Mapping[Video, Annotation],
        tolerate: float,
        on_scored: Callable[[ScoredVideo], None] | None,
    ) -> None:
        self.scored: list[ScoredVideo] = []
        self._scorer, self._outputs, self._places, self._truths = scorer, outputs, places, truths
        self._tolerate, self._on_scored = tolerate, on_scored
        self._entries: list[IndexEntry] = []

    def finish(self, begun: PendingScore, report: Reporter | None) -> None:
        """Score a video, and write what is wanted of it."""
        video = begun.video
        features = self._scorer.features(begun, report)
        begun.close()  # before the video is read again for pictures
        curve = self._scorer.curve(features)
        record = self._places.record(video)
        journal().begin(record.parent, record.name)
        journal().made_by(features.recipe)
        files = self._write(curve, video, features, report)
        damaged = features.source.lost_share > self._tolerate
        journal().did(video.path, _source_of(video, features.source), files, damaged=damaged)
        self.scored.append(ScoredVideo(video.path, curve, tuple(files), damaged))
        if self._on_scored is not None:
            self._on_scored(self.scored[-1])

    def _write(self, curve: Curve, video: Video, features: Features, report: Reporter | None) -> list[Path]:
        """Write the files of a curve, those without pictures first: they stay if a picture fails."""

        def doing(what: str) -> Reporter | None:
            nonlocal report
            report = report and report.doing(what)  # each reading counts on from the one before
            return report

        outputs, places, limits = self._outputs, self._places, self._scorer.limits
        write = partial(
            write_formats, curve, places.stem(video),
            video=video, limits=limits, size_px=features.source.size_px,
        )  # fmt: skip
        files = write(outputs.formats)
        journal().wrote(files)
        wanted = stills_wanted(curve, outputs, listed=places.are_several)
        told = doing("explaining") if outputs.explain else None
        stills, reasons = read_again(
            self._scorer, features, curve, video, wanted, explain=outputs.explain, on_progress=told
        )
        if reasons and "json" in outputs.formats:
            write(["json"], explanations=reasons)
        files += write_pictures(
            curve, video, places, outputs,
            stills=stills,
            explanations=reasons,
            truth_s=_stretches(self._truths.get(video), curve),
            limits=limits,
            doing=doing,
        )  # fmt: skip
        if outputs.report and places.are_several:
            self._entries.append(_index_entry(curve, places.file(video, ".report.html"), stills))
        return files

    def write_index(self) -> Path | None:
        """Write the page that leads to all reports, if there are any, and return it."""
        if not self._entries:
            return None
        from vadpipe.output.report.index import write_index

        write_index(self._entries, self._places.index)
        journal().wrote([self._places.index])
        return self._places.index


def _source_of(video: Video, source: Source) -> Source:
    """Return the source of a video's features; for a feature file that was given, the file itself."""
    if not isinstance(video, FeatureFile):
        return source
    n_bytes, modified_ns = video.state()
    file = {"sha256": content_digest(video.path), "n_bytes": n_bytes, "modified_ns": modified_ns}
    return source.model_copy(update=file)


def _truths(videos: Sequence[Video], path: Path) -> dict[Video, Annotation]:
    """Return the truth of each video that is in the list."""
    truths = {truth.video: truth for truth in read_annotations(path)}
    found = match(truths, [video.name for video in videos])
    if not found.found:
        log.warning("%s: contains none of these videos", printable(path))
    by_name = {name: truths[listed] for listed, name in found.found.items()}
    return {video: by_name[video.name] for video in videos if video.name in by_name}


def _stretches(annotation: Annotation | None, curve: Curve) -> list[tuple[float, float]]:
    """Return the anomalies of a truth in seconds, up to the end of the video."""
    if annotation is None:
        return []
    try:
        truth = annotation.truth(curve.times_s, curve.end_s)
    except FeatureError as error:
        log.warning("%s", error)
        return []
    if truth.n_frames != len(curve):
        shown = printable(curve.video)
        log.warning("%s: has %d frames, but %d in the truth", shown, len(curve), truth.n_frames)
    edges_s = np.append(curve.times_s, curve.end_s)
    last = len(curve)
    return [
        (float(edges_s[start]), float(edges_s[min(stop, last)]))
        for start, stop in truth.anomalies
        if start < last
    ]


def _index_entry(curve: Curve, report: Path, stills: Stills) -> IndexEntry:
    """Return what the page of all reports says of a video."""
    from vadpipe.output.report.index import IndexEntry
    from vadpipe.output.report.stills import index_thumbnail

    peaks = curve.peaks(1)
    return IndexEntry(
        video=curve.video,
        report=report,
        peak=float(curve.scores[peaks[0]]) if peaks else None,
        n_events=len(curve.events),
        length_s=curve.end_s,
        thumbnail=index_thumbnail(curve, stills),
    )
