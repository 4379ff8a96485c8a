"""Scoring of many videos in one run, with their output files."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.truth_sheet import read_annotations
from vadpipe.curves.curve import Curve
from vadpipe.errors import FeatureError, printable
from vadpipe.extract.cluster import check_local, cluster_workers
from vadpipe.extract.cluster_nodes import RayCluster
from vadpipe.extract.cluster_run import ClusterRun
from vadpipe.extract.extraction import TOLERATED_SHARE
from vadpipe.extract.run import OnFailure, OnProgress, Reporter, run_over
from vadpipe.extract.stills import Stills
from vadpipe.extract.store import content_digest
from vadpipe.extract.video.discovery import Failure, Video, named_video
from vadpipe.extract.video.names import match, tell
from vadpipe.extract.video.shards import Shard
from vadpipe.features.file import Features, Source
from vadpipe.files.arguments import NUMBER, PATH, Kind, check_arguments
from vadpipe.output.formats import write_formats
from vadpipe.runs.journal import journal
from vadpipe.runs.recording import recorded
from vadpipe.scoring.inputs import FeatureFile, find_inputs
from vadpipe.scoring.outputs import OutputPaths, Outputs, write_pictures
from vadpipe.scoring.results_folder import ResultsFolder
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
    ray: RayCluster | str | None = None,
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
        output: folder for the results, or its address; beside each video by default, unless it is remote.
        outputs: what to write.
        truth: a sheet of what is known, see :func:`vadpipe.annotations.truth_sheet.read_annotations`, to be
            shown beside the scores.
        shard: score this part of the videos alone. Its record and its index of reports have own names; all
            else is called what it is called in a run over all videos.
        tolerate: share of a video's frames that may be lost before it is called damaged.
        ray: have it done by the workers of this Ray cluster, or that of this address, see
            :class:`vadpipe.extract.cluster_nodes.RayCluster`.
        on_progress: called as a video is read.
        on_scored: called at once for each video whose results are written.
        on_failure: called at once for each video that cannot be used.

    Raises:
        UsageError: if even the full names of two videos would give the same results, or the list of inputs
            or of the truth cannot be read; if a Ray cluster cannot be used.
        OutputError: if results cannot be written; what was written before stays.
        WeightsError: if the backbone's weights are not available.
    """
    check_arguments(
        scorer=(scorer, Kind("a vadpipe.Scorer", (Scorer,))),
        output=(output, PATH.or_none),
        outputs=(outputs, Kind("vadpipe.Outputs", (Outputs,)).or_none),
        truth=(truth, PATH.or_none),
        shard=(shard, Kind("vadpipe.extract.video.shards.Shard", (Shard,)).or_none),
        tolerate=(tolerate, NUMBER),
    )
    every, unusable = find_inputs(inputs)
    if ray is not None:
        check_local(output, every)
    videos = every
    if shard is not None:
        videos, unusable = shard.of_videos(every), shard.told_here(unusable)
    failed: list[Failure] = []

    def fail(failure: Failure) -> None:
        failed.append(failure)
        journal().failed(failure.path, named_video(failure.path).name, failure.error)
        if on_failure is not None:
            on_failure(failure)

    for failure in unusable:
        fail(failure)
    outputs = outputs or Outputs()
    results = ResultsFolder(output, every)
    places = OutputPaths(every, results.folder, outputs, shard)
    truths = {} if truth is None else _truths(every, Path(truth))
    places.check_writable()
    if outputs.plot is not None:
        bare = [video.name for video in videos if not video.is_footage_known]
        tell(log, "plotted without stills, as only the features were found", bare)
    task = _ScoringTask(scorer, outputs, places, results, truths, tolerate, on_scored)
    journal().resolve(scorer=scorer.resolved)
    for role, path in {**scorer.inputs, "truth": truth}.items():
        journal().reads(role, path)
    told: dict[str, Any] = {
        "n_readings": outputs.n_readings, "on_progress": on_progress, "on_failure": fail
    }  # fmt: skip
    if ray is None:
        run_over(videos, task.begin, task.finish, **told)
    else:
        folder = None if output is None else Path(output)
        with cluster_workers(ray, scorer.anew, device=scorer.device, output=folder) as workers:
            workers.do(ClusterRun(videos, task.part_of, task.add, **told))
        task.put_in_order(videos)
    order = {video.path: index for index, video in enumerate(videos)}
    failed.sort(key=lambda failure: order.get(failure.path, -1))
    return Scoring(task.scored, failed, task.write_index())


_Scored = tuple[list[ScoredVideo], "list[IndexEntry]"]
"""A video if it was scored, and what the page of all reports says of it if there is one."""


class _ScoringTask:
    """What is done with each video of a run once it is being decoded."""

    def __init__(
        self,
        scorer: Scorer,
        outputs: Outputs,
        places: OutputPaths,
        results: ResultsFolder,
        truths: Mapping[Video, Annotation],
        tolerate: float,
        on_scored: Callable[[ScoredVideo], None] | None = None,
    ) -> None:
        self.begin = scorer.begin
        self.scored: list[ScoredVideo] = []
        self._scorer, self._outputs, self._places, self._truths = scorer, outputs, places, truths
        self._results = results
        self._tolerate, self._on_scored = tolerate, on_scored
        self._entries: list[IndexEntry] = []
        self._done: dict[Video, _Scored] = {}

    def part_of(self, videos: Sequence[Video]) -> Callable[[Scorer], _ScoringTask]:
        """Return the same work on some of the videos, for another process."""
        return partial(
            _ScoringTask,
            outputs=self._outputs,
            places=self._places.part_of(videos),
            results=self._results,
            truths={video: self._truths[video] for video in videos if video in self._truths},
            tolerate=self._tolerate,
        )

    def take(self) -> object:
        """Return what was scored since the last time."""
        taken = self.scored, self._entries
        self.scored, self._entries = [], []
        return taken

    def add(self, video: Video, done: object) -> None:
        """Note what another process did with a video."""
        self._done[video] = cast("_Scored", done)
        for scored in self._done[video][0]:
            if self._on_scored is not None:
                self._on_scored(scored)

    def put_in_order(self, videos: Iterable[Video]) -> None:
        """Take what other processes did for the result, in the order of the videos."""
        for video in videos:
            scored, entries = self._done.pop(video, ([], []))
            self.scored += scored
            self._entries += entries

    def finish(self, begun: PendingScore, report: Reporter | None) -> None:
        """Score a video, and write what is wanted of it."""
        video = begun.video
        features = self._scorer.features(begun, report)
        begun.close()  # before the video is read again for pictures
        curve = self._scorer.curve(features)
        self._results.begin_record(self._places.record(video))
        journal().made_by(features.recipe)
        damaged = features.source.lost_share > self._tolerate
        try:
            files = self._write(curve, video, features, report)
            journal().did(video.path, _source_of(video, features.source), files, damaged=damaged)
        finally:
            self._results.publish()
        self.scored.append(ScoredVideo(video.path, curve, tuple(map(self._results.shown, files)), damaged))
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
        if outputs.reads_the_video:
            video.fetch(limits)  # it is not here where its features were
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
            is_elsewhere=self._results.is_remote,
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
        self._results.publish()
        return self._results.shown(self._places.index)


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
