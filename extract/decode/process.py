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
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import vadpipe
from vadpipe.errors import DecodeError, InputError, printable
from vadpipe.extract.decode.container import open_video
from vadpipe.extract.decode.frame import Frame
from vadpipe.extract.decode.job import Job
from vadpipe.extract.decode.timeline import Timeline
from vadpipe.extract.decode.wire import FRAME, HEADER, Kind, parse_header

PROGRAM = (sys.executable, "-P", "-m", "vadpipe.extract.decode.child")
_PIPE_BYTES = 1 << 20  # what an unprivileged process may ask for; holds a few frames ahead
_ERRORS = {"InputError": InputError, "DecodeError": DecodeError}
_TEXT_BYTES = 1 << 16  # no record is longer
_PATIENCE = 240  # stall limits that may pass with nothing but signs of life: two hours
_LONGEST_S = 3600.0  # what poll can count is limited
_DEATH_S = 5.0  # how long a process that has closed its pipe may take to end


class Decoding:
    """One video that a child process decodes; it begins at once, and stops when its pipe is full.

    The kernel ends the child with the thread that began it, so read it from there or keep that thread.

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
            try:
                job.limits.check(file_bytes=os.fstat(file.fileno()).st_size)
            except InputError as error:
                raise InputError(error.reason, file=path, next_step=error.next_step) from None
            # Where this process has no standard streams, the file may have one of their numbers.
            descriptor = fcntl.fcntl(file.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
            try:
                self._process = subprocess.Popen(
                    [*PROGRAM, replace(job, descriptor=descriptor).to_json()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[descriptor],
                    start_new_session=True,
                    env=_environment(),
                )
            finally:
                os.close(descriptor)
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        with suppress(OSError):  # a smaller pipe does as well
            fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN | select.POLLHUP)
        self._began_s = time.monotonic()
        self._n_signs = 0
        self._decoded: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)
        self._waited_s = 0.0  # for the next message that says something

    @cached_property
    def timeline(self) -> Timeline:
        """When each frame is shown; waits until the child has read it.

        Raises:
            InputError: where the file cannot be used.
            DecodeError: where it is broken, or the child crashed or hung.
        """
        record = self._parse(self._expect(Kind.TIMELINE))
        times = self._expect(Kind.TIMES)
        try:
            return Timeline.from_record(record, np.frombuffer(times, dtype=np.float64))
        except ValueError as error:
            raise self._error(f"sent a timeline that makes no sense: {error}") from error

    def frames(self) -> Iterator[Frame]:
        """Yield the wanted frames that can be decoded, in order; stills are numbered like their times.

        Raises:
            DecodeError: where this decoder cannot go on, crashed or hung.
        """
        stills_s = self._job.stills_s
        timeline = self.timeline
        n_frames = len(timeline.times_s if stills_s is None else stills_s)
        try:
            width, height = self._job.size.of(timeline)
        except InputError as error:
            raise InputError(error.reason, file=self.path, next_step=error.next_step) from None
        last = -1
        while True:
            kind, content = self._next()
            if kind is Kind.DONE:
                self._note_decoded(content)
                return
            if kind is not Kind.FRAME:
                raise self._error(f"sent {kind.name} for a frame")
            if len(content) != FRAME.size + height * width * 3:
                raise self._error("sent a frame that makes no sense")
            number, *sides = FRAME.unpack_from(content)
            if not last < number < n_frames or sides != [height, width]:
                raise self._error("sent a frame that makes no sense")
            last = number
            pixels = np.frombuffer(content, dtype=np.uint8, offset=FRAME.size)
            yield Frame(number, pixels.reshape(height, width, 3))

    def decoded(self) -> NDArray[np.bool_]:
        """Return which of the video's N frames could be decoded, wanted or not, once all frames have come."""
        return self._decoded

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

    def _note_decoded(self, content: memoryview) -> None:
        n_frames = 0 if self._job.stills_s is not None else len(self.timeline.times_s)
        if len(content) != -(-n_frames // 8):
            raise self._error("sent an end that makes no sense")
        bits = np.frombuffer(content, dtype=np.uint8)
        self._decoded = np.unpackbits(bits, count=n_frames).astype(np.bool_)

    def _expect(self, wanted: Kind) -> memoryview:
        kind, content = self._next()
        if kind is not wanted:
            raise self._error(f"sent {kind.name} for {wanted.name}")
        return content

    def _next(self) -> tuple[Kind, memoryview]:
        """Return the next message that says something."""
        limits = self._job.limits
        self._waited_s = 0.0
        while True:
            # The clock runs only while this end waits: a child that waits for it to read has not stalled.
            deadline_s = time.monotonic() + limits.stall_s
            try:
                kind, size = parse_header(self._read(HEADER.size, deadline_s).tobytes())
            except ValueError as error:
                raise self._error(f"sent {error}") from error
            content = self._read(size, deadline_s)
            if kind is Kind.FAILED:
                raise self._told(self._parse(content))
            if kind is not Kind.ALIVE:
                return kind, content
            self._n_signs += 1
            if size or self._n_signs > time.monotonic() - self._began_s + 10:  # it sends one a second at most
                raise self._error("sent more signs of life than there are")
            if self._waited_s > limits.stall_s * _PATIENCE:
                raise self._stalled(limits.stall_s * _PATIENCE)

    def _read(self, size: int, deadline_s: float) -> memoryview:
        content: NDArray[np.uint8] = np.empty(size, dtype=np.uint8)  # not cleared first, unlike a bytearray
        left = memoryview(content.data)
        while left:
            try:
                n_read = os.readv(self._output, [left])
            except BlockingIOError:
                began_s = time.monotonic()
                came = self._poll.poll(min(max(0.0, deadline_s - began_s), _LONGEST_S) * 1000)
                self._waited_s += time.monotonic() - began_s
                if not came and time.monotonic() >= deadline_s:
                    raise self._stalled(self._job.limits.stall_s) from None
                continue
            if not n_read:
                raise self._died()
            left = left[n_read:]
        return memoryview(content.data)

    def _parse(self, content: memoryview) -> dict[str, Any]:
        try:
            record = json.loads(bytes(content[: _TEXT_BYTES + 1]))
        except (ValueError, RecursionError) as error:
            raise self._error("sent text that makes no sense") from error
        if not isinstance(record, dict):
            raise self._error("sent text that makes no sense")
        return record

    def _told(self, record: dict[str, Any]) -> InputError:
        kind = _ERRORS.get(str(record.get("kind")), DecodeError)
        reason, next_step = printable(str(record.get("reason"))), record.get("next_step")
        step = None if next_step is None else printable(str(next_step))
        return kind(reason, file=self.path, next_step=step)

    def _stalled(self, after_s: float) -> DecodeError:
        self.close()
        return self._error(f"gave no frame for {after_s:g} s and was ended")

    def _died(self) -> DecodeError:
        deadline_s = time.monotonic() + _DEATH_S
        # Not reaped before what it started is ended too, since its number could be another's then.
        while os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > deadline_s:
                self.close()
                return self._error("sent no more and was ended")
            time.sleep(0.01)
        self.close()
        status = self._process.returncode
        if status < 0:
            return self._error(f"crashed ({_signal_name(-status)})")
        return self._error(f"ended early (status {status})")

    def _error(self, what: str) -> DecodeError:
        return DecodeError(
            f"the decoder {self._job.decoder} {what}",
            file=self.path,
            next_step="The file is probably damaged; 'ffmpeg -i FILE -c:v libx264 NEW.mp4' may save it.",
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _environment() -> dict[str, str]:
    """Return the child's environment: one thread a worker, and the vadpipe that runs here."""
    root = str(Path(vadpipe.__file__).parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **one_thread, "PYTHONPATH": os.pathsep.join(paths)}
