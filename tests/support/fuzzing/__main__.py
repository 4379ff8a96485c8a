"""Change files of every kind at random and read them: ``python -m support.fuzzing --mutations 10000``.

Each kind of file is read in a process of its own, so that one that is lost costs the others nothing. Ends with 1 where
anything came that may never come; such files are kept in a folder, for ``tests/corpus``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise
from pathlib import Path

from support.fuzzing.running import KINDS, run
from support.fuzzing.targets import TARGETS

_KEPT = "mutants"


def main() -> int:
    """Run all targets, or one of them in this process."""
    options = _options()
    if options.one:
        return _run_one(options)
    names = options.target or [*TARGETS]
    shares = _shares(options.mutations, names)
    began_s = time.monotonic()
    counts: Counter[str] = Counter()
    failures: list[str] = []
    print(f"{'target':18}{'mutations':>10}" + "".join(f"{kind:>10}" for kind in KINDS) + f"{'failures':>10}")
    with ThreadPoolExecutor(options.jobs) as pool:
        done = pool.map(lambda name: _in_process(name, shares[name], options.seed), names)
        for name, record in zip(names, done, strict=True):
            counts += Counter(record["counts"])
            failures += record["failures"]
            print(_line(name, shares[name], record["counts"], len(record["failures"])), flush=True)
    print(_line("all", sum(shares.values()), counts, len(failures)))
    print(f"{time.monotonic() - began_s:.0f} s, seed {options.seed}", *failures, sep="\n")
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--mutations", type=int, default=10_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=0, help="another one changes files in other ways")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument(
        "--target", action="append", choices=[*TARGETS], help="only this one; may be repeated"
    )
    parser.add_argument("--one", choices=[*TARGETS], help=argparse.SUPPRESS)
    return parser.parse_args()


def _shares(n: int, names: Sequence[str]) -> dict[str, int]:
    """Return how many mutations each target gets: those that take a process for each file a third of the others'."""
    ends = [0, *accumulate(1 if TARGETS[name].is_slow else 3 for name in names)]
    return {
        name: n * end // ends[-1] - n * start // ends[-1]
        for name, (start, end) in zip(names, pairwise(ends), strict=True)
    }


def _line(name: str, n: int, counts: dict[str, int], n_failures: int) -> str:
    return f"{name:18}{n:10,}" + "".join(f"{counts.get(kind, 0):10,}" for kind in KINDS) + f"{n_failures:10,}"


def _in_process(name: str, n: int, seed: int) -> dict[str, object]:
    """Run one target in a process of its own, and return what it reports, or that it was lost."""
    command = [sys.executable, "-m", "support.fuzzing", "--one", name, f"--mutations={n}", f"--seed={seed}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    return {
        "counts": {},
        "failures": [f"{name}: the process was lost ({done.returncode})\n{done.stderr[-3000:]}"],
    }


def _run_one(options: argparse.Namespace) -> int:
    logging.disable()
    first = options.seed * options.mutations
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        outcome = run(TARGETS[options.one], Path(scratch), range(first, first + options.mutations))
    for failure, content in zip(outcome.failures, outcome.mutants, strict=True):
        place = Path(_KEPT, re.sub(r"\W+", "_", failure.partition(")")[0]))
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)
    print(json.dumps({"counts": outcome.counts, "failures": outcome.failures}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
