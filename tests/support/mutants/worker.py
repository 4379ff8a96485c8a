"""Run tests on changed code, in a fork for each change: ``python -m support.mutants.worker PACKAGE...``, in a copy.

It has imported these packages before it forks. It reads requests, a line of JSON each, and
answers each by one: ``{"outcome": "killed", "seconds": 1.5, "said": "..."}``.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

_PR_SET_PDEATHSIG = 1
_MEMORY_BYTES = 16 << 30
"""Of address space: a change may well let a loop take all memory of the machine."""


_OUTCOMES: dict[int | None, str] = {
    pytest.ExitCode.OK: "survived",
    None: "timed out",
    -signal.SIGXCPU: "timed out",
}
"""Any other end is a failed test, or a module that cannot even be imported."""


def main() -> None:
    """Answer requests until there are no more."""
    for name in sys.argv[1:]:
        with suppress(ImportError):
            import_module(name)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)


def _answer(request: dict) -> dict[str, object]:
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as scratch:
        said = Path(scratch, "said")
        child = os.fork()
        if child == 0:
            _run_tests(request["tests"], said, Path(scratch, "tests"), request["cpu_s"])
        status, cpu_s = _wait(child, request["limit_s"])
        text = said.read_text(errors="replace")
    return {
        "outcome": _OUTCOMES.get(status, "killed"),
        "seconds": time.monotonic() - began_s,
        "cpu_s": cpu_s,
        "said": text[-3000:],
    }


def _run_tests(tests: list[str], said: Path, scratch: Path, cpu_s: float) -> None:
    code = 70
    try:
        os.setsid()  # so that all of it can be ended together
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        sys.dont_write_bytecode = True
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(cpu_s), resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.RLIM_INFINITY))
        for path, descriptors in ((os.devnull, [0]), (said, [1, 2])):
            opened = os.open(path, os.O_RDWR | os.O_CREAT)
            for descriptor in descriptors:
                os.dup2(opened, descriptor)
        options = [
            "-x",
            "-q",
            "--tb=short",
            "--assert=plain",
            "-p",
            "no:cacheprovider",
            "-m",
            "not slow",
            f"--basetemp={scratch}",
        ]
        code = int(pytest.main([*options, *tests]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _wait(child: int, limit_s: float) -> tuple[int | None, float]:
    """Return how a child ended, None if it had to be ended, and its seconds of CPU. Nothing that it started is left."""
    ended = os.pidfd_open(child)
    came, _, _ = select.select([ended], [], [], limit_s)
    os.close(ended)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # its number is not given again before it is reaped
    _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status) if came else None, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
