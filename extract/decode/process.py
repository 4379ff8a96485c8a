"""The other end of a decoding process: start it, read what it sends, and survive its death."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

import vadpipe
from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.decode.container import open_video
from vadpipe.extract.decode.frame import Frame
from vadpipe.extract.decode.job import Job
from vadpipe.extract.decode.timeline import Timeline
from vadpipe.extract.decode.wire import FRAME, HEADER, Kind, parse_header

PROGRAM = (sys.executable, "-P", "-m", "vadpipe.extract.decode.child")
_PIPE_BYTES = 1 << 20  # what an unprivileged process may ask for; holds a few frames ahead
_ERRORS = {"InputError": InputError, "DecodeError": DecodeError}


class Decoding:
    """One video that a child process decodes; it begins at once, and stops when its pipe is full.

    Use it as a context, which ends the child whatever has happened:

    >>> with Decoding(Path("clip.mp4"), Job(Size(224, square=True))) as decoding:  # doctest: +SKIP
    ...     for number, pixels in decoding.frames():
    ...         print(number, decoding.timeline.times_s[number])

    Args:
        path: the video.
        job: what is wanted of it.

    Raises:
        InputError: where the file is missing, is no video, or is larger than it may be.
    """

    def __init__(self, path: Path, job: Job) -> None:
        self.path, self._job = path, job
        with open_video(path) as (file, _):
            descriptor = file.fileno()
            try:
                job.limits.check(file_bytes=os.fstat(descriptor).st_size)
            except InputError as error:
                raise InputError(error.reason, file=path, next_step=error.next_step) from None
            self._process = subprocess.Popen(
                [*PROGRAM, replace(job, descriptor=descriptor).to_json()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[descriptor],
                start_new_session=True,
                env=_environment(),
            )
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        with suppress(OSError):  # a smaller pipe does as well
            fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN | select.POLLHUP)

    @cached_property
    def timeline(self) -> Timeline:
        """When each frame is shown; waits until the child has read it.

        Raises:
            InputError: where the file cannot be used.
            DecodeError: where it is broken, or the child crashed or hung.
        """
        record = json.loads(bytes(self._expect(Kind.TIMELINE)))
        times_s = np.frombuffer(self._expect(Kind.TIMES), dtype=np.float64)
        return Timeline(**record, times_s=times_s, stamps=np.empty(0, dtype=np.int64))

    def frames(self) -> Iterator[Frame]:
        """Yield the wanted frames that can be decoded, in order.

        Raises:
            DecodeError: where this decoder cannot go on, crashed or hung.
        """
        n_frames = len(self.timeline.times_s)
        while True:
            kind, content = self._next()
            if kind is Kind.DONE:
                return
            if kind is not Kind.FRAME:
                raise self._error(f"sent {kind.name} for a frame")
            number, height, width = FRAME.unpack_from(content)
            if number >= n_frames or len(content) != FRAME.size + height * width * 3:
                raise self._error("sent a frame that makes no sense")
            pixels = np.frombuffer(content, dtype=np.uint8, offset=FRAME.size)
            yield Frame(number, pixels.reshape(height, width, 3))

    def close(self) -> None:
        """End the child and all that it started; nothing is left of it."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _expect(self, wanted: Kind) -> memoryview:
        kind, content = self._next()
        if kind is not wanted:
            raise self._error(f"sent {kind.name} for {wanted.name}")
        return content

    def _next(self) -> tuple[Kind, memoryview]:
        """Return the next message that says something."""
        while True:
            # The clock runs only while this end waits: a child that waits for it to read has not stalled.
            deadline_s = time.monotonic() + self._job.limits.stall_s
            try:
                kind, size = parse_header(self._read(HEADER.size, deadline_s).tobytes())
            except ValueError as error:
                raise self._error(f"sent {error}") from error
            content = self._read(size, deadline_s)
            if kind is Kind.FAILED:
                raise self._told(content)
            if kind is not Kind.ALIVE:
                return kind, content

    def _read(self, size: int, deadline_s: float) -> memoryview:
        content: NDArray[np.uint8] = np.empty(size, dtype=np.uint8)  # not cleared first, unlike a bytearray
        left = memoryview(content.data)
        while left:
            try:
                n_read = os.readv(self._output, [left])
            except BlockingIOError:
                if not self._poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000):
                    raise self._stalled() from None
                continue
            if not n_read:
                raise self._died()
            left = left[n_read:]
        return memoryview(content.data)

    def _told(self, content: memoryview) -> InputError:
        record = json.loads(bytes(content))
        return _ERRORS[record["kind"]](record["reason"], file=self.path, next_step=record["next_step"])

    def _stalled(self) -> DecodeError:
        self.close()
        waited = f"{self._job.limits.stall_s:g} s"
        return self._error(f"gave no frame for {waited} and was ended")

    def _died(self) -> DecodeError:
        try:
            status = self._process.wait(timeout=self._job.limits.stall_s)
        except subprocess.TimeoutExpired:
            return self._stalled()
        if status < 0:
            return self._error(f"crashed ({signal.Signals(-status).name})")
        return self._error(f"ended early (status {status})")

    def _error(self, what: str) -> DecodeError:
        return DecodeError(
            f"the decoder {self._job.decoder} {what}",
            file=self.path,
            next_step="The file is probably damaged; 'ffmpeg -i FILE -c:v libx264 NEW.mp4' may save it.",
        )


def _environment() -> dict[str, str]:
    """Return the child's environment: one thread a worker, and the vadpipe that runs here."""
    root = str(Path(vadpipe.__file__).parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **one_thread, "PYTHONPATH": os.pathsep.join(paths)}
