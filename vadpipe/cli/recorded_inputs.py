"""What differs between the inputs and versions of a recorded run and those that are here now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vadpipe.comparison.candidates import files_of, recognised
from vadpipe.errors import InputError, UsageError, VadpipeError
from vadpipe.extract.store import content_digest
from vadpipe.extract.video.discovery import Video, find_videos
from vadpipe.features.folder import FeatureFolder
from vadpipe.files.digest import file_digest
from vadpipe.published.containers import Containers
from vadpipe.published.files import find_published
from vadpipe.published.settings import ImportSettings
from vadpipe.published.videos import Published
from vadpipe.runs.digests import files_digest
from vadpipe.runs.journal import INCLUDED
from vadpipe.runs.plain import plain
from vadpipe.runs.record import InputRecord, RunRecord, VideoRecord
from vadpipe.runs.versions import versions
from vadpipe.scoring.inputs import find_inputs
from vadpipe.weights import SHIPPED_HEAD


def differences(record: RunRecord) -> list[str]:
    """Return what is not as a record has it, each as a short text; relative paths begin here.

    A video is read only if its size is the same and its modification time is not.
    """
    return [*_versions(record), *filter(None, map(_input, record.inputs)), *_videos(record)]


def _versions(record: RunRecord) -> Iterator[str]:
    now, then = versions(), record.versions
    for name in sorted(now.keys() | then.keys()):
        if now.get(name) != then.get(name):
            yield f"{name} is {now.get(name, 'not installed')}, was {then.get(name, 'not installed')}"


def _input(known: InputRecord) -> str | None:
    if known.file is None:
        return f"{known.role} was in memory"
    path = SHIPPED_HEAD if known.file == INCLUDED else Path(known.file)
    what = f"{known.role} {known.file}"
    try:
        if not path.is_dir():
            return None if file_digest(path) == known.sha256 else f"{what} has different content"
        n_files, digest = files_digest(_files(known.role, path), path)
    except OSError as error:
        return f"{what} cannot be read: {error.strerror}"
    except VadpipeError as error:
        return f"{what} {error.reason}"
    if n_files != known.n_files:
        return f"{what} has {n_files} files, had {known.n_files}"
    return None if digest == known.sha256 else f"{what} has a file with different content"


def _files(role: str, folder: Path) -> Iterator[Path]:
    if role == "candidates":
        (candidate,) = recognised([folder], [None])
        yield from files_of(candidate) or ()
    else:
        yield from FeatureFolder(folder).files()


def _videos(record: RunRecord) -> Iterator[str]:
    recorded = {video.file: video for video in record.videos}
    if not recorded:
        return
    with _found(record) as found:
        for file, known in recorded.items():
            if file in found:
                difference = _video(found[file], known)
                if difference is not None:
                    yield difference
            elif known.status != "failed":
                yield f"video {file} is missing"
        if "shard" not in (record.arguments or {}) and record.outcome == "finished":
            for file in found.keys() - recorded.keys():
                yield f"video {file} is new"


@contextmanager
def _found(record: RunRecord) -> Iterator[dict[str, Video]]:
    """Yield what the arguments of a record name now, by the file that a record has."""
    with Containers() as containers:
        given = positionals(record)
        if record.command == "features import":
            settings = _import_settings(record)
            listed = record.resolved.get("frame_counts")
            published, _ = find_published(
                given,
                containers,
                array=settings.array,
                join=settings.joins_crops,
                leave_out=None if listed is None else Path(str(listed)),
            )
            videos: list[Video] = [*published]
        else:
            videos, _ = find_videos(given) if record.command == "extract" else find_inputs(given)
        yield {
            str(plain(video.label if isinstance(video, Published) else video.path)): video for video in videos
        }


def _import_settings(record: RunRecord) -> ImportSettings:
    try:
        return ImportSettings(**record.resolved["settings"])
    except (LookupError, TypeError) as error:
        raise UsageError("the record of 'features import' has no settings of an import") from error


def _named(record: RunRecord) -> list[str]:
    given = record.arguments or {}
    named: object = next((given[name] for name in ("videos", "files", "candidates") if name in given), [])
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise UsageError(f"the record of '{record.command}' names no list of files")
    return [*named]


def positionals(record: RunRecord) -> list[str]:
    """Return the arguments without an option; the videos of a list on standard input by their names.

    Raises:
        UsageError: if they are no names.
    """
    named = _named(record)
    if "-" not in named:
        return named
    return [video.file for video in record.videos]


def is_part_of_unknown(record: RunRecord) -> bool:
    """Return whether results depend on videos of other shards that came on standard input, and on no record.

    Which videos a shard has that is balanced by durations does, and so do the names of scores.
    """
    given = record.arguments or {}
    depends = record.command == "score" or "durations" in given
    return "shard" in given and depends and "-" in _named(record)


def _video(video: Video, known: VideoRecord) -> str | None:
    what = f"video {known.file}"
    try:
        n_bytes, modified_ns = video.state()
        if os.path.isdir(video.path) and known.status == "failed":  # noqa: PTH112
            return None
        if known.n_bytes is not None and n_bytes != known.n_bytes:
            return f"{what} has {n_bytes} bytes, had {known.n_bytes}"
        if modified_ns == known.modified_ns or known.sha256 is None:
            return None
        if video.is_remote:
            return f"{what} is another version"
        digest = video.digest() if isinstance(video, Published) else content_digest(video.path)
    except InputError as error:
        return None if known.status == "failed" else f"{what} {error.reason}"
    return None if digest == known.sha256 else f"{what} has different content"
