"""How far the scoring of videos is (``--status``): done, failed or missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from vadpipe.errors import InputError, OutputError, UsageError
from vadpipe.extract.status import VideoStatus
from vadpipe.extract.video.discovery import Video, located
from vadpipe.extract.video.shards import Shard
from vadpipe.files.atomic import fitting_name
from vadpipe.output.formats import FORMATS
from vadpipe.remote.address import AddressPath, address_of, shown
from vadpipe.remote.objects import listed
from vadpipe.runs.record import read_record
from vadpipe.scoring.inputs import FeatureFile, find_inputs
from vadpipe.scoring.outputs import OutputPaths, Outputs
from vadpipe.scoring.results_folder import check_has_place

_Failures = dict[Path, tuple[tuple[int | None, int | None], str]]


def scoring_status(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    *,
    outputs: Outputs | None = None,
    shard: Shard | None = None,
) -> Iterator[VideoStatus]:
    """Yield what there is of each video's results; of a video without, only the first bytes are read.

    A video is ``"done"`` where all its files are there and none is older than the video; of its clips, whose
    number follows from its scores, nothing is known. It is ``"failed"`` where it is not a video, or a run
    that left a record in the folder could not use it as it is now. Which head scored it is not looked at.
    Where the video or the folder is remote, ages are not compared, and records are not read.

    Args:
        inputs: videos and feature files, folders, patterns and lists.
        output: folder of the results, or its address, which other processes may be writing to; beside each
            video by default.
        outputs: what is wanted of each.
        shard: look at this part of the videos alone.

    Raises:
        UsageError: as :func:`vadpipe.score_videos` does for results that would have one name or no place.
        OutputError: if the results at an address cannot be listed.
    """
    videos, unusable = find_inputs(inputs)
    for failure in unusable:
        yield VideoStatus(failure.path, "failed", failure.error.reason)
    outputs = outputs or Outputs()
    check_has_place(output, videos)
    folder = None if output is None else shown(output)
    places = OutputPaths(videos, folder, outputs)
    is_there = _looking_in(output)
    failures = _recorded_failures(places, videos)
    for video in videos if shard is None else shard.of_videos(videos):
        files = _files(places, video, outputs)
        if all(map(is_there, files)) and not _is_newer(video, files):
            yield VideoStatus(video.path, "done", str(files[0]))
            continue
        reason = _reason(video, failures)
        yield VideoStatus(video.path, "missing" if reason is None else "failed", reason or "")


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


def _reason(video: Video, failures: _Failures) -> str | None:
    """Return why a video without results failed, or None if nothing says that it did."""
    try:
        if not isinstance(video, FeatureFile):
            video.check()
        state = (None, None) if os.path.isdir(video.path) else video.state()  # noqa: PTH112
    except InputError as error:
        return error.reason
    known, reason = failures.get(located(video.path), (None, None))
    return reason if known == state else None


def _recorded_failures(places: OutputPaths, videos: list[Video]) -> _Failures:
    """Return the size, the time and the reason of each video that a recorded run could not use."""
    if places.are_several:
        records = sorted(places.index.parent.glob("run*.json"))
    else:
        records = [places.record(video) for video in videos]
    failures: _Failures = {}
    for path in records:
        with suppress(UsageError):  # it is none, or of another version
            record = read_record(path)
            begun_in = path.absolute().parent / record.started_in
            failures |= {
                located(begun_in / video.file): ((video.n_bytes, video.modified_ns), video.reason or "")
                for video in record.videos
                if record.command == "score" and video.status == "failed"
            }
    return failures
