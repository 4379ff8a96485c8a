"""Several outputs that are videos, made of one video by one process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from vadpipe.errors import VadpipeError
from vadpipe.output.video_export.job import ExportJob
from vadpipe.output.video_export.process import ExportProcess, OnProgress


class Exports:
    """Videos that are made of one video, one job after the other in one process.

    The process begins when the first one is waited for, and goes on with the next by itself. Where a job
    fails, the ones after it are done by a further process if they are still waited for. Use it as a context,
    which ends the process; what was not finished leaves nothing.

    Args:
        video: the file.
        jobs: each is a context that gives the job and, at its end, puts what was made into its place, or
            drops it where there was an error.
    """

    def __init__(self, video: Path, jobs: Sequence[AbstractContextManager[ExportJob]]) -> None:
        self._video = video
        self._asked = deque(jobs)
        self._begun = deque[tuple[ExitStack, ExportJob | VadpipeError]]()
        self._process: ExportProcess | None = None

    def finish(self, on_progress: OnProgress | None = None) -> None:
        """Wait until the next job is done and its outputs are in their places.

        Raises:
            UsageError: where an output would replace the video, or a job makes no sense.
            InputError: where the video cannot be used, or is not the one that the curve belongs to.
            DecodeError: where it is broken, or the process crashed or hung.
            OutputError: where the outputs cannot be written.
        """
        while self._asked:  # all at the first call, since the process goes on by itself
            scope = ExitStack()
            try:
                self._begun.append((scope, scope.enter_context(self._asked.popleft())))
            except VadpipeError as error:
                self._begun.append((scope, error))
        scope, job = self._begun.popleft()
        with scope:
            if isinstance(job, VadpipeError):
                raise job
            if not job.empty:
                self._do(job, on_progress)

    def _do(self, job: ExportJob, on_progress: OnProgress | None) -> None:
        further = [later for _, later in self._begun if isinstance(later, ExportJob) and not later.empty]
        try:
            if self._process is None:
                self._process = ExportProcess(self._video, [job, *further])
            self._process.finish(on_progress)
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        for scope, _ in self._begun:
            scope.__exit__(GeneratorExit, GeneratorExit(), None)  # as if it were given up
