"""A process that has imported all that is slow to import, and forks to run a program: ``preloaded_process.py REQUESTS``.

It reads requests, a line of JSON each, from a descriptor, and ends where that does. A program has the standard
streams, the folder and the environment of its request; its exit status is written to a file when it has ended.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path

import matplotlib.backends.backend_agg  # noqa: F401
import sklearn.linear_model  # noqa: F401
import torch._dynamo  # noqa: F401  the optimizers import it at their first step

import vadpipe
import vadpipe.cli
from vadpipe.extract.engines.openvino_engine import import_openvino

os.fsync = lambda descriptor: None  # as in the tests' own process
import_openvino()
for name in vadpipe.__all__:  # each is loaded when it is first used
    getattr(vadpipe, name)


def serve(requests) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the processes in between
    with os.fdopen(requests) as lines:
        for line in lines:
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                lines.close()
                watch(json.loads(line))


def watch(request) -> None:
    program = os.fork()
    if program == 0:
        run(request)
    _, status = os.waitpid(program, 0)
    unfinished = Path(request["status"] + ".part")
    unfinished.write_text(str(os.waitstatus_to_exitcode(status)))
    unfinished.rename(request["status"])
    os._exit(0)


def run(request) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, path in enumerate(request["streams"]):
        descriptor = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = request["argv"]
    code = 1
    try:
        exec(compile(request["program"], "<program>", "exec"), {"__name__": "__main__"})
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    if os.fork() == 0:  # nobody's child: some tests look which children they have
        os.setsid()
        serve(int(sys.argv[1]))
    os._exit(0)
