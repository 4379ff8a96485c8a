"""What a Ray cluster costs on one machine: time against a run without it, and memory of the driver.

    python benchmarks/ray_cluster.py [--videos 24] [--fps 2] [--rounds 3] [--names 10000] [--extracted 300]

Time: both extract the same videos in a process of their own, one after the other in each round. The cluster
has as many CPUs as there are cores, and runs already. Prints wall seconds and the ratio within each round.

Memory: extracts copies of a small video, then goes through names whose features are there already, and prints
how much memory the process has that hands them out. A run without Ray keeps a record of each video as well,
so the same is printed of that.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
from made import encode_minute, random_weights

from vadpipe.extract.extraction import extract_features
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.store import FeatureStore
from vadpipe.extract.video.discovery import find_videos, named_video


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--fps", type=int, default=2, help="Frames per second of videos of a minute.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--names", type=int, default=10_000)
    parser.add_argument("--extracted", type=int, default=300)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        videos, features, weights, ray = options.child
        print(json.dumps(run_here(Path(videos), Path(features), weights, ray or None)))
        return
    with tempfile.TemporaryDirectory() as name, running_cluster() as address:
        folder = Path(name)
        weights = str(random_weights("x3d_xs", folder) or "")
        if options.rounds:
            compare_times(folder, weights, address, options)
        if options.names:
            measure_memory(folder, weights, address, options)


@contextmanager
def running_cluster() -> Iterator[str]:
    """Start a cluster of one node with all cores, and yield its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_agent_register_timeout_ms"] = "120000"  # noqa: SIM112  its name
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  as the run without Ray, or the load of others is measured
    from ray.cluster_utils import Cluster

    node = {"num_cpus": os.cpu_count(), "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


def compare_times(folder: Path, weights: str, address: str, options: argparse.Namespace) -> None:
    """Print wall seconds with and without Ray, one after the other in each round."""
    first = encode_minute(folder / "one.mp4", options.fps, 320, 240)
    copies(first, folder / "timed", options.videos)
    ratios = []
    for number in range(options.rounds + 1):
        took_s = {}
        for ray in ("", address):
            features = folder / f"timed-{number}-{bool(ray)}"
            took_s[ray] = child(folder / "timed", features, weights, ray)["took_s"]
        if number:  # the first fills caches
            ratios.append(took_s[address] / took_s[""])
            print(f"without {took_s['']:.1f} s, with {took_s[address]:.1f} s: {ratios[-1]:.2f}", flush=True)
    print(
        f"median ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True
    )


def measure_memory(folder: Path, weights: str, address: str, options: argparse.Namespace) -> None:
    """Print how much memory a video costs the process that hands it out, with Ray and without."""
    first = encode_minute(folder / "tiny.mp4", 1, 64, 48)
    copies(first, folder / "new", options.extracted)
    for ray in (address, ""):
        found = child(folder / "new", folder / f"new-{bool(ray)}", weights, ray)
        print(
            f"{options.extracted} extracted, {'with' if ray else 'without'} Ray: {shown(found)}", flush=True
        )
    copies(first, folder / "known", options.names)
    features = folder / "known-features"
    fill(first, folder / "known", features, weights)
    for ray in (address, ""):
        found = child(folder / "known", features, weights, ray)
        how = "with" if ray else "without"
        print(f"{options.names} done already, {how} Ray: {shown(found)}", flush=True)


def shown(found: dict[str, float]) -> str:
    """Return a measurement as text."""
    return (
        f"{found['took_s']:.0f} s, {found['start_mb']:.0f} MB at the first video, "
        f"{found['end_mb']:.0f} MB at the end, peak {found['peak_mb']:.0f} MB"
    )


def child(videos: Path, features: Path, weights: str, ray: str) -> dict[str, float]:
    """Extract in a process of its own, and return what it measured."""
    command = [sys.executable, __file__, "--child", str(videos), str(features), weights, ray]
    return json.loads(subprocess.check_output(command).splitlines()[-1])


def run_here(videos: Path, features: Path, weights: str, ray: str | None) -> dict[str, float]:
    """Extract in this process, and return seconds and resident memory."""
    process, megabytes = psutil.Process(), []

    class Watch:
        def __call__(self, _: object) -> None:
            megabytes.append(process.memory_info().rss / 1e6)

    settings = ExtractSettings(backbone="x3d_xs", weights=Path(weights) if weights else None)
    start_s, start_mb = time.perf_counter(), process.memory_info().rss / 1e6
    result = extract_features([videos], features, settings=settings, ray=ray, on_progress=Watch())
    took_s = time.perf_counter() - start_s
    assert not result.failed
    gc.collect()
    end_mb = process.memory_info().rss / 1e6
    return {
        "took_s": took_s,
        "start_mb": megabytes[0] if megabytes else start_mb,
        "end_mb": end_mb,
        "peak_mb": max([*megabytes, end_mb]),
    }


def copies(first: Path, folder: Path, number: int) -> None:
    """Copy a video so many times."""
    for place in range(number):
        target = folder / f"{place % 100}" / f"{place}.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(first, target)


def fill(first: Path, videos: Path, output: Path, weights: str) -> None:
    """Write the features of one video under the names of all its copies."""
    extractor = Extractor(ExtractSettings(backbone="x3d_xs", weights=Path(weights) if weights else None))
    with extractor.open(named_video(first)) as opened:
        features = extractor.features(opened)
    store = FeatureStore(output)
    for video in find_videos([videos])[0]:
        place = {"place": video.place, "modified_ns": video.state()[1]}
        store.write(replace(features, source=features.source.model_copy(update=place)), video)


if __name__ == "__main__":
    main()
