"""One run over many videos: a bad one is reported and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vadpipe.errors import FeatureError, InputError
from vadpipe.extract.container import sniff
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


def run_over(
    videos: Sequence[Video],
    unusable: Sequence[Failure],
    work: Callable[[Video, Reporter | None], None],
    *,
    on_progress: OnProgress | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> list[Failure]:
    """Do ``work`` for each video, and return what could not be used.

    Args:
        videos: what :func:`vadpipe.extract.videos.find_videos` found.
        unusable: what it could not use.
        work: called with each video whose first bytes are those of one, and with what to tell of its
            progress. An InputError or FeatureError that it raises ends this video only.
        on_progress: called after each frame that was read.
        on_failure: called at once for each video that cannot be used.
    """
    failures = list(unusable)
    if on_failure is not None:
        for failure in failures:
            on_failure(failure)
    for index, video in enumerate(videos):
        try:
            sniff(video.path)
            work(video, Reporter(on_progress, video, index, len(videos)) if on_progress else None)
        except (InputError, FeatureError) as error:
            failures.append(Failure(video.path, error))
            if on_failure is not None:
                on_failure(failures[-1])
    return failures
