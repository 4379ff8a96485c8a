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
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from vadpipe.errors import UsageError
from vadpipe.extract.cluster_nodes import RayCluster, Seat, connected, seats_of
from vadpipe.extract.cluster_run import Assignment, ClusterRun
from vadpipe.extract.cluster_worker import Conditions, Worker, current_versions
from vadpipe.extract.video.discovery import Video
from vadpipe.files.atomic import write_text
from vadpipe.files.locks import VideoLock
from vadpipe.remote.address import address_of

log = logging.getLogger(__name__)

_N_STARTS = 3
"""Starts of a worker that may fail on a node before it is left out."""

_PREFIX = ".ray-"

_LOOK_S = 5.0
"""After how many seconds without news the nodes are counted again."""


@dataclass
class _Hired:
    """A worker, and what it is doing.

    Attributes:
        actor: Ray's handle.
        seat: where it runs.
        starting: its answers when it is ready; empty when it is.
        stream: what it sends of its batch; None while it has none.
        given: the videos of that batch.
    """

    actor: Any
    seat: Seat
    starting: list[Any]
    stream: Any = None
    given: Assignment = field(default_factory=lambda: Assignment([]))


def check_local(output: str | os.PathLike[str] | None, videos: Iterable[Video]) -> None:
    """Raise UsageError where the results or a video have an address: the nodes of a cluster share folders."""
    remote = next((video.path for video in videos if video.is_remote), None)
    address = address_of(output)
    if remote is not None or address is not None:
        raise UsageError(
            "workers of a Ray cluster read and write folders alone, no addresses",
            file=remote if address is None else address.path,
            next_step="Mount it on every node, or divide the videos by --shard.",
        )


@contextmanager
def cluster_workers(
    cluster: RayCluster | str, make: Callable[[], object], *, device: str, output: Path | None
) -> Iterator[ClusterWorkers]:
    """Connect to a cluster, and end all workers in the end.

    Args:
        cluster: which.
        make: returns what every worker loads once.
        device: of the backbone, which decides between nodes with and without a GPU.
        output: folder that all nodes must share; None where there is none.

    Raises:
        UsageError: if Ray is not installed, or the cluster cannot be reached.
        OutputError: if the folder cannot be written.
    """
    known = RayCluster(cluster) if isinstance(cluster, str) else cluster
    with connected(known) as ray, token_in(output) as token:
        conditions = Conditions(
            folder=Path.cwd(),
            token=token,
            versions=current_versions(),
            log_level=logging.getLogger("vadpipe").getEffectiveLevel(),
        )
        workers = ClusterWorkers(ray, known, make, device, conditions)
        try:
            yield workers
        finally:
            workers.close()


@contextmanager
def token_in(folder: Path | None) -> Iterator[Path | None]:
    """Make a file that a node sees only if it shares the folder, and remove those of runs that were killed.

    It is locked while the run goes on, and the kernel gives the lock of a killed process back. Where the file
    system has no locks, the files of killed runs stay.

    Raises:
        OutputError: if the folder cannot be written.
    """
    if folder is None:
        yield None
        return
    token = folder / f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
    write_text(token, "")
    lock = VideoLock(token)
    lock.take(wait=False)
    try:
        for other in {*folder.glob(f"{_PREFIX}*")} - {token}:
            left = VideoLock(other)
            if left.take(wait=False):
                left.close()
        yield token
    finally:
        lock.close()
        with suppress(OSError):
            token.unlink()


class ClusterWorkers:
    """The workers of one run, hired as nodes have room for them."""

    def __init__(
        self,
        ray: ModuleType,
        cluster: RayCluster,
        make: Callable[[], object],
        device: str,
        conditions: Conditions,
    ) -> None:
        self._ray, self._cluster, self._device, self._conditions = ray, cluster, device, conditions
        self._make = ray.put(make)
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

    def do(self, run: ClusterRun) -> None:
        """Have each video of a run done by one of the workers.

        Raises:
            UsageError: if no node can take a worker.
            VadpipeError: what would end the run on one machine.
        """
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
        usable = [seat for seat in seats if self._failed_starts[seat.node] < _N_STARTS]
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
        return _Hired(actor, seat, [entered, actor.load.remote(self._make)])

    def _hand_out(self, hired: _Hired, run: ClusterRun) -> None:
        n_ready = sum(not hired.starting for hired in self._hired)
        hired.given = run.next_batch(n_ready)
        batch = run.batch_of(hired.given)
        hired.stream = hired.actor.work.options(num_returns="streaming").remote(batch)

    def _listen(self, run: ClusterRun) -> None:
        """Wait for news of any worker."""
        waits = {}
        for hired in self._hired:
            if hired.starting or hired.stream is not None:
                waits[hired.starting[-1] if hired.starting else hired.stream] = hired
        news, _ = self._ray.wait([*waits], num_returns=1, timeout=_LOOK_S)
        for item in news:
            self._hear(waits[item], run)

    def _hear(self, hired: _Hired, run: ClusterRun) -> None:
        errors = self._ray.exceptions
        try:
            if hired.starting:
                self._ray.get(hired.starting)
                hired.starting.clear()
                self._failed_starts[hired.seat.node] = 0
                return
            items = self._ray.get(next(hired.stream))
        except StopIteration:
            hired.stream = None
        except errors.RayTaskError as error:
            raise (error.cause or error) from None
        except errors.RayError as error:
            self._lose(hired, run, error)
        else:
            for item in items:
                run.hear(item, hired.given)

    def _lose(self, hired: _Hired, run: ClusterRun, error: Exception) -> None:
        """Have the videos of a lost worker done by others."""
        self._hired.remove(hired)
        self._looked_s = -math.inf  # there may be room for another at once
        with suppress(Exception):
            self._ray.kill(hired.actor)
        alive = any(node["Alive"] and node["NodeID"] == hired.seat.node for node in self._ray.nodes())
        log.info("a worker on %s was lost: %s", hired.seat.name, error)
        if hired.starting:
            self._failed_starts[hired.seat.node] += 1
            if self._failed_starts[hired.seat.node] == _N_STARTS:
                reason = " ".join(str(error).split())[:300]
                log.warning("no worker starts on the node %s: %s", hired.seat.name, reason)
            return
        what = "worker" if alive else "node"
        log.warning("lost a %s on %s; its videos are tried again", what, hired.seat.name)
        run.lose(hired.given, by_itself=alive)
