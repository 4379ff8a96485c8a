"""What scoring a clip takes of a machine: resident memory and seconds from a cold start, on 1 and 2 cores.

    python benchmarks/small_machine.py [--python ENV/bin/python] -- -m vadpipe score CLIP --head model -o out
    python benchmarks/small_machine.py [--python ENV/bin/python] -- examples/onnx_score.py model CLIP

Each round runs the command on one core and then on two; files are in the system's cache. Printed are medians
(lowest to highest) of wall time and of processor time, that of the decoding process included, and the highest
resident memory of all processes together.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress

import psutil
from startup import told

Took = tuple[float, float, float]
"""Seconds of wall time and of processor time, megabytes."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("command", nargs="+", help="what Python is to run, after --")
    asked = parser.parse_args()
    took: dict[int, list[Took]] = defaultdict(list)
    for number in range(asked.rounds + 1):  # in the first, Python compiles what it imports
        for n_cores in (1, 2):
            measured = run([asked.python, *asked.command], n_cores)
            if number:
                took[n_cores].append(measured)
    for n_cores, rounds in took.items():
        walls_s, processors_s, peaks_mb = zip(*rounds, strict=True)
        times = f"wall {told(walls_s)}, processor {told(processors_s)}"
        print(f"{n_cores} cores: {times}, peak {max(peaks_mb):.0f} MB", flush=True)


def run(command: list[str], n_cores: int) -> Took:
    """Run a command on some of the cores of this machine and return what it took."""
    cores = sorted(os.sched_getaffinity(0))[:n_cores]
    environment = {"OMP_WAIT_POLICY": "PASSIVE"} | os.environ
    start_s, peak_mb = time.perf_counter(), 0.0
    process = subprocess.Popen(
        ["taskset", "-c", ",".join(map(str, cores)), *command], env=environment, stdout=subprocess.DEVNULL
    )
    watched = psutil.Process(process.pid)
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        with suppress(psutil.NoSuchProcess):
            family = [watched, *watched.children(recursive=True)]
            peak_mb = max(peak_mb, sum(one.memory_info().rss for one in family) / 1e6)
        time.sleep(0.05)
    wall_s = time.perf_counter() - start_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return wall_s, usage.ru_utime + usage.ru_stime, peak_mb


if __name__ == "__main__":
    main()
