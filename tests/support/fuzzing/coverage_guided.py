"""Feed a parser what atheris makes of earlier inputs, by what of our code they execute.

``python -m support.fuzzing.coverage_guided PARSER [FOLDER] [-max_total_time=60 ...]``, with ``pip install 'vadpipe[fuzz]'``.
PARSER is a key of :data:`support.fuzzing.parsers.PARSERS`. FOLDER keeps inputs that reach something new; further options are
libFuzzer's. What is not an error of ours ends it, and the input is written to the current folder.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["vadpipe"]):
    from support.fuzzing.parsers import PARSERS, feed, seed


def main() -> None:
    """Run until something fails, or as long as the options say."""
    if len(sys.argv) < 2 or sys.argv[1] not in PARSERS:
        sys.exit(f"name one of: {', '.join(PARSERS)}")
    name = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as folder:
        seeds = Path(folder, "seeds")
        seeds.mkdir()
        (seeds / name).write_bytes(seed(name, Path(folder, "whole")))
        atheris.Setup([*sys.argv, str(seeds)], partial(feed, PARSERS[name], Path(folder, "input")))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
