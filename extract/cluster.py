"""One run over many videos by the workers of a Ray cluster; this process hands them out and listens.

Ray's actors rather than Ray Data, which retries what a lost worker had without end, or drops a block of it
without saying which; here a video that ends its workers is found, and set aside with its reason. What passes
between processes are names, records and curves; frames and features never leave the worker.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any

from vadpipe.errors import InputError, UsageError
from vadpipe.extract.cluster_nodes import RayCluster, Seat, connected, seats_of
from vadpipe.extract.cluster_worker import (
    Batch,
    Broken,
    Conditions,
    Ended,
    Item,
    Said,
    VideoTask,
    Worker,
    current_versions,
)
from vadpipe.extract.run import OnFailure, OnProgress, RunProgress, size_of
from vadpipe.extract.video.discovery import Failure, Video
from vadpipe.files.atomic import write_text
from vadpipe.runs.journal import journal

log = logging.getLogger(__name__)

N_TRIES = 3
"""Workers that a video may end before it is set aside; starts that a node may fail before it is left out."""

_N_LOST_NODES = 10
"""The same for nodes: these are lost for many reasons, of which the video is the least likely."""
_LARGEST_BATCH = 16
_LOOK_S = 5.0
"""After how many seconds without news the nodes are counted again."""

PartOf = Callable[[Sequence[Video]], Callable[[Any], VideoTask]]


@dataclass
class _Hired:
    """A worker, and what it is doing.

    Attributes:
        actor: Ray's handle.
        seat: where it runs.
        starting: its answers when it is ready; empty when it is.
        stream: what it sends of its batch; None while it has none.
        batch: numbers of these videos in the run.
        left: those that are not finished.
    """

    actor: Any
    seat: Seat
    starting: list[Any]
    stream: Any = None
    batch: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)


@contextmanager
def cluster_workers(
    cluster: RayCluster | str, shared: object, *, device: str, output: Path | None
) -> Iterator[ClusterWorkers]:
    """Connect to a cluster, and end all workers in the end.

    Args:
        cluster: which.
        shared: what every worker loads once.
        device: of the backbone, which decides between nodes with and without a GPU.
        output: folder that all nodes must share; None where there is none.

    Raises:
        UsageError: if Ray is not installed, or the cluster cannot be reached.
        OutputError: if the folder cannot be written.
    """
    known = RayCluster(cluster) if isinstance(cluster, str) else cluster
    with connected(known) as ray, _token_in(output) as token:
        conditions = Conditions(
            folder=Path.cwd(),
            token=token,
            versions=current_versions(),
            log_level=logging.getLogger("vadpipe").getEffectiveLevel(),
        )
        workers = ClusterWorkers(ray, known, shared, device, conditions)
        try:
            yield workers
        finally:
            workers.close()


@contextmanager
def _token_in(folder: Path | None) -> Iterator[Path | None]:
    """Make a file that a node sees only if it shares the folder."""
    if folder is None:
        yield None
        return
    token = folder / f".ray-{os.getpid()}-{os.urandom(4).hex()}"
    write_text(token, "")
    try:
        yield token
    finally:
        with suppress(OSError):
            token.unlink()


class ClusterWorkers:
    """The workers of one run, hired as nodes have room for them."""

    def __init__(
        self, ray: ModuleType, cluster: RayCluster, shared: object, device: str, conditions: Conditions
    ) -> None:
        self._ray, self._cluster, self._device, self._conditions = ray, cluster, device, conditions
        self._shared = ray.put(shared)
        self._actor_class = ray.remote(Worker)
        self._hired: list[_Hired] = []
        self._failed_starts: Counter[str] = Counter()
        self._looked_s = -math.inf

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        for hired in self._hired:
            with suppress(Exception):  # one that is lost already
                self._ray.kill(hired.actor)
        self._hired.clear()

    def run_over(
        self,
        videos: Sequence[Video],
        *,
        part_of: PartOf,
        take: Callable[[Video, object], None],
        look_ahead: bool = True,
        n_readings: int = 1,
        on_progress: OnProgress | None = None,
        on_failure: OnFailure,
        on_quarantine: Callable[[Video, InputError], None] = lambda *_: None,
    ) -> None:
        """Have each video done by one of the workers; as :func:`vadpipe.extract.run.run_over`, in any order.

        Args:
            videos: of the run.
            part_of: returns the work on some of them, to be sent to a worker.
            take: is given a video and what the task made of it.
            look_ahead: as there.
            n_readings: as there.
            on_progress: as there.
            on_failure: as there.
            on_quarantine: is given a video that ended its worker too often, before it is reported as failed.

        Raises:
            UsageError: if no node can take a worker.
            VadpipeError: what would end the run on one machine.
        """
        run = _Run(videos, part_of, take, look_ahead, n_readings, on_progress, on_failure, on_quarantine)
        while run.n_left:
            if time.monotonic() - self._looked_s > _LOOK_S:
                self._hire(run.n_left)
                self._looked_s = time.monotonic()
            for hired in self._hired:
                if not hired.starting and hired.stream is None and run.pending:
                    self._hand_out(hired, run)
            self._listen(run)

    def _hire(self, n_left: int) -> None:
        """Start workers where nodes have room, no more than there are videos."""
        nodes = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        seats = seats_of(nodes.values(), self._device, self._cluster.cpus)
        usable = [seat for seat in seats if self._failed_starts[seat.node] < N_TRIES]
        if not usable:
            why = "where a worker starts" if seats else f"with room for a worker on {self._device}"
            raise UsageError(
                f"the Ray cluster has no node {why}",
                next_step="Check ray status and that vadpipe is installed on all nodes; then run again.",
            )
        taken = {hired.seat for hired in self._hired}
        for seat in usable:
            if seat not in taken and len(self._hired) < n_left:
                self._hired.append(self._start(seat))

    def _start(self, seat: Seat) -> _Hired:
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(seat.node, soft=False)
        actor = self._actor_class.options(
            num_cpus=seat.cpus, num_gpus=seat.gpus, scheduling_strategy=strategy, max_restarts=0
        ).remote()
        entered = actor.enter.remote(replace(self._conditions, cores=(seat.number, seat.of)))
        return _Hired(actor, seat, [entered, actor.load.remote(self._shared)])

    def _hand_out(self, hired: _Hired, run: _Run) -> None:
        n_ready = sum(not hired.starting for hired in self._hired)
        hired.batch = run.next_batch(n_ready)
        hired.left = [*hired.batch]
        batch = run.batch_of(hired.batch)
        hired.stream = hired.actor.work.options(num_returns="streaming").remote(batch)

    def _listen(self, run: _Run) -> None:
        """Wait for news of any worker."""
        waits = {}
        for hired in self._hired:
            if hired.starting or hired.stream is not None:
                waits[hired.starting[-1] if hired.starting else hired.stream] = hired
        news, _ = self._ray.wait([*waits], num_returns=1, timeout=_LOOK_S)
        for item in news:
            self._hear(waits[item], run)

    def _hear(self, hired: _Hired, run: _Run) -> None:
        errors = self._ray.exceptions
        try:
            if hired.starting:
                self._ray.get(hired.starting)
                hired.starting.clear()
                self._failed_starts[hired.seat.node] = 0
                return
            item = self._ray.get(next(hired.stream))
        except StopIteration:
            hired.stream = None
        except errors.RayTaskError as error:
            raise (error.cause or error) from None
        except errors.RayError as error:
            self._lose(hired, run, error)
        else:
            run.hear(item, hired)

    def _lose(self, hired: _Hired, run: _Run, error: Exception) -> None:
        """Have the videos of a lost worker done by others."""
        self._hired.remove(hired)
        self._looked_s = -math.inf  # there may be room for another at once
        with suppress(Exception):
            self._ray.kill(hired.actor)
        alive = any(node["Alive"] and node["NodeID"] == hired.seat.node for node in self._ray.nodes())
        log.info("a worker on %s was lost: %s", hired.seat.name, error)
        if hired.starting:
            self._failed_starts[hired.seat.node] += 1
            if self._failed_starts[hired.seat.node] == N_TRIES:
                reason = " ".join(str(error).split())[:300]
                log.warning("no worker starts on the node %s: %s", hired.seat.name, reason)
            return
        what = "worker" if alive else "node"
        log.warning("lost a %s on %s; its videos are tried again", what, hired.seat.name)
        run.lose(hired, by_itself=alive)


class _Run:
    """What is left to do of a run over videos, and what is heard of it."""

    def __init__(
        self,
        videos: Sequence[Video],
        part_of: PartOf,
        take: Callable[[Video, object], None],
        look_ahead: bool,
        n_readings: int,
        on_progress: OnProgress | None,
        on_failure: OnFailure,
        on_quarantine: Callable[[Video, InputError], None],
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

    def next_batch(self, n_workers: int) -> list[int]:
        """Return the next videos for one of so many workers, fewer towards the end.

        A video whose worker was lost is tried alone, so that it is known which one it was.
        """
        if self._suspects:
            return [self._suspects.popleft()]
        size = min(_LARGEST_BATCH, math.ceil(len(self._others) / (3 * n_workers)))
        return [self._others.popleft() for _ in range(size)]

    def batch_of(self, numbers: Sequence[int]) -> Batch:
        """Return what a worker is sent of these videos."""
        videos = [self._videos[number] for number in numbers]
        return Batch(videos, self._part_of(videos), self._look_ahead, self._n_readings)

    def hear(self, item: Item, hired: _Hired) -> None:
        """Take what a worker sent."""
        match item:
            case Ended():
                number = hired.batch[item.place]
                hired.left.remove(number)
                self._end(number)
                journal().add_part(item.noted)
                self._take(self._videos[number], item.result)
                for failure in item.failures:
                    self._on_failure(failure)
            case Said():
                logging.getLogger(item.logger).log(item.level, "%s", item.text)
            case RunProgress():
                self._report(hired.batch[item.index], item)
            case Broken():
                raise item.error
            case dict():
                if item["kind"] == "started":
                    number = hired.batch[int(str(item["index"]))]
                    item = {**item, "index": number, "n_videos": len(self._videos)}
                journal().add_event(item)

    def lose(self, hired: _Hired, *, by_itself: bool) -> None:
        """Take back what a lost worker has not finished; of these it was at one, or at two."""
        at_work, untouched = hired.left[: 1 + self._look_ahead], hired.left[1 + self._look_ahead :]
        self._others.extendleft(reversed(untouched))
        for number in at_work:
            self._shares.pop(number, None)
            (self._lost_workers if by_itself else self._lost_nodes)[number] += 1
            if self._lost_workers[number] >= N_TRIES or self._lost_nodes[number] >= _N_LOST_NODES:
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
