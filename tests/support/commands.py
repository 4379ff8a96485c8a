"""Run the command line, or another program, in a process of its own that has imported everything already."""

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from support.waiting import wait_until

COMMAND_LINE = "from vadpipe.cli import main\nmain()"


def run(*arguments, cwd, stdin=None, **environment):
    """Run ``vadpipe`` with these arguments to its end."""
    return start(COMMAND_LINE, *arguments, cwd=cwd, stdin=stdin, **environment).wait()


def run_anew(*arguments, cwd):
    """The same as a user does it, from an interpreter that has imported nothing yet, which takes seconds."""
    command = [sys.executable, "-m", "vadpipe", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def start(program, *arguments, cwd, stdin=None, **environment):
    """Start a program, given as text, and return what waits for it."""
    return Started(program, [*map(str, arguments)], cwd, stdin or "", {**os.environ, **environment})


class Started:
    def __init__(self, program, arguments, cwd, stdin, environment):
        self._folder = tempfile.TemporaryDirectory(prefix="started-")
        self.arguments = arguments
        self._streams = [self._path(name) for name in ("stdin", "stdout", "stderr")]
        for path, text in zip(self._streams, (stdin, "", ""), strict=True):
            path.write_text(text)
        request = {
            "program": program,
            "argv": ["vadpipe", *arguments],
            "cwd": str(cwd),
            "environment": environment,
            "streams": [*map(str, self._streams)],
            "status": str(self._path("status")),
        }
        os.write(_preloaded_process(), json.dumps(request).encode() + b"\n")

    def _path(self, name):
        return Path(self._folder.name) / name

    def wait(self):
        """Return what came of it, once it has ended."""
        wait_until(self._path("status").exists, "the program has ended")
        status = int(self._path("status").read_text())
        _, said, complained = (path.read_bytes().decode() for path in self._streams)
        self._folder.cleanup()
        return subprocess.CompletedProcess(self.arguments, status, said, complained)


@cache
def _preloaded_process():
    """Start the process that forks, once for all tests, and return where it takes requests."""
    theirs, ours = os.pipe()
    program = Path(__file__).with_name("preloaded_process.py")
    subprocess.run([sys.executable, "-P", program, str(theirs)], pass_fds=[theirs], check=True)
    os.close(theirs)
    return ours


def assert_clean_error(done, code, *parts):
    """At most three lines of an error, the exit code, no traceback; warnings and notes have a line each."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len([line for line in lines if not line.startswith(("WARNING: ", "note: "))]) <= 3, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr
