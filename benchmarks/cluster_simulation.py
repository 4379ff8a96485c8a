"""A simulation of failures and stragglers behind docs/scale.md: how long shards of a large extraction take.

    python benchmarks/cluster_simulation.py [--hours 10000] [--machines 256] [--core-hours 0.77] [--seed 0]

Videos have lengths from a log-normal distribution with a mean of 10 minutes. Machines of 4 cores take parts
of the videos from a queue, as a job array does. A machine is preempted at random times; it is back 12 minutes
later and goes on with its part: finished videos are skipped, the one in work is begun anew. Some machines are
slow. Printed is the time until the last part is done, as a multiple of what it would be if all machines were
fast, never preempted and busy to the end. It shows what a way of dividing costs; no cluster was measured.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import statistics

MEAN_H, SIGMA, CORES = 10 / 60, 1.0, 4
SLOW_SHARE, SLOW_SPEED = 0.05, 0.4
BACK_AFTER_H = 0.2


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=10_000, help="of video")
    parser.add_argument("--machines", type=int, default=256)
    parser.add_argument("--core-hours", type=float, default=0.77, help="of work per hour of video")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lengths_h = drawn_lengths(options.hours, options.seed)
    work_h = [length * options.core_hours / CORES for length in lengths_h]
    busy_h = sum(work_h) / options.machines
    print(
        f"{len(work_h):,} videos, {options.machines} machines busy for {busy_h:.1f} h, "
        f"longest video {max(work_h):.2f} h"
    )
    for per_machine in (1, 8, 32):
        n_parts = per_machine * options.machines
        for way, parts in {
            "hash": by_hash(work_h, n_parts),
            "duration": by_duration(work_h, n_parts),
        }.items():
            for between_h, slow_share in (
                (math.inf, 0.0),
                (24.0, 0.0),
                (24.0, SLOW_SHARE),
                (4.0, SLOW_SHARE),
            ):
                rng = random.Random(options.seed)
                done_h = [
                    last_done(parts, options.machines, between_h, slow_share, rng)
                    for _ in range(options.runs)
                ]
                factor, lost = (statistics.mean(column) for column in zip(*done_h, strict=True))
                told = f"preempted every {between_h:g} h, {slow_share:.0%} slow"
                print(f"{per_machine:>3} parts a machine by {way:<9} {told:<32} {factor / busy_h:.2f} times, "
                      f"{lost / sum(work_h):.2%} of the work done twice", flush=True)  # fmt: skip


def drawn_lengths(hours: float, seed: int) -> list[float]:
    """Return lengths of videos in hours that add up to about so many."""
    rng = random.Random(seed)
    mu = math.log(MEAN_H) - SIGMA**2 / 2
    return [rng.lognormvariate(mu, SIGMA) for _ in range(round(hours / MEAN_H))]


def by_hash(work_h: list[float], n_parts: int) -> list[list[float]]:
    """Return the parts that hashes of names give."""
    rng, parts = random.Random(1), [list[float]() for _ in range(n_parts)]
    for work in work_h:
        parts[rng.randrange(n_parts)].append(work)
    return parts


def by_duration(work_h: list[float], n_parts: int) -> list[list[float]]:
    """Return the parts that ``--durations`` gives: the longest video first, to the part with the least."""
    loads, parts = [(0.0, number) for number in range(n_parts)], [list[float]() for _ in range(n_parts)]
    for work in sorted(work_h, reverse=True):
        total, number = loads[0]
        heapq.heapreplace(loads, (total + work, number))
        parts[number].append(work)
    return parts


def last_done(
    parts: list[list[float]], n_machines: int, between_h: float, slow_share: float, rng: random.Random
) -> tuple[float, float]:
    """Return when the last part is done, in hours, and how many hours of work were lost."""
    free = [(0.0, 1.0 if rng.random() >= slow_share else SLOW_SPEED, rng.random()) for _ in range(n_machines)]
    heapq.heapify(free)
    lost_h = latest_h = 0.0
    for part in parts:
        now_h, speed, tie = heapq.heappop(free)
        for work_h in part:
            takes_h, fails_in_h = (
                work_h / speed,
                rng.expovariate(1 / between_h) if between_h < math.inf else math.inf,
            )
            while fails_in_h < takes_h:
                lost_h += fails_in_h * speed
                now_h += fails_in_h + BACK_AFTER_H
                fails_in_h = rng.expovariate(1 / between_h)
            now_h += takes_h
        latest_h = max(latest_h, now_h)
        heapq.heappush(free, (now_h, speed, tie))
    return latest_h, lost_h


if __name__ == "__main__":
    main()
