"""A sandboxed child process for one video: start it, read its messages, and survive its crash."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vadpipe._version import PACKAGE_FOLDER
from vadpipe.errors import DecodeError, InputError, VadpipeError, printable
from vadpipe.extract.video.container import open_video
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.wire_format import HEADER, Kind, parse_header
from vadpipe.runs.masking import names_a_secret

_PIPE_BYTES = 1 << 20  # what an unprivileged process may ask for; holds a few frames ahead
_TEXT_BYTES = 1 << 16  # no record is longer
PATIENCE = 240  # stall limits that may pass with nothing but signs of life: two hours
_LONGEST_S = 3600.0  # what poll can count is limited
DEATH_S = 5.0  # how long a process that has closed its pipe may take to end


class SandboxedProcess:
    """A child process that works on one video; the subclass defines what it does.

    The kernel ends the child with the thread that began it, so read it from there or keep that thread. Use
    it as a context, which ends the child whatever has happened.

    Args:
        path: the video.
        command: gives the command line for the number of the inherited descriptor of the open video.
        limits: what the video may ask for.
        name: of the process, for messages: ``"the decoder pyav"``.
        inherited: further descriptors that the child keeps, under their numbers.

    Raises:
        InputError: if the file is missing, not a video, or larger than the limit.
    """

    errors: ClassVar[Mapping[str, type[VadpipeError]]] = {
        "InputError": InputError,
        "DecodeError": DecodeError,
    }
    """Errors that the child may report; any other is a DecodeError."""

    def __init__(
        self,
        path: Path,
        command: Callable[[int], Sequence[str]],
        limits: Limits,
        name: str,
        inherited: Sequence[int] = (),
    ) -> None:
        self.path, self.limits, self._name = path, limits, name
        with open_video(path) as (opened, _):
            try:
                limits.check(file_bytes=os.fstat(opened).st_size)
            except InputError as error:
                raise InputError(error.reason, file=path, next_step=error.next_step) from None
            # Where this process has no standard streams, the file may have one of their numbers.
            descriptor = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, 3)
            try:
                self._process = subprocess.Popen(
                    command(descriptor),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[descriptor, *inherited],
                    start_new_session=True,
                    env=child_environment(),
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
        self._waited_s = 0.0  # for the next message that says something

    @property
    def pid(self) -> int:
        """The number of the child, and of the session that it leads; also when it has ended."""
        return self._process.pid

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

    def _next(self, more_s: float = 0.0) -> tuple[Kind, memoryview]:
        """Return the next message that is not a sign of life; ``more_s`` extends the stall limit."""
        stall_s = self.limits.stall_s + more_s
        self._waited_s = 0.0
        while True:
            # The clock runs only while this end waits: a child that waits for it to read has not stalled.
            deadline_s = time.monotonic() + stall_s
            try:
                kind, size = parse_header(self._read(HEADER.size, deadline_s, stall_s).tobytes())
            except ValueError as error:
                raise self._error(f"sent {error}") from error
            content = self._read(size, deadline_s, stall_s)
            if kind is Kind.FAILED:
                raise self._told(self._parse(content))
            if kind is not Kind.ALIVE:
                return kind, content
            self._n_signs += 1
            if size or self._n_signs > time.monotonic() - self._began_s + 10:  # it sends one a second at most
                raise self._error("sent too many signs of life")
            if self._waited_s > stall_s * PATIENCE:
                raise self._stalled(stall_s * PATIENCE)

    def _read(self, size: int, deadline_s: float, stall_s: float) -> memoryview:
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
                    raise self._stalled(stall_s) from None
                continue
            if not n_read:
                raise self._died()
            left = left[n_read:]
        return memoryview(content.data)

    def _parse(self, content: memoryview) -> dict[str, Any]:
        try:
            record = json.loads(bytes(content[: _TEXT_BYTES + 1]))
        except (ValueError, RecursionError) as error:
            raise self._error("sent invalid text") from error
        if not isinstance(record, dict):
            raise self._error("sent invalid text")
        return record

    def _told(self, record: dict[str, Any]) -> VadpipeError:
        kind = self.errors.get(str(record.get("kind")), DecodeError)
        reason, next_step = printable(str(record.get("reason"))), record.get("next_step")
        step = None if next_step is None else printable(str(next_step))
        return kind(reason, file=self.path, next_step=step)

    def _stalled(self, after_s: float) -> DecodeError:
        self.close()
        return self._error(f"delivered no frame for {after_s:g} s and was ended")

    def _died(self) -> DecodeError:
        deadline_s = time.monotonic() + DEATH_S
        # Not reaped before what it started is ended too, since its number could be another's then.
        while os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > deadline_s:
                self.close()
                return self._error("stopped responding and was ended")
            time.sleep(0.01)
        self.close()
        status = self._process.returncode
        if status < 0:
            return self._error(f"crashed ({_signal_name(-status)})")
        return self._error(f"ended early (status {status})")

    def _error(self, what: str) -> DecodeError:
        return DecodeError(
            f"{self._name} {what}",
            file=self.path,
            next_step="The file is probably damaged; 'ffmpeg -i FILE -c:v libx264 NEW.mp4' may repair it.",
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def child_environment() -> dict[str, str]:
    """Return the environment of a child process: one thread, the vadpipe that runs here, and no secrets."""
    root = str(PACKAGE_FOLDER.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    plain = {name: value for name, value in os.environ.items() if not names_a_secret(name)}
    return {**plain, **one_thread, "PYTHONPATH": os.pathsep.join(paths)}
