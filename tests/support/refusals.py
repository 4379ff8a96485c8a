"""What it costs to refuse a file: the error of a reader, and the memory of the process that called it."""

import json
import subprocess
import sys
import textwrap

_PROGRAM = """
import json, os, resource, sys
{imports}
from vadpipe.errors import VadpipeError

for path in sys.argv[1:]:
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            {call}
            told = None
        except VadpipeError as error:
            told = str(error)
        except BaseException as error:
            told = f"not an error of ours: {{error!r}}"[:500]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of this process: it begins at what it inherits
        os.write(writing, json.dumps([told, peak / 1000]).encode())
        os._exit(0)
    os.close(writing)
    answer = os.fdopen(reading).read() or '["died", 0]'
    os.wait()
    print(answer, flush=True)
"""


def refusals(imports, call, paths):
    """Return for each file what was said of it, None if nothing, and the peak of memory in MB, libraries included.

    Args:
        imports: statements, executed once.
        call: what reads the file ``path``, an expression.
        paths: of the files; each is read in a process of its own.
    """
    program = textwrap.dedent(_PROGRAM).format(imports=imports, call=call)
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, paths)], stdout=subprocess.PIPE, check=True, timeout=300
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]
