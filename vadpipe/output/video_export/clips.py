"""Clips of events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import numpy as np

from vadpipe.curves.curve import Curve
from vadpipe.errors import OutputError, UsageError
from vadpipe.extract.video.container import sniff
from vadpipe.extract.video.limits import Limits
from vadpipe.files.atomic import atomic_path, fitting_name
from vadpipe.output.video_export.annotated import check_not_the_video
from vadpipe.output.video_export.exports import Exports
from vadpipe.output.video_export.job import Clip, ExportJob
from vadpipe.output.video_export.process import OnProgress


def cut_clips(
    curve: Curve,
    video: Path,
    folder: Path,
    stem: str,
    *,
    pad_s: float = 2.0,
    limits: Limits | None = None,
    on_progress: OnProgress | None = None,
) -> list[Path]:
    """Write each event of a video as a file of its own: ``STEM.event-001.mp4`` and so on, with its sound.

    What is wanted is the event and ``pad_s`` seconds on both sides of it, within the video. Times in
    a clip begin at 0. It is an MP4 where the video is one (or MOV), else Matroska.

    Packets are copied, so that nothing is lost, where that comes close enough:

    - The clip begins with the last key frame at or before the wanted start, at most 10 s before it.
    - All frames until the wanted end are there, and where others build on later ones a few more.
    - The sound begins and ends with the pictures, to within one of its packets. What the container cannot
      hold is encoded as AAC.

    Otherwise the clip is exactly what is wanted, to within one tick of the video, encoded as H.264 and shown
    as :func:`vadpipe.output.video_export.annotated.annotate` shows pictures. That is so where key frames are
    further apart, where an edit list hides the key frame, of AVI, which has no presentation times, and
    wherever copying fails. A frame that cannot be decoded is then shown as the picture before it; copied
    packets are as good or bad as they were.

    The clips are written together: all or, where anything fails, none. Then those of an earlier run are
    deleted, so that all that are there belong to this curve: the numbers that follow the last one of now
    without a gap, ``.mp4`` or ``.mkv``, and the same numbers with the other suffix.

    Args:
        curve: of this video.
        video: the file that was scored.
        folder: where to.
        stem: how their names begin; the names are shortened where the file system needs it.
        pad_s: how much to show before and after each event.
        limits: what the video may ask for; a clip may be as large as a video may be.
        on_progress: called with (seconds done, seconds in total), a few times per second.

    Returns:
        The files, one an event, the first first; none without events.

    Raises:
        UsageError: if ``pad_s`` is not a length, or a clip would replace the video itself.
        InputError: if the video cannot be used, or is not the one that the curve belongs to.
        DecodeError: if it is broken, or its process crashed or hung.
        OutputError: if a clip cannot be written, or an old one not be deleted.
    """
    paths = clip_paths(curve, video, folder, stem)
    with Exports(video, [cutting(curve, video, folder, stem, pad_s=pad_s, limits=limits)]) as exports:
        exports.finish(on_progress)
    return paths


def clip_paths(curve: Curve, video: Path, folder: Path, stem: str) -> list[Path]:
    """Return the files that :func:`cut_clips` writes. Raises InputError where there is no such video."""
    suffix = _suffix(video)
    return [_clip_path(folder, stem, number, suffix) for number in range(1, len(curve.events) + 1)]


@contextmanager
def cutting(
    curve: Curve, video: Path, folder: Path, stem: str, *, pad_s: float = 2.0, limits: Limits | None = None
) -> Iterator[ExportJob]:
    """Give the job that :func:`cut_clips` does; at the end of the context the clips take their places.

    Raises:
        UsageError, InputError, OutputError: as :func:`cut_clips` does.
    """
    if not 0 <= pad_s < np.inf:
        raise UsageError(f"padding of {pad_s} s is invalid", next_step="Give 0 or more.")
    paths = clip_paths(curve, video, folder, stem)
    for path in paths:
        check_not_the_video(path, video)
    begin_s = float(curve.times_s[0])
    with ExitStack() as files:
        clips = tuple(
            Clip(
                start_s=max(begin_s, event.start_s - pad_s),
                end_s=min(curve.end_s, event.end_s + pad_s),
                output=str(files.enter_context(atomic_path(path)).absolute()),
            )
            for event, path in zip(curve.events, paths, strict=True)
        )
        yield ExportJob(limits or Limits(), curve.times_s, curve.end_s, clips, target=folder)
    _delete_earlier(folder, stem, len(paths), _suffix(video), video)


def _delete_earlier(folder: Path, stem: str, n_clips: int, suffix: str, video: Path) -> None:
    """Delete the clips of an earlier run that are not among these; files beyond a gap are left alone."""
    other = {".mp4": ".mkv", ".mkv": ".mp4"}[suffix]
    old = [_clip_path(folder, stem, number, other) for number in range(1, n_clips + 1)]
    for number in count(n_clips + 1):
        further = [_clip_path(folder, stem, number, kind) for kind in (suffix, other)]
        if not any(path.is_file() for path in further):
            break
        old += further
    try:
        for path in old:
            if path.is_file() and not path.samefile(video):
                path.unlink()
    except OSError as error:
        raise OutputError(
            f"an old clip cannot be deleted: {error.strerror}",
            file=error.filename or folder,
            next_step="Delete it yourself, or choose another folder.",
        ) from error


def _suffix(video: Path) -> str:
    return ".mp4" if sniff(video) == "mp4" else ".mkv"


def _clip_path(folder: Path, stem: str, number: int, suffix: str) -> Path:
    return folder / fitting_name(stem, f".event-{number:03d}{suffix}")
