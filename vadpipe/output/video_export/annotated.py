"""The annotated video: every frame with the curve under it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vadpipe.curves.curve import Curve
from vadpipe.errors import UsageError
from vadpipe.extract.video.limits import Limits
from vadpipe.features.views import WHOLE
from vadpipe.files.atomic import atomic_path
from vadpipe.output.video_export.exports import Exports
from vadpipe.output.video_export.job import ExportJob
from vadpipe.output.video_export.process import OnProgress

SUFFIXES = (".mp4", ".mkv", ".mov")


def annotate(
    curve: Curve,
    video: Path,
    path: Path,
    *,
    limits: Limits | None = None,
    on_progress: OnProgress | None = None,
) -> None:
    """Write a video that shows every frame of another with its curve under it, atomically.

    The picture is as a player shows it: upright, with square pixels, at full size (sides longer than 4096 px
    are made smaller, odd ones one pixel larger, and beside a picture of less than 160 px there is black).
    Under it lies a strip with the whole curve, its threshold as a dashed line, its events shaded, a cursor at
    the frame's time, and the time and score in words; "no score" where the frame has none. During an event a
    vermillion border lies over the picture's outermost pixels, and the strip says EVENT.

    Every frame has the time that the curve has for it, to within one tick of the container; ticks are the
    video's own, or milliseconds in Matroska. The last one stands as long as in the video (Matroska keeps
    that in the length of the file alone). A frame that cannot be decoded is there as well: the picture before
    it stays, black before the first one, and it counts as one without a score. It is H.264 (4:2:0, 8 bit).

    The sound keeps its place in time. Its packets are copied where the container takes them and else encoded
    again as AAC; of several streams there is the one that a player plays. Subtitles, chapters and tags are
    left out. The video is decoded in a process of its own; memory does not grow with its length, but for
    the index that a container keeps until it is closed (some hundred bytes per frame of an MP4).

    Args:
        curve: of this video; one score for each frame that a player shows.
        video: the file that was scored.
        path: where to; its suffix says what container: ``.mp4`` (begins to play before it is all there),
            ``.mov`` or ``.mkv``.
        limits: what the video may ask for; what is written may be as large as a video may be.
        on_progress: called with (seconds done, seconds in total), a few times per second.

    Raises:
        UsageError: if the suffix is another, or ``path`` is the video itself.
        InputError: if the video cannot be used, or is not the one that the curve belongs to.
        DecodeError: if it is broken, or its process crashed or hung.
        OutputError: if the file cannot be written.
    """
    with Exports(video, [annotation(curve, video, path, limits=limits)]) as exports:
        exports.finish(on_progress)


@contextmanager
def annotation(curve: Curve, video: Path, path: Path, *, limits: Limits | None = None) -> Iterator[ExportJob]:
    """Give the job that :func:`annotate` does; its output takes its place at the end of the context.

    Raises:
        UsageError, OutputError: as :func:`annotate` does.
    """
    if path.suffix.lower() not in SUFFIXES:
        step = f"Choose a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}."
        raise UsageError(f"cannot write a video as {path.suffix or 'a file without suffix'}",
                         file=path, next_step=step)  # fmt: skip
    check_not_the_video(path, video)
    events = [(event.start, event.stop) for event in curve.events]
    places = [curve.place(event) for event in curve.events]
    boxes = [WHOLE if place is None or place.box is None else place.box for place in places]
    with atomic_path(path) as temporary:
        yield ExportJob(
            limits=limits or Limits(),
            times_s=curve.times_s,
            end_s=curve.end_s,
            output=str(temporary.absolute()),
            scores=curve.scores,
            threshold=curve.threshold,
            events=np.array(events, dtype=np.int64).reshape(-1, 2),
            boxes=np.array(boxes, dtype=np.float64).reshape(-1, 4),
            target=path,
        )


def check_not_the_video(path: Path, video: Path) -> None:
    """Refuse to overwrite the video with its annotated copy.

    Raises:
        UsageError: if both are the same file.
    """
    if path.exists() and video.exists() and path.samefile(video):
        raise UsageError("is the video itself", file=path, next_step="Choose another name for the result.")
