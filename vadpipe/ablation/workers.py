"""Parallel runs in worker processes; one that dies loses only its current run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue
from threading import Lock
from typing import Self

from vadpipe._version import PACKAGE_FOLDER
from vadpipe.ablation.runs import AblationJob
from vadpipe.ablation.worker import Task
from vadpipe.errors import OutputError, VadpipeError

PROGRAM = (sys.executable, "-P", "-m", "vadpipe.ablation.worker")
_PATIENCE_S = 10.0  # how long a process may take to end


class Worker:
    """A process that does one run after the other."""

    def __init__(self, task: Task) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [*PROGRAM, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # an interrupt from the keyboard is for the parent alone
                env=_environment(),
            )
        self._task: Task | None = task

    def do(self, job: AblationJob) -> VadpipeError | None:
        """Do a run; return why it could not be done, or None. Raises EOFError if the process died."""
        try:
            if self._task is not None:
                self._connection.send(self._task)
                self._task = None
            self._connection.send(job)
            answer: VadpipeError | None = self._connection.recv()
        except OSError as error:
            raise EOFError from error
        return answer

    def end(self) -> int:
        """End the process, whatever it does; return its exit code, as of :mod:`subprocess`."""
        self._process.terminate()
        try:
            return self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class Workers:
    """A few workers, each started when there is first something for it to do.

    Args:
        task: what all runs have in common.
        count: how many.
    """

    def __init__(self, task: Task, count: int) -> None:
        self._task, self._lock, self._closed = task, Lock(), False
        self._started: set[Worker] = set()
        self._idle: SimpleQueue[Worker | None] = SimpleQueue()
        for _ in range(count):
            self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            for worker in self._started:
                worker.end()

    def do(self, job: AblationJob) -> VadpipeError | None:
        """Have a run done by the next worker that is free; return why it could not be done, or None."""
        worker = self._idle.get()
        try:
            worker = worker or self._start()
            return worker.do(job)
        except (EOFError, OSError) as error:
            if worker is None:
                return VadpipeError(f"its process could not be started: {error}")
            ended, worker = worker, None
            with self._lock:
                self._started.discard(ended)
            return _died(ended.end())
        finally:
            self._idle.put(worker)

    def _start(self) -> Worker:
        with self._lock:
            if self._closed:
                raise OSError("the ablation was ended")
            worker = Worker(self._task)
            self._started.add(worker)
            return worker


def do_all(
    jobs: Sequence[AblationJob],
    task: Task,
    count: int,
    on_done: Callable[[AblationJob, VadpipeError | None], None],
) -> None:
    """Do runs in ``count`` processes, started in order, and report each when it is done.

    Args:
        jobs: what to do; each leaves its file.
        task: what they have in common.
        count: how many at once.
        on_done: called in this thread with each job, and why it could not be done, or None.

    Raises:
        OutputError: if a file could not be written; the others are given up.
    """
    if not jobs:
        return
    count = min(count, len(jobs))
    with ThreadPoolExecutor(count) as threads, Workers(task, count) as workers:
        futures = {threads.submit(workers.do, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                error = future.result()
                if isinstance(error, OutputError):
                    raise error
                on_done(futures[future], error)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _died(code: int) -> VadpipeError:
    if code >= 0:
        return VadpipeError(f"its process ended with exit code {code}")
    name = signal.Signals(-code).name
    step = "If memory is short, use fewer --workers." if -code == signal.SIGKILL else None
    return VadpipeError(f"its process was ended by {name}", next_step=step)


def _environment() -> dict[str, str]:
    """Return the child's environment: one thread per process, and the vadpipe that runs here."""
    root = str(PACKAGE_FOLDER.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {**os.environ, **one_thread, "PYTHONPATH": os.pathsep.join(paths)}
