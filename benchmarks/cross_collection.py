"""Judge settings by several collections of real footage; a default changes only by what this prints.

    python benchmarks/cross_collection.py DATA WORK [--seeds 3] [--workers 2] [--setting NAME]...
        [--device cuda:0] [--to FILE]

Heads are trained and tested within each collection, by folds that part no recording or event, and from
fight_surv to vioperu and back: ``protocols.py`` says how, ``footage.py`` from which videos,
``settings_compared.py`` what is compared. Figures are of frames: means over folds, then over seeds, at the
step that unseen training videos picked. In brackets the 95 % interval over recordings, which are drawn with
replacement. ``within`` is the mean over the videos that have both kinds of frames, each by itself. A
setting's rank in each protocol, by its first figure, is averaged; ``worst`` is how far it is behind the best
setting where it is furthest behind.

DATA is the folder of the collections. What is made goes below WORK, and is not made again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import protocols
import torch
from footage import collect
from protocols import PROTOCOLS, Protocol, Split, Videos, load_ucf_x3d, load_videos, splits
from settings_compared import SETTINGS, Setting
from verdict import Tested, table, tested

import vadpipe
from vadpipe.ablation import fold_run
from vadpipe.ablation.runs import AblationJob, Run
from vadpipe.training.resume import code_digest

REFERENCE = "isolated snippets, loss of whole bags"


def main() -> None:
    """Extract, train, test, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--device", default="cpu", help="that trains, such as cuda:0")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--setting", action="append", choices=[*SETTINGS], help="repeatable; all by default")
    parser.add_argument("--protocol", action="append", choices=[p.name for p in PROTOCOLS])
    parser.add_argument("--to", type=Path, help="write the table here as well")
    options = parser.parse_args()

    folders, truth = collect(options.data, options.work)
    chosen = [p for p in PROTOCOLS if p.name in (options.protocol or [p.name])]
    results: dict[str, dict[str, Tested]] = {}
    # Not forked: torch does not survive it after it has worked.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawned, torch.set_num_threads, (1,)) as pool:
        for name in options.setting or SETTINGS:
            setting, began_s = SETTINGS[name], time.monotonic()
            features = options.work / "features" / setting.folder
            if any(p.name != "ucf_x3d" for p in chosen):
                made = vadpipe.extract_features(folders, features, settings=setting.extract)
                print(f"{name}: {len(made.written)} videos extracted now", flush=True)
            results[name] = {}
            for protocol in chosen:
                source = (protocol.name, options.data, features, truth)
                videos = videos_of(*source)
                jobs = jobs_of(protocol, setting, videos, options)
                learned, devices = [split.train for split in jobs], [options.device] * len(jobs)
                runs = list(pool.map(do, [source] * len(jobs), jobs.values(), learned, devices))
                results[name][protocol.name] = tested(
                    protocol, videos, dict(zip(jobs, runs, strict=True)), options.resamples
                )
                first = results[name][protocol.name].figures[protocol.figures[0]][0]
                print(f"{name}, {protocol.title}: {protocol.figures[0]} {first:.3f}", flush=True)
            print(f"{name}: {time.monotonic() - began_s:.0f} s", flush=True)
    text = table(results, REFERENCE)
    print(text)
    if options.to is not None:
        options.to.write_text(text)


Source = tuple[str, Path, Path, Path]


@cache
def videos_of(protocol: str, data: Path, features: Path, truth: Path) -> Videos:
    """Return the videos of a protocol; each process loads them once."""
    return _ucf_x3d(data) if protocol == "ucf_x3d" else _extracted(features, truth)


@cache
def _ucf_x3d(data: Path) -> Videos:
    return load_ucf_x3d(data / "ucf_x3d")


@cache
def _extracted(features: Path, truth: Path) -> Videos:
    return load_videos(features, truth)


def jobs_of(
    protocol: Protocol, setting: Setting, videos: Videos, options: argparse.Namespace
) -> dict[Split, AblationJob]:
    """Return the run of each training; its key is of everything that its result depends on."""
    code = b"".join(Path(file).read_bytes() for file in (fold_run.__file__, protocols.__file__))
    measured = hashlib.sha256(code).hexdigest()
    jobs = {}
    for split in splits(protocol, videos, options.data, options.seeds):
        used = [(name, videos.digests[name]) for name in (*split.train, *split.test)]
        head, test = setting.head.model_dump(mode="json"), split.test
        parts = [code_digest(), measured, head, used, split.seed, test, options.device]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        file = options.work / "runs" / f"{key[:32]}.safetensors"
        jobs[split] = AblationJob(setting.name, split.fold, split.seed, setting.head, split.test, key, file)
    return jobs


def do(source: Source, job: AblationJob, train: tuple[str, ...], device: str) -> Run:
    """Return a run, which is done where its file is not there."""
    found = Run.find(job.file, job.key)
    if found is not None:
        return found
    videos = videos_of(*source)
    bags = {name: videos.bags[name] for name in (*train, *job.test)}
    run = fold_run.measure(job, videos.samples, bags, torch.device(device))
    run.save(job.file)
    return run


if __name__ == "__main__":
    main()
