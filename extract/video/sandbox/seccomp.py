"""Seccomp: the kernel refuses a process the system calls that a decoder has no use for.

See "Seccomp BPF" in the Linux kernel's userspace API guide. The calls refused open sockets, start programs
and processes, reach into other processes, or widen what the process may do. Threads can still be started.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import NamedTuple

_SET_MODE_FILTER = 1
_ON_ALL_THREADS = 1
_PR_GET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 21, 38

# Classic BPF: load a word of the call's data, compare, return.
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where in the data; of an argument the low word
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000  # calls of the x32 ABI have numbers of their own, from here on


class _Machine(NamedTuple):
    """What system calls are called on one architecture.

    Attributes:
        audit: by which the kernel knows the architecture.
        seccomp, clone, clone3: numbers of these calls.
        signals: numbers of the calls that send a signal to the process that is their first argument.
        refused: numbers of the calls that are refused whatever their arguments.
    """

    audit: int
    seccomp: int
    clone: int
    clone3: int
    signals: tuple[int, ...]
    refused: tuple[int, ...]


# The signals are kill and tgkill. Refused are, in this order: socket, socketpair, connect, accept, accept4,
# bind, listen; execve, execveat, fork, vfork; tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal;
# ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, kcmp; open_by_handle_at, mount, umount2,
# pivot_root, chroot, unshare, setns; bpf, perf_event_open, io_uring_setup, userfaultfd, keyctl, add_key,
# request_key; init_module, finit_module, delete_module, kexec_load, kexec_file_load, reboot, swapon.
_MACHINES = {
    "x86_64": _Machine(
        0xC000003E, 317, 56, 435, (62, 234),
        (41, 53, 42, 43, 288, 49, 50, 59, 322, 57, 58, 200, 129, 297, 424, 101, 310, 311, 438, 312, 304,
         165, 166, 155, 161, 272, 308, 321, 298, 425, 323, 250, 248, 249, 175, 313, 176, 246, 320, 169, 167),
    ),
    "aarch64": _Machine(
        0xC00000B7, 277, 220, 435, (129, 131),
        (198, 199, 203, 202, 242, 200, 201, 221, 281, 130, 138, 240, 424, 117, 270, 271, 438, 272, 265,
         40, 39, 41, 51, 97, 268, 280, 241, 425, 282, 219, 217, 218, 105, 273, 106, 104, 294, 142, 224),
    ),
}  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def no_new_privileges() -> None:
    """Give up, for good, that a program started by this process could have more rights than it has."""
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def can_refuse_calls() -> bool:
    """Return whether the running kernel has seccomp, and vadpipe knows this architecture's calls."""
    return platform.machine() in _MACHINES and _LIBC.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0


def refuse_calls() -> bool:
    """Refuse, for good and in all threads, the system calls listed in this module, with EPERM.

    Needs :func:`no_new_privileges` first.

    Returns:
        Whether it is in force; False where the kernel or vadpipe cannot do so on this machine.

    Raises:
        OSError: if the kernel refuses.
    """
    if not can_refuse_calls():
        return False
    machine = _MACHINES[platform.machine()]
    code = _filter(machine)
    program = _Program(len(code) // 8, code)
    words = (ctypes.c_long(word) for word in (machine.seccomp, _SET_MODE_FILTER, _ON_ALL_THREADS))
    if _LIBC.syscall(*words, ctypes.byref(program)) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
    return True


def _filter(machine: _Machine) -> bytes:
    """Return the filter. A jump gives how many instructions to skip if it holds, and if it does not."""
    refuse = _step(_RETURN, _REFUSE | errno.EPERM)
    code = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_JUMP_EQUAL, machine.audit, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_JUMP_AT_LEAST, _X32, 0, 1),
        refuse,
        # Where clone3 does not exist, the C library starts threads by clone, whose flags can be read here.
        _step(_JUMP_EQUAL, machine.clone3, 0, 1),
        _step(_RETURN, _REFUSE | errno.ENOSYS),
    ]
    for number in machine.refused:
        code += [_step(_JUMP_EQUAL, number, 0, 1), refuse]
    code += [
        _step(_JUMP_EQUAL, machine.clone, 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_JUMP_ANY, _CLONE_THREAD, 1, 0),
        refuse,
        _step(_RETURN, _ALLOW),
    ]
    for number in machine.signals:  # abort() sends one to its own process, by tgkill
        code += [
            _step(_JUMP_EQUAL, number, 0, 4),
            _step(_LOAD, _FIRST_ARGUMENT),
            _step(_JUMP_EQUAL, os.getpid(), 1, 0),
            refuse,
            _step(_RETURN, _ALLOW),
        ]
    return b"".join([*code, _step(_RETURN, _ALLOW)])


def _step(operation: int, operand: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, if_so, if_not, operand)


_LIBC = ctypes.CDLL(None, use_errno=True)
