"""A process of a Ray cluster that goes through videos, and what it sends back; imports no Ray."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

from vadpipe._version import __version__
from vadpipe.errors import UsageError
from vadpipe.extract.run import Reporter, RunProgress, run_over
from vadpipe.extract.video.discovery import Failure, Video
from vadpipe.runs.command_line import CommandLine, Event, called_by
from vadpipe.runs.journal import Journal, JournalPart, opened
from vadpipe.runs.versions import library_versions

_REPORT_EVERY_S = 1.0


class VideoTask(Protocol):
    """The two steps of a run for each video, as :func:`vadpipe.extract.run.run_over` takes them."""

    def begin(self, video: Video) -> Any | None:  # noqa: ANN401  what one step hands to the other
        """Begin the background work of a video."""

    def finish(self, begun: Any, report: Reporter | None) -> None:  # noqa: ANN401
        """End it."""

    def take(self) -> object:
        """Return what was made since the last time, to be sent to the process that asked for it."""


@dataclass(frozen=True)
class Batch:
    """Videos for one worker.

    Attributes:
        videos: in this order.
        part: makes the task of what the worker loaded.
        look_ahead, n_readings: as :func:`vadpipe.extract.run.run_over` takes them.
    """

    videos: Sequence[Video]
    part: Callable[[Any], VideoTask]
    look_ahead: bool
    n_readings: int


@dataclass(frozen=True)
class Ended:
    """Nothing is left to do for a video.

    Attributes:
        place: of the video in its batch.
        noted: what the record of the run says of it.
        result: what the task made.
        failures: why it could not be used.
    """

    place: int
    noted: JournalPart
    result: object
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class Said:
    """A message of the log."""

    logger: str
    level: int
    text: str


@dataclass(frozen=True)
class Broken:
    """What ends the run: weights that are missing, a full disk."""

    error: BaseException


Item = Ended | Said | Broken | RunProgress | Event
Send = Callable[[Item | None], None]


@dataclass(frozen=True)
class Conditions:
    """What a worker has to find on its node.

    Attributes:
        folder: the one that the run was started in, where relative paths begin.
        token: a file in the output folder; None where there is no such folder.
        versions: of vadpipe and the libraries that results may depend on.
        cores: which of how many parts of the node's cores are the worker's own.
        log_level: from which messages are sent.
    """

    folder: Path
    token: Path | None
    versions: dict[str, str]
    cores: tuple[int, int] = (0, 1)
    log_level: int = logging.WARNING


def current_versions() -> dict[str, str]:
    """Return the versions that all nodes must have in common; what follows a plus sign names a build."""
    found = {"vadpipe": __version__} | library_versions()
    return {name: version.partition("+")[0] for name, version in found.items()}


class Worker:
    """Goes through batches of videos with what it has loaded once."""

    _shared: object = None

    def enter(self, conditions: Conditions) -> None:
        """Check the node and go to the folder of the run.

        Raises:
            UsageError: if the folder or the output is not there, or a version differs.
        """
        node = os.uname().nodename
        # Waiting threads that spin take the processor from those that work; torch reads this at import.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        try:
            os.chdir(conditions.folder)
        except OSError as error:
            raise UsageError(
                f"the node {node} cannot enter the folder that the run was started in: {error.strerror}",
                file=conditions.folder,
                next_step="Start the run in a folder that all nodes share, such as that of the videos.",
            ) from error
        if conditions.token is not None and not conditions.token.exists():
            raise UsageError(
                f"the node {node} does not see the output folder of this machine",
                file=conditions.token.parent,
                next_step="Choose a folder on a file system that all nodes share with -o.",
            )
        there = current_versions()
        for name in sorted(there.keys() | conditions.versions.keys()):
            if there.get(name) != conditions.versions.get(name):
                ours, theirs = conditions.versions.get(name, "none"), there.get(name, "none")
                raise UsageError(
                    f"the node {node} has {name} {theirs}, and this machine {ours}",
                    next_step="Install the same versions on all nodes; results may depend on them.",
                )
        number, of = conditions.cores
        if of > 1:  # the backbone takes all cores that its process may use
            cores = sorted(os.sched_getaffinity(0))
            own = cores[number * len(cores) // of : (number + 1) * len(cores) // of]
            os.sched_setaffinity(0, own or cores)
        logging.getLogger("vadpipe").setLevel(conditions.log_level)

    def load(self, make: Callable[[], object]) -> None:
        """Make what all batches need: settings, or a head.

        Made here, so that an error is told as what it is. Of one in what an argument pickles to, Ray tells
        the traceback.
        """
        self._shared = make()

    def work(self, batch: Batch) -> Iterator[list[Item]]:
        """Go through the videos of a batch, and yield what has happened since the last time, as it does.

        The kernel ends a decoding process with the thread that began it, so one thread goes through them all.
        """
        items: SimpleQueue[Item | None] = SimpleQueue()
        thread = Thread(target=self._walk, args=(batch, items.put), name="vadpipe-videos")
        thread.start()
        news: list[Item | None] = []
        while None not in news:  # which is sent at the end
            news = [items.get()]
            while not items.empty():
                news.append(items.get())
            yield [item for item in news if item is not None]
        thread.join()

    def _walk(self, batch: Batch, send: Send) -> None:
        try:
            with _log_to(send), called_by(CommandLine({}, on_event=send)), opened(Journal("part")) as own:
                self._go_through(batch, own, send)
        except BaseException as error:
            send(Broken(error))
        finally:
            send(None)

    def _go_through(self, batch: Batch, own: Journal, send: Send) -> None:
        task = batch.part(self._shared)
        places = {video: place for place, video in enumerate(batch.videos)}
        failures: list[Failure] = []

        def end(video: Video) -> None:
            send(Ended(places[video], own.take_part(), task.take(), tuple(failures)))
            failures.clear()

        run_over(
            batch.videos,
            task.begin,
            task.finish,
            look_ahead=batch.look_ahead,
            n_readings=batch.n_readings,
            on_progress=_Occasionally(send),
            on_failure=failures.append,
            on_end=end,
        )


class _Occasionally:
    """Sends a report if the last one is old enough or was about something else."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sent_s, self._about = 0.0, (-1, "")

    def __call__(self, report: RunProgress) -> None:
        now_s, about = time.monotonic(), (report.index, report.doing)
        if about != self._about or now_s - self._sent_s >= _REPORT_EVERY_S:
            self._sent_s, self._about = now_s, about
            self._send(report)


class _Forwarding(logging.Handler):
    def __init__(self, send: Send) -> None:
        super().__init__()
        self._forward = send

    def emit(self, record: logging.LogRecord) -> None:
        self._forward(Said(record.name, record.levelno, record.getMessage()))


@contextmanager
def _log_to(send: Send) -> Iterator[None]:
    handler, logger = _Forwarding(send), logging.getLogger("vadpipe")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
