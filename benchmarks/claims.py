"""Do the three claims of CBCG help where they were meant to: long videos, small batches, noisy labels?

    python benchmarks/claims.py DATA WORK [--seeds 10] [--workers 1] [--conditions NAME...]
        [--variants NAME...] [--set NAME=VALUE]... [--device cuda:0] [--to FILE]

UCF-Crime's published X3D-L features: heads learn from all training videos to the last step and score the test
videos, without folds and without a threshold. What a condition makes hard is drawn by the seed, alike for all
variants; ``gains.py`` compares these seed by seed. The classes of a batch are as many in every condition,
since all training in vadpipe balances them.

DATA is the folder of the collections. Each run is kept below WORK, and is not made again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import protocols
import torch
from gains import FULL, Runs, gains, table
from numpy.typing import NDArray
from protocols import Videos, load_ucf_x3d

from vadpipe.ablation.rows import BASELINE, CONTROL, ROWS
from vadpipe.cli.head_settings import head_settings
from vadpipe.files.atomic import write_bytes
from vadpipe.head.bags import TrainingSet
from vadpipe.head.settings import HeadSettings
from vadpipe.training.judging import snippet_scores
from vadpipe.training.loop import Training
from vadpipe.training.resume import code_digest

LOOKS = (50, 100)
"""Steps besides the last at which the test videos are scored."""

_NAMES = (BASELINE, CONTROL, "+ batch clustering", "+ cross-batch", "full without memory", FULL)
VARIANTS = {row.name: row for name in _NAMES for row in ROWS if row.name == name}


@dataclass(frozen=True)
class Condition:
    """What is made hard.

    Attributes:
        name: of it.
        batch_bags: b, normal and as many abnormal bags of a batch.
        n_abnormal: so many abnormal training videos are kept, and every normal one; all where it is None.
        flipped: share of either label's training videos that get the other label.
    """

    name: str
    batch_bags: int = 16
    n_abnormal: int | None = None
    flipped: float = 0.0

    def labels(self, labels: Mapping[str, int], seed: int) -> dict[str, int]:
        """Return the training videos that are kept, and their labels as the head is told them.

        More noise flips the same videos and others; more abnormal videos are the same and others.
        """
        found = dict(labels)
        for label in (0, 1):
            of_label = [name for name in labels if labels[name] == label]
            shuffled = np.random.default_rng([seed, label]).permutation(of_label).tolist()
            for name in shuffled[: round(self.flipped * len(shuffled))]:
                found[name] = 1 - label
            if label == 1 and self.n_abnormal is not None:
                for name in shuffled[self.n_abnormal :]:
                    del found[name]
        return found


_CONDITIONS = (
    Condition("16+16"),
    Condition("8+8", batch_bags=8),
    Condition("4+4", batch_bags=4),
    Condition("30 abnormal", n_abnormal=30),
    Condition("noise 10 %", flipped=0.1),
    Condition("noise 20 %", flipped=0.2),
)
CONDITIONS = {condition.name: condition for condition in _CONDITIONS}


@dataclass(frozen=True)
class Job:
    """A run.

    Attributes:
        condition, variant, seed: which.
        settings: of the head.
        device: that trains.
        key: of everything that the result depends on.
        file: where it is kept.
    """

    condition: str
    variant: str
    seed: int
    settings: HeadSettings
    device: str
    key: str
    file: Path = field(repr=False)


def main() -> None:
    """Train, test, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread each")
    parser.add_argument("--device", default="cpu", help="such as cuda:0")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--conditions", nargs="+", choices=[*CONDITIONS], default=[*CONDITIONS])
    parser.add_argument("--variants", nargs="+", choices=[*VARIANTS], default=[*VARIANTS])
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="of the head, in all variants")
    parser.add_argument("--to", type=Path, help="write the table here as well")
    options = parser.parse_args()

    videos = videos_of(options.data)
    base = head_settings("default", None, options.set)
    runs: dict[str, dict[str, Runs]] = {}
    # Not forked: torch does not survive it after it has worked.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawned, torch.set_num_threads, (1,)) as pool:
        for condition in options.conditions:
            began_s = time.monotonic()
            jobs = [*jobs_of(condition, options.variants, videos, base, options)]
            found = [*pool.map(do, [options.data] * len(jobs), jobs)]
            runs[condition] = {name: {} for name in options.variants}
            for job, scores in zip(jobs, found, strict=True):
                runs[condition][job.variant][job.seed] = scores
            print(f"{condition}: {len(jobs)} runs, {time.monotonic() - began_s:.0f} s", flush=True)
    samples = [*videos.samples.values()]
    compared = {name: gains(samples, of_variant, options.resamples) for name, of_variant in runs.items()}
    text = table(compared)
    print(text)
    if options.to is not None:
        options.to.write_text(text)


