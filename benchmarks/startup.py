"""What ``vadpipe score`` takes of a short video, from start to end of the command: mostly imports.

    python benchmarks/startup.py CLIP [--with OPTIONS]... [--checkout FOLDER]... [--rounds 7]

Each round runs every checkout of vadpipe (this one by default) with every set of options (none by default),
once with caches that are empty and once with those that the run before left, so that what else the machine
does falls on all of them alike. Printed are medians (lowest to highest) of wall time and of processor time,
that of the decoding processes included. Checkouts that give other scores end the benchmark.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

Took = tuple[float, float]
"""Seconds of wall time and of processor time."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--with", dest="options", action="append", help="of vadpipe score, as one argument")
    parser.add_argument("--checkout", type=Path, action="append", help="repeatable")
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    checkouts = asked.checkout or [Path(__file__).parents[1]]
    took: dict[tuple[Path, str, str], list[Took]] = defaultdict(list)
    scores: dict[str, bytes] = {}
    for number in range(asked.rounds + 1):  # in the first, Python compiles what it imports
        for options in asked.options or [""]:
            for checkout in checkouts:
                with tempfile.TemporaryDirectory() as name:
                    for caches in ("empty", "kept"):
                        seconds = score(asked.clip, shlex.split(options), checkout.resolve(), Path(name))
                        if number:
                            took[checkout, options, caches].append(seconds)
                    (written,) = Path(name).glob("out/*.scores.csv")
                    if scores.setdefault(options, written.read_bytes()) != written.read_bytes():
                        raise SystemExit(f"{checkout}: gives other scores")
    for (checkout, options, caches), rounds in took.items():
        walls_s, processors_s = zip(*rounds, strict=True)
        what = " ".join([str(checkout), "score", options, f"(caches {caches})"])
        print(f"{what}: wall {told(walls_s)}, processor {told(processors_s)}")


def score(clip: Path, options: list[str], checkout: Path, folder: Path) -> Took:
    """Run the command, with caches and results in a folder, and return what it took."""
    home = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    environment = {"OMP_WAIT_POLICY": "PASSIVE"} | os.environ | home | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, "-m", "vadpipe", "score", str(clip.resolve()), "-o", str(folder / "out"), "-q"]
    start_s = time.perf_counter()
    process = subprocess.Popen([*command, *options], env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{shlex.join(command)}: exit code {process.returncode}")
    return wall_s, usage.ru_utime + usage.ru_stime


def told(seconds: tuple[float, ...]) -> str:
    """Return the median and the range."""
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


if __name__ == "__main__":
    main()
