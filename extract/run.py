"""One run over many videos: the next is decoded while this one is computed; a bad one costs only itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from vadpipe.errors import FeatureError, InputError
from vadpipe.extract.videos import Failure, Video


@dataclass(frozen=True)
class Progress:
    """Where a run over videos stands.

    Attributes:
        video: the video in work.
        index, n_videos: its place in the run, from 0, and how many there are.
        done_s, total_s: how much of it has been read, in its own seconds.
    """

    video: Video
    index: int
    n_videos: int
    done_s: float
    total_s: float


OnProgress = Callable[[Progress], None]
OnFailure = Callable[[Failure], None]


@dataclass(frozen=True)
class Reporter:
    """Tells ``on_progress`` how far one video of a run has been read."""

    on_progress: OnProgress
    video: Video
    index: int
    n_videos: int

    def __call__(self, done_s: float, total_s: float) -> None:
        """Report that so many seconds of the video have been read."""
        self.on_progress(Progress(self.video, self.index, self.n_videos, done_s, total_s))


class Begun(Protocol):
    """Work that goes on by itself until it is finished or dropped."""

    def close(self) -> None:
        """Drop it."""


T = TypeVar("T", bound=Begun)


def run_over(
    videos: Sequence[Video],
    begin: Callable[[Video], T | None],
    finish: Callable[[T, Reporter | None], None],
    *,
    look_ahead: bool = True,
    on_progress: OnProgress | None = None,
    on_failure: OnFailure | None = None,
) -> list[Failure]:
    """Begin and finish the work of each video, in order, and return what could not be used.

    Args:
        videos: what :func:`vadpipe.extract.videos.find_videos` found.
        begin: starts what can go on by itself; returns None where there is nothing to do.
        finish: ends it. An InputError, FeatureError or MemoryError of either ends this video only.
        look_ahead: begin the next video before this one is finished.
        on_progress: called as a video is read.
        on_failure: called at once for each video that cannot be used.
    """
    failures: list[Failure] = []
    open_work: list[tuple[int, Video, T]] = []

    def guarded(video: Video, work: Callable[[], None]) -> None:
        try:
            work()
        except (InputError, FeatureError, MemoryError) as error:
            if isinstance(error, MemoryError):
                error = InputError("needs more memory than there is", file=video.path)
            failures.append(Failure(video.path, error))
            if on_failure is not None:
                on_failure(failures[-1])

    def start(index: int, video: Video) -> None:
        begun = begin(video)
        if begun is not None:
            open_work.append((index, video, begun))

    def end() -> None:
        index, video, begun = open_work[0]
        report = Reporter(on_progress, video, index, len(videos)) if on_progress else None
        try:
            guarded(video, lambda: finish(begun, report))
        finally:
            open_work.pop(0)[2].close()

    try:
        for index, video in enumerate(videos):
            guarded(video, lambda index=index, video=video: start(index, video))  # type: ignore[misc]
            while len(open_work) > int(look_ahead):
                end()
        while open_work:
            end()
    finally:
        for _, _, begun in open_work:
            begun.close()
    return failures
