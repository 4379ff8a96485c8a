"""How far the scoring of videos is (``--status``): done, failed or missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from vadpipe.errors import InputError, OutputError, UsageError
from vadpipe.extract.status import VideoStatus
from vadpipe.extract.video.discovery import Video, located
from vadpipe.extract.video.shards import Shard
from vadpipe.files.atomic import fitting_name
from vadpipe.output.formats import FORMATS
from vadpipe.remote.address import AddressPath, address_of, shown
from vadpipe.remote.objects import listed
from vadpipe.runs.record import VideoRecord, read_record
from vadpipe.scoring.inputs import FeatureFile, find_inputs
from vadpipe.scoring.outputs import OutputPaths, Outputs
from vadpipe.scoring.results_folder import check_has_place


class _Recorded(NamedTuple):
    """Videos of which recorded runs cut the clips, and those that they could not use."""

    done: dict[Path, VideoRecord]
    failed: dict[Path, VideoRecord]


def scoring_status(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    *,
    outputs: Outputs | None = None,
    shard: Shard | None = None,
) -> Iterator[VideoStatus]:
    """Yield what there is of each video's results; of a video without, only the first bytes are read.

    A video is ``"done"`` where all its files are there and none is older than the video. Of its clips, whose
    number follows from its scores, nothing is known; where only these are wanted, it is done if a run that
    left a record in the folder cut clips of the video as it is now. It is ``"failed"`` where it is not a
    video, or a run that left a record in the folder could not use it as it is now. Which head scored it is
    not looked at. Where the video or the folder is remote, ages are not compared, and records are not read.

    Args:
        inputs: videos and feature files, folders, patterns and lists.
        output: folder of the results, or its address, which other processes may be writing to; beside each
            video by default.
        outputs: what is wanted of each.
        shard: look at this part of the videos alone; what is no video belongs to the first part.

    Raises:
        UsageError: as :func:`vadpipe.score_videos` does for results that would have one name or no place.
        OutputError: if the results at an address cannot be listed.
    """
    videos, unusable = find_inputs(inputs)
    outputs = outputs or Outputs()
    check_has_place(output, videos)
    folder = None if output is None else shown(output)
    places = OutputPaths(videos, folder, outputs)
    is_there = _looking_in(output)
    recorded = _recorded(places, videos)
    if shard is not None:
        videos, unusable = shard.of_videos(videos), shard.told_here(unusable)
    for failure in unusable:
        yield VideoStatus(failure.path, "failed", failure.error.reason)
    for video in videos:
        files = _files(places, video, outputs)
        if files and all(map(is_there, files)) and not _is_newer(video, files):
            yield VideoStatus(video.path, "done", str(files[0]))
            continue
        yield _without_files(video, recorded, are_wanted=bool(files))


def _looking_in(output: str | os.PathLike[str] | None) -> Callable[[Path], bool]:
    """Return what says whether a result is there; a remote folder is listed once."""
    address = address_of(output)
    if address is None:
        return os.path.lexists
    there = listed(address, OutputError)
    return lambda file: file.relative_to(address.path).as_posix() in there


def _files(places: OutputPaths, video: Video, outputs: Outputs) -> list[Path]:
    """Return the files that a scored video has, but for its clips."""
    stem = places.stem(video)
    suffixes = [part.suffix for name in outputs.formats for part in FORMATS[name]]
    files = [stem.with_name(fitting_name(stem.name, suffix)) for suffix in suffixes]
    files += [places.file(video, f".{outputs.plot}")] * (outputs.plot is not None)
    files += [places.file(video, ".report.html")] * outputs.report
    return files if outputs.annotate is None else [*files, places.film(video)]


def _is_newer(video: Video, files: list[Path]) -> bool:
    """Return whether a video was changed after one of its results was written."""
    if os.path.isdir(video.path):  # noqa: PTH112  pictures have no one time
        return False
    if any(isinstance(path, AddressPath) for path in (video.path, *files)):
        return False
    with suppress(OSError):
        return any(file.stat().st_mtime_ns < video.path.stat().st_mtime_ns for file in files)
    return True


def _without_files(video: Video, recorded: _Recorded, *, are_wanted: bool) -> VideoStatus:
    """Return what is known of a video that lacks a file, or of which none is wanted."""
    path = located(video.path)
    try:
        if not isinstance(video, FeatureFile):
            video.check()
        state: tuple[int | None, int | None] = video.state()
    except InputError as error:
        return VideoStatus(video.path, "failed", error.reason)
    done, failed = recorded.done.get(path), recorded.failed.get(path)
    if not are_wanted and done is not None and (done.n_bytes, done.modified_ns) == state:
        return VideoStatus(video.path, "done")
    if os.path.isdir(video.path):  # noqa: PTH112  of pictures that failed no state is recorded
        state = (None, None)
    if failed is not None and (failed.n_bytes, failed.modified_ns) == state:
        return VideoStatus(video.path, "failed", failed.reason or "")
    return VideoStatus(video.path, "missing")


def _recorded(places: OutputPaths, videos: list[Video]) -> _Recorded:
    """Return what recorded runs did with each video."""
    if places.are_several:
        records = sorted(places.index.parent.glob("run*.json"))
    else:
        records = [places.record(video) for video in videos]
    recorded = _Recorded({}, {})
    for path in records:
        with suppress(UsageError):  # it is none, or of another version
            record = read_record(path)
            if record.command != "score":
                continue
            begun_in = path.absolute().parent / record.started_in
            cut_clips = (record.resolved.get("outputs") or {}).get("clips") is not None
            for video in record.videos:
                if video.status == "failed":
                    recorded.failed[located(begun_in / video.file)] = video
                elif cut_clips:
                    recorded.done[located(begun_in / video.file)] = video
    return recorded
