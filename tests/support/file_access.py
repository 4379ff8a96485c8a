"""See whether anything opens a file, or calls a server, by asking the kernel and not the code under test."""

import ctypes
import os
import socket
import threading
from contextlib import contextmanager

_IN_ACCESS, _IN_OPEN = 0x1, 0x20
_LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def watched_file(path):
    """Give what tells whether any process has opened or read a file since."""
    descriptor = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0, os.strerror(ctypes.get_errno())
    assert _LIBC.inotify_add_watch(descriptor, os.fsencode(path), _IN_ACCESS | _IN_OPEN) >= 0

    def touched() -> bool:
        try:
            return bool(os.read(descriptor, 4096))
        except BlockingIOError:
            return False

    try:
        yield touched
    finally:
        os.close(descriptor)


@contextmanager
def listening():
    """Give the port of a server on the loopback, and the list of what was asked of it."""
    asked: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(1)
                asked.append(connection.recv(1000))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1], asked
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)
