"""The filter of system calls, run by an interpreter of its own against the numbers in the kernel's headers."""

import errno
import os
import platform
import re
import struct
from pathlib import Path

import pytest

from vadpipe.extract.video.sandbox import seccomp

HEADERS = {"x86_64": "x86_64-linux-gnu/asm/unistd_64.h", "aarch64": "asm-generic/unistd.h"}
AUDIT = {"x86_64": 62 | 0xC0000000, "aarch64": 183 | 0xC0000000}  # the number in ELF, 64 bits, little endian
REFUSED = [
    "socket",
    "socketpair",
    "connect",
    "accept",
    "accept4",
    "bind",
    "listen",
    "execve",
    "execveat",
    "fork",
    "vfork",
    "tkill",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "pidfd_send_signal",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "kcmp",
    "open_by_handle_at",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "bpf",
    "perf_event_open",
    "io_uring_setup",
    "userfaultfd",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
]
ALLOWED, KILLED = "allowed", "killed"
_CLONE_THREAD = 0x10000
_RESULTS = {0x7FFF0000: ALLOWED, 0x80000000: KILLED}


@pytest.fixture(params=HEADERS)
def machine(request):
    """Its name, and the numbers of its calls by their names."""
    path = Path("/usr/include", HEADERS[request.param])
    if not path.is_file():
        if os.environ.get("CI"):
            pytest.fail(f"no headers of the kernel at {path}")
        pytest.skip(f"no headers of the kernel at {path}: apt-get install linux-libc-dev")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\s", path.read_text())
    return request.param, {name: int(number) for name, number in found}


def result(code, audit, number, first=0):
    """Return what the filter makes of a call; of a refusal the number of the error.

    The instructions of classic BPF that it needs, after "BPF_PROG" in linux/filter.h.
    """
    data = struct.pack("=IIQQ", number, audit, 0, first)
    steps = [*struct.iter_unpack("=HBBI", code)]
    at = accumulator = 0
    while True:
        operation, if_so, if_not, operand = steps[at]
        at += 1
        if operation == 0x20:  # BPF_LD | BPF_W | BPF_ABS
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif operation == 0x06:  # BPF_RET
            return _RESULTS.get(operand) or (operand & 0xFFFF if operand >> 16 == 5 else f"{operand:#x}")
        else:  # BPF_JMP with BPF_JEQ, BPF_JGE, BPF_JSET
            holds = {
                0x15: accumulator == operand,
                0x35: accumulator >= operand,
                0x45: bool(accumulator & operand),
            }
            at += if_so if holds[operation] else if_not


def test_what_is_refused_is_what_the_headers_call_so_and_nothing_else(machine):
    name, numbers = machine
    code = seccomp._filter(seccomp._MACHINES[name])
    refused = {number for number in range(1000) if result(code, AUDIT[name], number) == errno.EPERM}
    special = {numbers[call] for call in ("clone", "kill", "tgkill")}  # these depend on their argument
    assert refused == {numbers[call] for call in REFUSED if call in numbers} | special
    lacking = {call for call in REFUSED if call not in numbers}
    assert lacking == ({"fork", "vfork"} if name == "aarch64" else set())
    others = {
        number: result(code, AUDIT[name], number)
        for number in range(1000)
        if number not in refused and result(code, AUDIT[name], number) != ALLOWED
    }
    assert others == {numbers["clone3"]: errno.ENOSYS}


def test_threads_start_and_processes_do_not(machine):
    name, numbers = machine
    code = seccomp._filter(seccomp._MACHINES[name])
    for flags, expected in (
        (_CLONE_THREAD, ALLOWED),
        (0x3D0F00, ALLOWED),
        (17, errno.EPERM),
        (0x4011, errno.EPERM),
    ):
        assert result(code, AUDIT[name], numbers["clone"], flags) == expected


def test_signals_reach_this_process_alone(machine):
    name, numbers = machine
    code = seccomp._filter(seccomp._MACHINES[name])
    for call in ("kill", "tgkill"):
        assert result(code, AUDIT[name], numbers[call], os.getpid()) == ALLOWED
        for other in (os.getppid(), 0, 1, (1 << 32) - 1):
            assert result(code, AUDIT[name], numbers[call], other) == errno.EPERM


def test_calls_of_another_architecture_kill_and_those_of_another_numbering_are_refused(machine):
    name, _ = machine
    code = seccomp._filter(seccomp._MACHINES[name])
    for other in ({*AUDIT.values()} | {0x40000003, 0}) - {AUDIT[name]}:
        assert result(code, other, 0) == KILLED
    for number in (0x40000000, 0x40000001, 0x7FFFFFFF, 0xFFFFFFFF):
        assert result(code, AUDIT[name], number) == errno.EPERM
    assert result(code, AUDIT[name], 0x3FFFFFFF) == ALLOWED


def test_the_call_that_installs_it_has_its_number_too(machine):
    name, numbers = machine
    assert seccomp._MACHINES[name].seccomp == numbers["seccomp"]


def test_a_kernel_that_refuses_is_told(monkeypatch):
    """A call that does not exist stands for it: nothing is put into force in this process."""
    here = seccomp._MACHINES[platform.machine()]._replace(seccomp=9999)
    monkeypatch.setattr(seccomp, "_MACHINES", {platform.machine(): here})
    with pytest.raises(OSError, match="seccomp: Function not implemented") as caught:
        seccomp.refuse_calls()
    assert caught.value.errno == errno.ENOSYS


def test_an_unknown_machine_has_none(monkeypatch):
    monkeypatch.setattr(seccomp, "_MACHINES", {})
    assert seccomp.can_refuse_calls() is False
    assert seccomp.refuse_calls() is False