@cache
def videos_of(data: Path) -> Videos:
    """Return UCF-Crime; each process loads it once."""
    return load_ucf_x3d(data / "ucf_x3d")


def training_labels(videos: Videos) -> dict[str, int]:
    """Return the training videos and their true labels."""
    return {name: bag.label for name, bag in videos.bags.items() if name not in videos.samples}


def jobs_of(
    condition: str,
    variants: Sequence[str],
    videos: Videos,
    base: HeadSettings,
    options: argparse.Namespace,
) -> Iterator[Job]:
    """Yield the runs of a condition, those of one training set in a row."""
    measured = Path(protocols.__file__).read_bytes() + repr(LOOKS).encode()
    code = [code_digest(), hashlib.sha256(measured).hexdigest()]
    tested = [videos.digests[name] for name in videos.samples]
    for seed in range(options.seeds):
        labels = CONDITIONS[condition].labels(training_labels(videos), seed)
        learned = [(videos.digests[name], label) for name, label in labels.items()]
        for variant in variants:
            changed = base.model_copy(update={"batch_bags": CONDITIONS[condition].batch_bags})
            settings = VARIANTS[variant].settings(changed)
            parts = [
                *code,
                settings.model_dump(mode="json"),
                learned,
                tested,
                condition,
                seed,
                options.device,
            ]
            key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
            file = options.work / "claims" / f"{key[:32]}.json"
            yield Job(condition, variant, seed, settings, options.device, key, file)


Scores = dict[int, list[NDArray[np.float32]]]
"""By step the scores of each test video's snippets."""


def do(data: Path, job: Job) -> Scores:
    """Return the scores of a run, which is done where its file is not there."""
    if not job.file.exists():
        text = json.dumps({"key": job.key, "run": str(job), "scores": _trained(data, job)})
        write_bytes(job.file, text.encode())
    kept = json.loads(job.file.read_bytes())
    if kept["key"] != job.key:
        raise SystemExit(f"{job.file}: is of another run; remove it")
    return {int(step): [np.float32(of_video) for of_video in found] for step, found in kept["scores"].items()}


def _trained(data: Path, job: Job) -> dict[int, list[list[float]]]:
    videos = videos_of(data)
    learned = training_set(data, job.condition, job.seed, job.settings.segments, job.device)
    training = Training(learned, range(len(learned.bags)), job.settings, seed=job.seed)
    scores = {}
    for step in sorted({*(look for look in LOOKS if look < job.settings.steps), job.settings.steps}):
        training.advance(step)
        scores[step] = [snippet_scores(training.head, videos.bags[name]).tolist() for name in videos.samples]
    return scores


@lru_cache(maxsize=1)
def training_set(data: Path, condition: str, seed: int, segments: int, device: str) -> TrainingSet:
    """Return what all variants of a condition and seed learn from."""
    videos = videos_of(data)
    labels = CONDITIONS[condition].labels(training_labels(videos), seed)
    bags = [replace(videos.bags[name], label=label) for name, label in labels.items()]
    return TrainingSet(bags, segments, torch.device(device))


if __name__ == "__main__":
    main()
