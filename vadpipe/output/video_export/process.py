"""The parent's end of an export process: it yields progress and raises the process's errors."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from vadpipe.errors import DecodeError, InputError, OutputError, VadpipeError
from vadpipe.extract.video.sandboxed_process import SandboxedProcess
from vadpipe.extract.video.wire_format import PROGRESS, Kind
from vadpipe.output.video_export.job import ExportJob

PROGRAM = (sys.executable, "-P", "-m", "vadpipe.output.video_export.child")
OnProgress = Callable[[float, float], None]
"""Called with (seconds of video done, seconds in total), a few times per second."""

_SLOW_DISK = 5_000_000  # bytes per second that even a slow disk moves when a finished file is put in order


class ExportProcess(SandboxedProcess):
    """One video from which a child process makes others, one job after the other.

    Args:
        path: the video.
        jobs: what is wanted of it, at least one; their outputs exist already and are empty.

    Raises:
        InputError: if the file is missing, not a video, or larger than the limit.
    """

    errors: ClassVar[Mapping[str, type[VadpipeError]]] = {
        "InputError": InputError,
        "DecodeError": DecodeError,
        "OutputError": OutputError,
    }

    def __init__(self, path: Path, jobs: Sequence[ExportJob]) -> None:
        self._jobs, self._job = deque(jobs), jobs[0]
        with ExitStack() as memory:
            orders = [memory.enter_context(job.in_memory()) for job in jobs]
            super().__init__(
                path,
                lambda descriptor: [*PROGRAM, *map(str, [descriptor, *orders])],
                self._job.limits,
                _name(self._job),
                orders,
            )

    def finish(self, on_progress: OnProgress | None = None) -> None:
        """Wait until the outputs of the next job are written. After an error no further job is done.

        Raises:
            InputError: if the video cannot be used, or is not the one that the curve belongs to.
            DecodeError: if it is broken, or the child crashed or hung.
            OutputError: if the outputs cannot be written.
        """
        job = self._job = self._jobs.popleft()
        self._name = _name(job)
        total_s = sum(clip.end_s - clip.start_s for clip in job.clips) if job.clips else job.end_s
        last, total = -1, round(total_s * 1000)
        while True:
            # When all frames are written the file is put in order, which cannot tell how far it is.
            kind, content = self._next(more_s=self._largest_bytes() / _SLOW_DISK)
            if kind is Kind.DONE:
                break
            if kind is not Kind.PROGRESS or len(content) != PROGRESS.size:
                raise self._error(f"sent {kind.name} for progress")
            (done,) = PROGRESS.unpack(content)
            if not last < done <= total:
                raise self._error("sent invalid progress")
            last = done
            if on_progress is not None:
                on_progress(done / 1000, total_s)
        if on_progress is not None:
            on_progress(total_s, total_s)

    def _largest_bytes(self) -> int:
        outputs = [clip.output for clip in self._job.clips] or [self._job.output]
        return max(Path(output).stat().st_size for output in outputs)

    def _told(self, record: dict[str, Any]) -> VadpipeError:
        error = super()._told(record)
        if isinstance(error, OutputError):
            error = OutputError(error.reason, file=self._job.target, next_step=error.next_step)
        return error


def _name(job: ExportJob) -> str:
    return "the process that writes the annotated video" if job.output else "the process that cuts it"
