"""What a reader does besides reading: the files that it writes, the sockets it opens, the programs it starts, its time."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHANGING = {  # audit event -> how many paths its arguments begin with
    "os.mkdir": 1, "os.remove": 1, "os.rmdir": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2, "os.chmod": 1,
    "os.chown": 1, "os.truncate": 1, "os.utime": 1,
}  # fmt: skip
_CALLING = {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
_STARTING = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_MEMORY_BYTES = 6 * 2**30


class Hung(BaseException):
    """A reader did not return; no error, so that nothing takes it for one of a file."""


class _Watch:
    """What was done outside the folder that the watched code may write to; everything is ignored without one."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.thread = 0
        self.done: list[str] = []

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.folder is None or threading.get_ident() != self.thread:
            return
        if event == "open":
            path, mode, flags = arguments
            if set(str(mode or "")) & {*"wax+"} or (isinstance(flags, int) and flags & _WRITING):
                self._check(event, path)
        elif event in _CHANGING:
            for path in arguments[: _CHANGING[event]]:
                self._check(event, path)
        elif (
            event in _CALLING
            or event in _STARTING
            or (event == "subprocess.Popen" and "-m vadpipe." not in " ".join(map(str, arguments[1])))
        ):
            self.done.append(f"{event} {arguments!r:.200}")

    def _check(self, event: str, path: object) -> None:
        if isinstance(path, int) or self.folder is None:
            return  # a descriptor, of what was opened before
        name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
        compiled = f"{os.sep}__pycache__" in name  # modules that are imported late
        if name != os.devnull and not compiled and not name.startswith(f"{self.folder}{os.sep}"):
            self.done.append(f"{event} {name}")


_watch = _Watch()
_installed = False


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Give the list of what this thread does that it may not: write outside a folder, call a server, start a program.

    Python tells of it (:func:`sys.addaudithook`). Code in C that does so by itself goes unseen, as do processes
    that are started, which have a sandbox of their own.
    """
    global _installed
    if not _installed:
        sys.addaudithook(_watch)
        _installed = True
    _watch.folder, _watch.thread, _watch.done = folder, threading.get_ident(), []
    try:
        yield _watch.done
    finally:
        _watch.folder = None


@contextmanager
def limited(limit_s: float) -> Iterator[None]:
    """Raise Hung after so many seconds, and let no more memory be taken than a mistake is worth; main thread only."""

    def ring(*_: object) -> None:
        raise Hung(f"did not return within {limit_s:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    resource.setrlimit(resource.RLIMIT_AS, (_mapped_bytes() + _MEMORY_BYTES, hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)


def _mapped_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
