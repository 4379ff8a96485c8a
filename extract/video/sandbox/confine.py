"""Confine the running process to what a decoder needs."""

from __future__ import annotations

import os
import resource
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from vadpipe._version import PACKAGE_FOLDER
from vadpipe.extract.video.sandbox.landlock import (
    READ_FOLDER,
    Grant,
    landlock_version,
    opened,
    restrict_files,
)
from vadpipe.extract.video.sandbox.seccomp import can_refuse_calls, no_new_privileges, refuse_calls

_DESCRIPTORS = 64


def confine_this_process(
    memory_bytes: int | None, written_bytes: int = 0, *, files: Iterable[Grant] | None = None
) -> None:
    """Irrevocably drop the privileges and resources that a decoder does not need.

    It may not grow files, dump core, gain privileges, open a socket, or start or signal another process, and
    has few descriptors and bounded memory. Where ``files`` are given, it can open no others but Python's own
    and those of installed packages, which some packages load at their first use. A kernel without Landlock or
    seccomp leaves that layer out, see :func:`sandbox_layers`.

    Args:
        memory_bytes: of address space; None if a GPU library reserves more than there is.
        written_bytes: how large a file it may write; by default none.
        files: those that it may still open; None for all that its user may.

    Raises:
        OSError: if a layer that the kernel has could not be put into force.
    """
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(written_bytes, sys.maxsize),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
    if memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (min(memory_bytes, sys.maxsize),) * 2)
    no_new_privileges()
    if files is not None:
        restrict_files(chain(files, _python_files()))
    refuse_calls()


def _python_files() -> Iterator[Grant]:
    """Grant the standard library, installed packages, and vadpipe where it is used from a checkout."""
    installed = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    # Of the other folders that modules come from, those in which pip has installed packages (--target).
    installed += [folder for folder in sys.path if any(Path(folder or ".").glob("*.dist-info"))]
    own = [PACKAGE_FOLDER, PACKAGE_FOLDER / "extract", PACKAGE_FOLDER / "weights"]  # these can be links
    for folder in {*installed, *site.getsitepackages(), site.getusersitepackages(), *map(str, own)}:
        if os.path.isdir(folder):  # noqa: PTH112  a name that is too long is not a folder
            with opened(folder, READ_FOLDER) as grant:
                yield grant


def sandbox_layers() -> dict[str, str]:
    """Return what confines a decoder on this machine: the layer, and what it does or why it is missing."""
    version = landlock_version()
    return {
        "limits": "on: memory, descriptors, size of files, no core dumps, no new privileges",
        "seccomp": "on: no sockets, no other processes"
        if can_refuse_calls()
        else "off: not in this kernel, or the processor is neither x86_64 nor aarch64",
        "landlock": f"on (version {version}): no file but the video and installed packages"
        + ("" if version >= 4 else "; too old to deny TCP as well")
        if version
        else "off: not in this kernel, or not among its active security modules",
    }
