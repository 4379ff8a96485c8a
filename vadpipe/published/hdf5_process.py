"""Reading of HDF5 files in a sandboxed process; its messages are checked here."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing import BufferTooShort
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError, printable
from vadpipe.extract.video.sandboxed_process import child_environment
from vadpipe.published.array_checks import AGAIN, check_bytes, needed_bytes
from vadpipe.published.members import Address

HDF5 = b"\x89HDF\r\n\x1a\n"
"""How an HDF5 file begins."""

PROGRAM = (sys.executable, "-P", "-m", "vadpipe.published.hdf5_child")
MEMORY_BYTES = 4 * 2**30
"""Address space of the process. Arrays are read in pieces, so that larger ones fit as well."""

STALL_S = 120.0
"""How long the process may take for one answer, or one piece of an array."""

_MAX_ANSWER_BYTES = 2**28
_MAX_TEXT = 500
_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Listing:
    """The contents of an HDF5 file.

    Attributes:
        arrays: where its arrays lie.
        left_out: what was met and is not read, with the reason and what to do about it.
    """

    arrays: list[Address]
    left_out: list[tuple[Address, str, str]]


class Hdf5Process:
    """A process that reads HDF5 files, begun when it is first needed and again after one that it died of.

    The kernel ends it with the thread that began it, so use it from there.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._connection.close()
            self._process.kill()
            self._process.wait()
            self._process = None

    def listing(self, path: Path, state: object) -> Listing:
        """Return what a file holds.

        Args:
            path: absolute.
            state: changes when the file does; it is then reopened. Can be written as JSON.

        Raises:
            FeatureError: if it cannot be read, is damaged, or made the process crash or hang; if h5py
                is not installed.
        """
        answer = self._ask(path, state, None, str(path))
        try:
            arrays = [_address(address) for address in answer["arrays"]]
            left_out = [
                (_address(address), _said(reason), _said(step))
                for address, reason, step in answer["left_out"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise self._lost("sent an invalid answer", str(path)) from error
        return Listing(arrays, left_out)

    def read(self, path: Path, state: object, address: Address, label: str) -> NDArray[np.generic]:
        """Return an array of a file, of its own type.

        Args:
            path: as of :meth:`listing`.
            state: as of :meth:`listing`.
            address: one of the listing.
            label: the file and the address, for messages.

        Raises:
            FeatureError: as :meth:`listing`; if it is not a numeric array that is complete in the file,
                or larger than the limit.
        """
        answer = self._ask(path, state, address, label)
        try:
            dtype, shape = np.dtype(str(answer["dtype"])), tuple(map(int, answer["shape"]))
            if dtype.kind not in "fiu":
                raise ValueError(f"it holds {dtype}")
        except (KeyError, TypeError, ValueError) as error:
            raise self._lost("sent an invalid answer", label) from error
        needed = needed_bytes(shape, dtype.itemsize, label)
        check_bytes(needed, label)
        array: NDArray[np.generic] = np.empty(shape, dtype)
        left = memoryview(array.reshape(-1).view(np.uint8).data) if needed else memoryview(b"")
        while left:
            left = left[self._piece(left, label) :]
        return array

    def _piece(self, room: memoryview, label: str) -> int:
        """Receive the next piece of an array; return its length."""
        self._wait(label)
        try:
            length = self._connection.recv_bytes_into(room)
        except (EOFError, OSError) as error:
            raise self._lost(self._how_it_died(), label) from error
        except BufferTooShort as error:
            raise self._lost("sent an invalid answer", label) from error
        if not length:
            self._answer(label)  # raises what came instead
            raise self._lost("sent an invalid answer", label)
        return length

    def _ask(self, path: Path, state: object, address: Address | None, label: str) -> dict[str, Any]:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise FeatureError(f"cannot be read: {error.strerror or error}", file=label) from error
        question = {"path": os.fspath(path), "state": state, "address": address, "label": label}
        try:
            self._send(question, descriptor)
        finally:
            os.close(descriptor)
        return self._answer(label)

    def _send(self, question: dict[str, Any], descriptor: int) -> None:
        """Send a question, and a descriptor of the file that it is about: the process can open none."""
        try:
            process = self._process or self._start()
        except OSError as error:
            reason = f"cannot be read: no process could be started for it: {error.strerror or error}"
            raise FeatureError(reason, file=question["label"]) from error
        try:
            self._connection.send_bytes(json.dumps(question).encode())
            send_handle(self._connection, descriptor, process.pid)
        except OSError as error:
            raise self._lost(self._how_it_died(), question["label"]) from error

    def _answer(self, label: str) -> dict[str, Any]:
        self._wait(label)
        try:
            answer = json.loads(self._connection.recv_bytes(_MAX_ANSWER_BYTES))
        except (EOFError, OSError) as error:
            raise self._lost(self._how_it_died(), label) from error
        except (ValueError, RecursionError) as error:
            raise self._lost("sent an invalid answer", label) from error
        if not isinstance(answer, dict):
            raise self._lost("sent an invalid answer", label)
        if "reason" in answer:
            step = answer.get("next_step")
            raise FeatureError(
                _said(answer["reason"]), file=label, next_step=None if step is None else _said(step)
            )
        return answer

    def _wait(self, label: str) -> None:
        try:
            if self._connection.poll(STALL_S):
                return
        except OSError as error:
            raise self._lost(self._how_it_died(), label) from error
        raise self._lost(f"did not answer for {STALL_S:g} s and was ended", label)

    def _start(self) -> subprocess.Popen[bytes]:
        self._connection, theirs = multiprocessing.Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [*PROGRAM, str(theirs.fileno()), str(MEMORY_BYTES)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # an interrupt from the keyboard is for the parent alone
                env=child_environment(),
            )
        return self._process

    def _how_it_died(self) -> str:
        assert self._process is not None
        try:
            status = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return "stopped responding and was ended"
        if status >= 0:
            return f"ended early (status {status})"
        return f"crashed ({signal.Signals(-status).name})"

    def _lost(self, what: str, label: str) -> FeatureError:
        self.close()
        return FeatureError(f"is damaged: the process that reads HDF5 {what}", file=label, next_step=AGAIN)


def _address(parts: object) -> Address:
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("no address")
    return tuple(parts)


def _said(text: object) -> str:
    """Return the process's message as one printable line."""
    return printable(" ".join(str(text)[:_MAX_TEXT].split()))
