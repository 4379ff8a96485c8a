"""The parent's end of an export process: it yields progress and raises the process's errors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
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
    """One video from which a child process makes others.

    Args:
        path: the video.
        job: what is wanted of it; its outputs exist already and are empty.
        target: the file or folder that an error of writing names.

    Raises:
        InputError: if the file is missing, not a video, or larger than the limit.
    """

    errors: ClassVar[Mapping[str, type[VadpipeError]]] = {
        "InputError": InputError,
        "DecodeError": DecodeError,
        "OutputError": OutputError,
    }

    def __init__(self, path: Path, job: ExportJob, target: Path) -> None:
        self._target = target
        self._outputs = [Path(clip.output) for clip in job.clips] or [Path(job.output)]
        clips_s = [clip.end_s - clip.start_s for clip in job.clips]
        self._total_s = sum(clips_s) if clips_s else job.end_s
        with job.in_memory() as order:
            super().__init__(
                path,
                lambda descriptor: [*PROGRAM, str(descriptor), str(order)],
                job.limits,
                "the process that writes the annotated video" if job.output else "the process that cuts it",
                [order],
            )

    def finish(self, on_progress: OnProgress | None = None) -> None:
        """Wait until all is written.

        Raises:
            InputError: if the video cannot be used, or is not the one that the curve belongs to.
            DecodeError: if it is broken, or the child crashed or hung.
            OutputError: if the outputs cannot be written.
        """
        last, total = -1, round(self._total_s * 1000)
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
                on_progress(done / 1000, self._total_s)
        if on_progress is not None:
            on_progress(self._total_s, self._total_s)

    def _largest_bytes(self) -> int:
        return max(output.stat().st_size for output in self._outputs)

    def _told(self, record: dict[str, Any]) -> VadpipeError:
        error = super()._told(record)
        if isinstance(error, OutputError):
            error = OutputError(error.reason, file=self._target, next_step=error.next_step)
        return error
