"""Landlock: the kernel denies a process every file but those that it names beforehand.

See "Landlock: unprivileged access control" in the Linux kernel's userspace API guide. What versions 4 (TCP)
and 6 (signals and abstract sockets beyond the sandbox) can deny is denied where the kernel has them.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_ASK_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_TRUNCATE = 1 << 14
# Each version of Landlock can deny some more kinds of access to files.
_N_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_FILE_RIGHTS = 16
_ALL_TCP = 0b11  # to bind and to connect
_ALL_SCOPES = 0b11  # abstract sockets and signals

READ = _READ_FILE
READ_FOLDER = _READ_FILE | _READ_DIR
WRITE = _READ_FILE | _WRITE_FILE | _TRUNCATE  # muxers read again what they have written


StrPath = str | os.PathLike[str]


class Grant(NamedTuple):
    """A file or folder that stays accessible.

    Attributes:
        descriptor: of the file or folder, opened in any way.
        rights: :data:`READ`, :data:`READ_FOLDER` or :data:`WRITE`; of a folder also for all that is in it.
    """

    descriptor: int
    rights: int


@contextmanager
def opened(path: StrPath, rights: int, *, folder: int | None = None) -> Iterator[Grant]:
    """Give the grant of a file or folder, whose descriptor is closed again at the end.

    Args:
        path: of it.
        rights: as in :class:`Grant`.
        folder: descriptor of the folder that a relative path counts from.
    """
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield Grant(descriptor, rights)
    finally:
        os.close(descriptor)


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def landlock_version() -> int:
    """Return the version of Landlock that the running kernel has; 0 if it has none or has it switched off."""
    return max(0, _call(_CREATE_RULESET, None, 0, _ASK_VERSION))


def restrict_files(grants: Iterable[Grant]) -> bool:
    """Deny this thread, and all that it starts, every file that is opened from now on except those granted.

    A grant's descriptor is used once, before the next grant is asked for.

    TCP connections, and signals to processes outside, are denied as well where the kernel can do so. What is
    open already stays open. It cannot be undone, and needs :func:`no_new_privileges` first.

    Returns:
        Whether it is in force; False where the kernel has no Landlock.

    Raises:
        OSError: if a grant is invalid, or the kernel refuses.
    """
    version = landlock_version()
    if not version:
        return False
    rights = (1 << _N_FILE_RIGHTS.get(version, _ALL_FILE_RIGHTS)) - 1
    ruleset = _Ruleset(rights, _ALL_TCP if version >= 4 else 0, _ALL_SCOPES if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24  # older kernels know no more
    descriptor = _checked(_call(_CREATE_RULESET, ctypes.byref(ruleset), size, 0))
    try:
        for grant in grants:
            rule = _PathBeneath(grant.rights & rights, grant.descriptor)
            _checked(_call(_ADD_RULE, descriptor, _PATH_BENEATH, ctypes.byref(rule), 0))
        _checked(_call(_RESTRICT_SELF, descriptor, 0))
    finally:
        os.close(descriptor)
    return True


def _call(number: int, *arguments: object) -> int:
    words: Sequence[object] = [
        ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments
    ]
    return int(_LIBC.syscall(ctypes.c_long(number), *words))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result


_LIBC = ctypes.CDLL(None, use_errno=True)
