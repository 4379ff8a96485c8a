"""One run over many videos: the next is decoded while this one is computed; a bad one costs only itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Protocol, TypeVar

from vadpipe.errors import FeatureError, InputError
from vadpipe.extract.video.discovery import Failure, Video
from vadpipe.runs.journal import journal


@dataclass(frozen=True)
class RunProgress:
    """Progress of a run over videos.

    Attributes:
        video: the video that is being processed.
        index, n_videos: its place in the run, from 0, and how many there are.
        done_s, total_s: how much of it has been read, in its own seconds.
        doing: what is made of it in a further reading, such as ``"annotating"``; empty for the first.
        reading, n_readings: which reading that is, from 0, and how many there are at most.
        n_bytes_before, n_bytes, n_bytes_total: sizes of the videos ahead of it, of it, and of all; how long
            videos are is not known before they are opened, and their sizes are the next best.
    """

    video: Video
    index: int
    n_videos: int
    done_s: float
    total_s: float
    doing: str = ""
    reading: int = 0
    n_readings: int = 1
    n_bytes_before: int = 0
    n_bytes: int = 0
    n_bytes_total: int = 0

    @property
    def share(self) -> float:
        """How much of this video has been read, in [0, 1]."""
        return min(1.0, self.done_s / self.total_s) if self.total_s > 0 else 0.0

    @property
    def share_of_all(self) -> float:
        """How much of the whole run is done, in [0, 1], by the sizes of the videos."""
        share = min(1.0, (self.reading + self.share) / self.n_readings)
        if not self.n_bytes_total:
            return (self.index + share) / self.n_videos
        return (self.n_bytes_before + share * self.n_bytes) / self.n_bytes_total


OnProgress = Callable[[RunProgress], None]
OnFailure = Callable[[Failure], None]


@dataclass(frozen=True)
class Reporter:
    """Reports to ``on_progress`` how far one video of a run has been read."""

    on_progress: OnProgress
    start: RunProgress

    def __call__(self, done_s: float, total_s: float) -> None:
        """Report how many seconds of the video have been read."""
        self.on_progress(replace(self.start, done_s=done_s, total_s=total_s))

    def doing(self, what: str) -> Reporter:
        """Return what reports of a further reading of the same video, and say that it begins."""
        further = replace(self, start=replace(self.start, doing=what, reading=self.start.reading + 1))
        further(0.0, self.start.total_s)
        return further


class PendingVideo(Protocol):
    """Work in the background until it is finished or dropped."""

    def close(self) -> None:
        """Drop it."""


T = TypeVar("T", bound=PendingVideo)


def run_over(
    videos: Sequence[Video],
    begin: Callable[[Video], T | None],
    finish: Callable[[T, Reporter | None], None],
    *,
    look_ahead: bool = True,
    n_readings: int = 1,
    on_progress: OnProgress | None = None,
    on_failure: OnFailure | None = None,
    on_end: Callable[[Video], None] = lambda _: None,
) -> list[Failure]:
    """Begin and finish the work of each video, in order, and return what could not be used.

    Args:
        videos: what :func:`vadpipe.extract.video.discovery.find_videos` found.
        begin: starts the background work; returns None if there is nothing to do.
        finish: ends it. An InputError, FeatureError or MemoryError of either ends this video only.
        look_ahead: begin the next video before this one is finished.
        n_readings: how often ``finish`` goes through a video, which it says by :meth:`Reporter.doing`.
        on_progress: called as a video is read.
        on_failure: called at once for each video that cannot be used.
        on_end: called when nothing is left to do for a video, whatever came of it.
    """
    failures: list[Failure] = []
    open_work: list[tuple[int, Video, T]] = []
    reporter = _reporters(videos, n_readings, on_progress)

    def guarded(video: Video, work: Callable[[], None]) -> None:
        try:
            work()
        except (InputError, FeatureError, MemoryError) as error:
            if isinstance(error, MemoryError):
                error = InputError("needs more memory than is available", file=video.path)
            failures.append(Failure(video.path, video.told(error)))
            if on_failure is not None:
                on_failure(failures[-1])

    def start(index: int, video: Video) -> None:
        begun = None
        try:
            begun = begin(video)
        finally:
            if begun is None:
                video.release()
        if begun is not None:
            journal().started(video.path, index, len(videos))
            open_work.append((index, video, begun))

    def end() -> None:
        index, video, begun = open_work[0]
        try:
            guarded(video, lambda: finish(begun, reporter(index)))
        finally:
            open_work.pop(0)[2].close()
            video.release()
        on_end(video)

    try:
        for index, video in enumerate(videos):
            guarded(video, lambda index=index, video=video: start(index, video))  # type: ignore[misc]
            if not open_work or open_work[-1][0] != index:
                on_end(video)
            while len(open_work) > int(look_ahead):
                end()
        while open_work:
            end()
    finally:
        for _, video, begun in open_work:
            begun.close()
            video.release()
    return failures


def _reporters(
    videos: Sequence[Video], n_readings: int, on_progress: OnProgress | None
) -> Callable[[int], Reporter | None]:
    """Return what gives the reporter of each video by its place in the run."""
    if on_progress is None:
        return lambda _: None
    sizes = [0, *accumulate(map(size_of, videos))]

    def reporter(index: int) -> Reporter:
        before, after = sizes[index], sizes[index + 1]
        start = RunProgress(
            videos[index], index, len(videos), 0.0, 0.0, n_readings=n_readings,
            n_bytes_before=before, n_bytes=after - before, n_bytes_total=sizes[-1],
        )  # fmt: skip
        return Reporter(on_progress, start)

    return reporter


def size_of(video: Video) -> int:
    """Return the size of a video's file; 0 for a missing one, which fails when it is opened."""
    with suppress(InputError):
        return video.state()[0]
    return 0
