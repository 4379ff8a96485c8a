"""The sandboxed process that reads HDF5 files: ``python -m vadpipe.published.hdf5_child PIPE MEMORY``.

The HDF5 library crashes on some damaged files, and unpacks whatever a chunk holds. Here that costs one file.
What is asked comes as JSON, with the state of the file as it is now, and a descriptor of that file, which the
parent opened: this process can open none, so nothing that a file refers to is read even if the checks fail.
The answer is JSON: what the file holds, or the shape and type of an array, whose bytes follow in pieces. An
empty piece says that an error follows instead. PIPE is the number of a descriptor, MEMORY the address space
in bytes that it may have.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import TYPE_CHECKING, Any

from vadpipe.errors import FeatureError
from vadpipe.extract.video.child import die_with_parent
from vadpipe.extract.video.sandbox.confine import confine_this_process
from vadpipe.published.array_checks import AGAIN

if TYPE_CHECKING:
    from vadpipe.published.hdf5_file import Hdf5File


class _Server:
    """Answers what is asked, with one file open at a time; where h5py is missing, by saying so."""

    def __init__(self, parent: Connection, missing: ImportError | None) -> None:
        self._parent, self._missing = parent, missing
        self._file: Hdf5File | None = None
        self._opened: tuple[str, object] | None = None

    def answer(self, asked: dict[str, Any], descriptor: int) -> None:
        """Answer one question about the file of a descriptor; an error of whatever kind is an answer."""
        told: dict[str, Any] | None = None
        try:
            told, pieces = self._look_up(asked, descriptor)
            self._tell(told)
            for piece in pieces:
                self._parent.send_bytes(piece)
        except BrokenPipeError:  # the parent is gone
            os._exit(1)
        except Exception as error:  # h5py raises many kinds for a damaged file
            if told is not None:
                self._parent.send_bytes(b"")
            self._tell(_failure(error))

    def _look_up(self, asked: dict[str, Any], descriptor: int) -> tuple[dict[str, Any], Iterable[memoryview]]:
        file = self._open((asked["path"], asked["state"]), descriptor)
        if asked["address"] is None:
            contents = file.contents()
            return {"arrays": contents.arrays, "left_out": contents.left_out}, ()
        shape, dtype, pieces = file.read(tuple(asked["address"]), asked["label"])
        return {"shape": shape, "dtype": dtype.str}, pieces

    def _open(self, asked: tuple[str, object], descriptor: int) -> Hdf5File:
        if self._file is not None and self._opened == asked:
            os.close(descriptor)
            return self._file
        if self._file is not None:
            self._file.close()
            self._file = None
        content = os.fdopen(descriptor, "rb")
        try:
            if self._missing is not None:
                raise self._missing
            from vadpipe.published.hdf5_file import Hdf5File

            self._file, self._opened = Hdf5File(content), asked
        except BaseException:
            content.close()
            raise
        return self._file

    def _tell(self, content: dict[str, Any]) -> None:
        self._parent.send_bytes(json.dumps(content).encode())


def main() -> None:
    """Answer questions until nobody asks any more."""
    die_with_parent()
    parent = Connection(int(sys.argv[1]))
    missing: ImportError | None = None
    try:  # before the process is confined: its libraries are opened here
        import vadpipe.published.hdf5_file  # noqa: F401
    except ImportError as error:
        missing = error
    confine_this_process(int(sys.argv[2]), files=())
    server = _Server(parent, missing)
    while True:
        try:
            asked, descriptor = json.loads(parent.recv_bytes()), recv_handle(parent)
        except EOFError:
            os._exit(0)  # a library may crash while it is taken down
        server.answer(asked, descriptor)


def _failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, FeatureError):
        return {"reason": error.reason, "next_step": error.next_step}
    if isinstance(error, ImportError):
        reason = f"is an HDF5 file, and h5py cannot be imported: {error}"
        return {"reason": reason, "next_step": "Run: pip install 'vadpipe[hdf5]'"}
    if isinstance(error, MemoryError):
        reason = f"needs more than the {int(sys.argv[2]) / 2**30:.1f} GiB of memory allowed"
        return {"reason": reason, "next_step": "Save it in smaller chunks, or without compression."}
    from vadpipe.published.hdf5_file import damage

    return {"reason": damage(error), "next_step": AGAIN}


if __name__ == "__main__":
    main()
