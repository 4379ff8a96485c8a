"""What a training costs on few videos and on very many: memory, time to the first step, time of a step.

    python benchmarks/many_bags.py FOLDER [--files 100 10000 100000] [--steps 60] [--whole]

Feature files of random numbers are written to FOLDER (8 to 24 snippets of 192 numbers, half of the videos
normal; 1.6 GB for 100,000), and deleted afterwards. For each number of files ``fit`` runs twice, in a process
of its own: the first run on a folder of many files reads all of them once and packs their bags, later ones
find the pack. It is ended after some steps. Memory is what the process holds beside mapped files: resident
less shared. The time to the first step runs from the call of ``fit`` to the first batch. Times are medians;
CPU time is given as well, since other jobs may share the machine.

With ``--whole`` a third run trains to the end, with two checks, for the memory of cross-validation and
calibration.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import psutil
from safetensors.numpy import save

from vadpipe.features.file import SCHEMA, FeatureHeader, Source
from vadpipe.features.recipe import Recipe

DIM, SNIPPET_FRAMES, FPS, SEGMENTS = 192, 16, 25, 16
SHORTEST, LONGEST = 8, 24  # snippets
RECIPE = Recipe(
    backbone="imported:made", weights_sha256="0" * 64, feature_dim=DIM, snippet_frames=SNIPPET_FRAMES,
    stride_frames=SNIPPET_FRAMES, view="whole", resize_px=224, input_px=224, crops=1, mean=(0.5,) * 3,
    std=(0.5,) * 3, decoder="none", engine="none",
)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, nargs="+", default=[100, 10_000, 100_000])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--whole", action="store_true", help="train to the end as well")
    parser.add_argument("--fit", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        print(json.dumps(fit_here(options.folder, options.steps)))
        return
    for n_files in options.files:
        folder = options.folder / f"files-{n_files}"
        start_s = time.perf_counter()
        n_bytes = write_files(folder / "features", n_files)
        took_s = time.perf_counter() - start_s
        print(f"{n_files} files, {n_bytes / 1e9:.2f} GB, written in {took_s:.0f} s", flush=True)
        try:
            for run, steps in [("first run", options.steps), ("later run", options.steps)]:
                tell(run, measured(folder, steps))
            if options.whole:
                tell("to the end", measured(folder, 0))
        finally:
            shutil.rmtree(folder)


def write_files(folder: Path, n_files: int) -> int:
    """Write features of as many normal as abnormal videos; return the bytes of their files.

    Not by ``Features.save``, which waits for the disk after each file.
    """
    rng = np.random.default_rng(0)
    pool = rng.normal(size=(4096, 1, DIM)).astype(np.float32)
    total = 0
    for index in range(n_files):
        kind = ("normal", "fight")[index % 2]
        video = f"videos/{kind}/{index // 1000:04d}/{index}.mp4"
        n_snippets = int(rng.integers(SHORTEST, LONGEST + 1))
        start, n_frames = int(rng.integers(4096 - LONGEST)), n_snippets * SNIPPET_FRAMES
        digest = hashlib.sha256(video.encode()).hexdigest()
        header = FeatureHeader(
            schema_version=SCHEMA,
            recipe=RECIPE,
            source=Source(
                video=video, place=digest[:16], sha256=digest, n_bytes=1, modified_ns=1,
                n_announced=n_frames, n_decoded=n_frames,
            ),
            n_frames=n_frames,
            end_s=n_frames / FPS,
        )  # fmt: skip
        edges_s = np.arange(n_snippets + 1) * SNIPPET_FRAMES / FPS
        arrays = {
            "features": pool[start : start + n_snippets] + np.float32(index % 2) * 0.1,
            "frame_times_s": np.arange(n_frames) / FPS,
            "snippet_times_s": np.stack([edges_s[:-1], edges_s[1:]], axis=1),
        }
        path = folder / f"{video}.safetensors"
        if not index % 1000 or not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
        body = save(arrays, {"vadpipe.features": header.model_dump_json()})
        path.write_bytes(body)
        total += len(body)
    return total


def measured(folder: Path, steps: int) -> dict[str, float]:
    """Return what a fit in another process took."""
    command = [sys.executable, __file__, str(folder), "--steps", str(steps), "--fit"]
    result: dict[str, float] = json.loads(subprocess.check_output(command).splitlines()[-1])
    return result


def tell(run: str, took: dict[str, float]) -> None:
    """Print it."""
    print(
        f"    {run}: first step after {took['first_step_s']:.1f} s (CPU {took['first_step_cpu_s']:.1f} s), "
        f"{took['step_ms']:.1f} ms a step (CPU {took['step_cpu_ms']:.1f} ms), in all {took['all_s']:.0f} s, "
        f"peak {took['peak_mb']:.0f} MB, {took['grown_mb']:.0f} MB more than before",
        flush=True,
    )


class EndedError(Exception):
    """Ends a training."""


def fit_here(folder: Path, steps: int) -> dict[str, float]:
    """Fit in this process, to the end if ``steps`` is 0; return times and memory."""
    import torch

    from vadpipe.head.settings import HeadSettings
    from vadpipe.training.fit import fit
    from vadpipe.training.loop import Training

    torch.set_num_threads(1)
    begun_s, used_s = list[float](), list[float]()
    do_step = Training._do_step

    def noted(training: Training) -> object:
        begun_s.append(time.perf_counter())
        used_s.append(time.process_time())
        if steps and len(begun_s) > steps:
            raise EndedError
        return do_step(training)

    Training._do_step = noted  # type: ignore[assignment, method-assign]
    before_mb = peak_mb = own_mb()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak_mb
        while not done.wait(0.02):
            peak_mb = max(peak_mb, own_mb())

    threading.Thread(target=watch, daemon=True).start()
    settings = HeadSettings(segments=SEGMENTS, steps=max(100, steps + 1), checks=2 if not steps else 1)
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    with suppress(EndedError):
        fit(folder / "features", output=folder / "head", settings=settings)
    all_s = time.perf_counter() - start_s
    done.set()
    measured_steps = slice(5, 61)  # of the first head, after its beginning
    return {
        "first_step_s": begun_s[0] - start_s,
        "first_step_cpu_s": used_s[0] - start_cpu_s,
        "step_ms": 1000 * statistics.median(np.diff(begun_s)[measured_steps].tolist()),
        "step_cpu_ms": 1000 * statistics.median(np.diff(used_s)[measured_steps].tolist()),
        "all_s": all_s,
        "peak_mb": peak_mb,
        "grown_mb": peak_mb - before_mb,
    }


def own_mb() -> float:
    """Return the memory of this process that is no file's."""
    memory = psutil.Process().memory_info()
    return float(memory.rss - memory.shared) / 1e6


if __name__ == "__main__":
    main()
