"""What is left to do of a run over videos on a cluster, and what is heard of its workers; imports no Ray."""

from __future__ import annotations

import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from vadpipe.errors import InputError
from vadpipe.extract.cluster_worker import Batch, Broken, Ended, Item, Said, VideoTask
from vadpipe.extract.run import OnFailure, OnProgress, RunProgress, size_of
from vadpipe.extract.video.discovery import Failure, Video
from vadpipe.runs.journal import journal

N_TRIES = 3
"""Workers that a video may end before it is set aside."""

N_LOST_NODES = 10
"""The same for nodes: these are lost for many reasons, of which the video is the least likely."""

LARGEST_BATCH = 16

PartOf = Callable[[Sequence[Video]], Callable[[Any], VideoTask]]


@dataclass
class Assignment:
    """What one worker is doing.

    Attributes:
        batch: numbers of its videos in the run.
        left: those that are not finished.
    """

    batch: list[int]
    left: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left = [*self.batch]


class ClusterRun:
    """The videos of a run that workers of a cluster go through.

    Args:
        videos: of the run.
        part_of: returns the work on some of them, to be sent to a worker.
        take: is given a video and what the task made of it.
        look_ahead: whether a worker begins a video before it has finished the one before.
        n_readings: how often a video is gone through.
        on_progress: called as a video is read.
        on_failure: called at once for each video that cannot be used.
        on_quarantine: is given a video that ended its worker too often, before it is reported as failed.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        part_of: PartOf,
        take: Callable[[Video, object], None],
        *,
        look_ahead: bool = True,
        n_readings: int = 1,
        on_progress: OnProgress | None = None,
        on_failure: OnFailure,
        on_quarantine: Callable[[Video, InputError], None] = lambda *_: None,
    ) -> None:
        self._videos, self._part_of, self._take = videos, part_of, take
        self._look_ahead, self._n_readings = look_ahead, n_readings
        self._on_progress, self._on_failure, self._on_quarantine = on_progress, on_failure, on_quarantine
        self._suspects: deque[int] = deque()
        self._others: deque[int] = deque(range(len(videos)))
        self._lost_workers: Counter[int] = Counter()
        self._lost_nodes: Counter[int] = Counter()
        self._sizes = [0, *accumulate(map(size_of, videos))] if on_progress else []
        self._done_bytes, self._shares = 0.0, dict[int, float]()
        self.n_left = len(videos)

    @property
    def pending(self) -> bool:
        """Whether there are videos that no worker has."""
        return bool(self._suspects or self._others)

    def next_batch(self, n_workers: int) -> Assignment:
        """Return the next videos for one of so many workers, fewer towards the end.

        A video whose worker was lost is tried alone, so that it is known which one it was.
        """
        if self._suspects:
            return Assignment([self._suspects.popleft()])
        size = min(LARGEST_BATCH, math.ceil(len(self._others) / (3 * n_workers)))
        return Assignment([self._others.popleft() for _ in range(size)])

    def batch_of(self, given: Assignment) -> Batch:
        """Return what a worker is sent."""
        videos = [self._videos[number] for number in given.batch]
        return Batch(videos, self._part_of(videos), self._look_ahead, self._n_readings)

    def hear(self, item: Item, given: Assignment) -> None:
        """Take what a worker sent."""
        match item:
            case Ended():
                number = given.batch[item.place]
                given.left.remove(number)
                self._end(number)
                journal().add_part(item.noted)
                self._take(self._videos[number], item.result)
                for failure in item.failures:
                    self._on_failure(failure)
            case Said():
                logging.getLogger(item.logger).log(item.level, "%s", item.text)
            case RunProgress():
                self._report(given.batch[item.index], item)
            case Broken():
                raise item.error
            case dict():
                if item["kind"] == "started":
                    number = given.batch[int(str(item["index"]))]
                    item = {**item, "index": number, "n_videos": len(self._videos)}
                journal().add_event(item)

    def lose(self, given: Assignment, *, by_itself: bool) -> None:
        """Take back what a lost worker has not finished; of these it was at one, or at two."""
        at_work, untouched = given.left[: 1 + self._look_ahead], given.left[1 + self._look_ahead :]
        self._others.extendleft(reversed(untouched))
        for number in at_work:
            self._shares.pop(number, None)
            (self._lost_workers if by_itself else self._lost_nodes)[number] += 1
            if self._lost_workers[number] >= N_TRIES or self._lost_nodes[number] >= N_LOST_NODES:
                self._set_aside(number)
            else:
                self._suspects.append(number)

    def _set_aside(self, number: int) -> None:
        video = self._videos[number]
        what, n_lost = "process", self._lost_workers[number]
        if n_lost < N_TRIES:
            what, n_lost = "node", self._lost_nodes[number]
        error = InputError(
            f"ended the {what} that worked on it, {n_lost} times",
            file=video.path,
            next_step="Try it on one machine without --ray, or again with --retry.",
        )
        self._on_quarantine(video, error)
        self._end(number)
        self._on_failure(Failure(video.path, error))

    def _end(self, number: int) -> None:
        self.n_left -= 1
        self._shares.pop(number, None)
        if self._on_progress is not None:
            self._done_bytes += self._sizes[number + 1] - self._sizes[number]

    def _report(self, number: int, report: RunProgress) -> None:
        """Report on a video in terms of the whole run, in which others are in work too."""
        if self._on_progress is None:
            return
        size = self._sizes[number + 1] - self._sizes[number]
        self._shares.pop(number, None)
        before = self._done_bytes + sum(self._shares.values())
        shown = replace(
            report,
            index=len(self._videos) - self.n_left,
            n_videos=len(self._videos),
            n_bytes_before=int(before),
            n_bytes=size,
            n_bytes_total=self._sizes[-1],
        )
        self._shares[number] = size * min(1.0, (report.reading + report.share) / report.n_readings)
        self._on_progress(shown)
