"""CBCG and the published detectors on the same features: UCF-Crime, X3D-L.

    python benchmarks/peers.py DATA WORK [--methods NAME ...] [--steps N|NAME=N]... [--seeds 3] [--workers 1]
        [--device cuda:0] [--to FILE]

Each method learns from the training videos by its published settings, or in as many steps as are given. An
eighth of these videos, drawn anew with each seed, is held out: their video-level ROC-AUC picks the step
``selected``. ``last`` is the same training at its end, and ``best-on-test`` the step with the highest frame
ROC-AUC on the test videos: it has seen the answers, as most published figures have, and is there to compare
with these alone.

Figures are of frames, means over seeds, in brackets the lowest and highest seed. Seconds a step are of
processor time, on a GPU of the clock, the median over the stretches between two checks; other workers slow
them down. CBCG less each peer: the same seeds and
steps, with the 95 % interval over test videos, which are drawn with replacement for both alike.

DATA is the folder of the collections. A finished training is a file below WORK, and is not done again; one
that was interrupted starts anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import protocols
import torch
from numpy.typing import NDArray
from protocols import Videos, load_ucf_x3d
from sklearn.metrics import roc_auc_score
from verdict import line

from vadpipe.ablation.runs import ATS, At, Run, TrainingRecord
from vadpipe.evaluation.bootstrap import drawn, interval_of
from vadpipe.evaluation.metrics import auc_and_ap, pooled
from vadpipe.evaluation.ranking import Ranking
from vadpipe.head.bags import TrainingSet
from vadpipe.head.methods import CBCG, METHODS, find_method, settings_of
from vadpipe.head.settings import HeadSettings
from vadpipe.training.folds import all_but, make_folds
from vadpipe.training.judging import bag_means, snippet_scores
from vadpipe.training.loop import Training
from vadpipe.training.resume import code_digest
from vadpipe.training.stages import check_steps
from vadpipe.training.step_selection import Selection

HELD_OUT = 8
"""One of so many parts of the training videos picks the step."""

FIGURES = ("frame AUC", "AP")

Figures = dict[At, NDArray[np.float64]]
"""At each step AUC and AP on the videos as they are and then on each resample, (1 + R, 2)."""


def main() -> None:
    """Train what is not there yet, and print the table."""
    names = [method.name for method in METHODS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--methods", nargs="+", choices=names, default=names)
    parser.add_argument(
        "--steps",
        type=steps_option,
        action="append",
        default=[],
        metavar="N|NAME=N",
        help="of all methods, or of one; repeatable",
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of each worker")
    parser.add_argument("--workers", type=int, default=1, help="trainings at a time")
    parser.add_argument("--device", default="cpu", help="such as cuda:0")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--to", type=Path, help="write the table here as well")
    options = parser.parse_args()

    place = Place(options.data, options.work / "runs", options.device)
    wanted = [
        (name, with_steps(settings_of(name), options.steps), seed)
        for seed in range(options.seeds)
        for name in options.methods
    ]
    runs: dict[str, list[Run]] = {name: [] for name in options.methods}
    # Not forked: torch does not survive it after it has worked.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawned, torch.set_num_threads, (options.threads,)) as pool:
        made = [pool.submit(run_of, place, settings, seed) for _, settings, seed in wanted]
        for (name, _, seed), future in zip(wanted, made, strict=True):
            run = future.result()
            runs[name].append(run)
            last = run.record.steps["last"]
            print(f"{name}, seed {seed}: AUC {run.record.test_auc[last]:.3f} at step {last}", flush=True)
    text = table(videos_of(options.data), runs, options.resamples)
    print(text)
    if options.to is not None:
        options.to.write_text(text)


def with_steps(settings: HeadSettings, given: Sequence[str]) -> HeadSettings:
    """Return the settings with the steps that ``--steps`` asks for; NAME=N counts more than N."""
    pairs = [text.rpartition("=") for text in given]
    for name, equals, steps in sorted(pairs, key=lambda pair: bool(pair[1])):
        if name == settings.method or not equals:
            settings = HeadSettings.model_validate({**settings.model_dump(), "steps": steps})
    return settings


def steps_option(text: str) -> str:
    """Return N or NAME=N as it is. Raises ArgumentTypeError if there is no such method or number."""
    name, equals, steps = text.rpartition("=")
    if equals and name not in {method.name for method in METHODS}:
        raise argparse.ArgumentTypeError(f"unknown method {name!r}")
    if not steps.isdecimal() or int(steps) < 1:
        raise argparse.ArgumentTypeError(f"{steps!r} is no number of steps")
    return text


@dataclass(frozen=True)
class Place:
    """Where trainings read, write and run.

    Attributes:
        data: folder of the collections.
        runs: folder of finished trainings.
        device: that trains.
    """

    data: Path
    runs: Path
    device: str


@cache
def videos_of(data: Path) -> Videos:
    """Return UCF-Crime; each process loads it once."""
    return load_ucf_x3d(data / "ucf_x3d")


def run_of(place: Place, settings: HeadSettings, seed: int) -> Run:
    """Return a training's run; it is done where its file is not there."""
    videos = videos_of(place.data)
    code = b"".join(Path(file).read_bytes() for file in (__file__, protocols.__file__))
    parts = [
        code_digest(),
        hashlib.sha256(code).hexdigest(),
        settings.model_dump(mode="json"),
        sorted(videos.digests.items()),
        seed,
        torch.get_num_threads(),
        place.device,
    ]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    file = place.runs / f"{settings.method}-{seed}-{key[:24]}.safetensors"
    run = Run.find(file, key)
    if run is None:
        run = measured(videos, settings, seed, key, torch.device(place.device))
        run.save(file)
    return run


def measured(videos: Videos, settings: HeadSettings, seed: int, key: str, device: torch.device) -> Run:
    """Train, and score the test videos at every check; nothing about them reaches the training."""
    test = tuple(videos.samples)
    learned = [bag for name, bag in videos.bags.items() if name not in test]
    data = TrainingSet(learned, settings.segments, device)
    folds = make_folds(data.bags, HELD_OUT, seed)
    held_out, rows = folds[0], all_but(folds, 0)
    training, selection = Training(data, rows, settings, seed=seed), Selection()
    history, scores = [], {}
    clock_s = time.process_time if device.type == "cpu" else time.monotonic
    for step in check_steps(settings):
        done, began_s = training.step, clock_s()
        training.advance(step)  # has read the losses when it returns, so that a GPU has finished
        step_s = (clock_s() - began_s) / (step - done)
        means = bag_means(training.head, data, held_out, lambda scores: scores)
        auc = float(roc_auc_score([data.bags[row].label for row in held_out], means))
        selection.see(step, auc, [])
        scores[step] = [snippet_scores(training.head, videos.bags[name]) for name in test]
        history.append({"step": step, "auc": auc, "step_s": step_s})
    aucs: dict[int, float] = {}
    for step, of_step in scores.items():
        judged = [videos.samples[name].judged(own) for name, own in zip(test, of_step, strict=True)]
        aucs[step] = auc_and_ap(*pooled(judged))[0] or 0.0
    steps: dict[At, int] = {
        "selected": selection.best[0],
        "last": max(scores),
        "best-on-test": max(aucs, key=lambda step: (aucs[step], -step)),
    }
    record = TrainingRecord(
        key=key,
        settings=settings,
        fold=0,
        seed=seed,
        videos=test,
        n_snippets=tuple(videos.bags[name].values.shape[1] for name in test),
        threshold=0.5,
        steps=steps,
        test_auc=aucs,
        history=history,
    )
    return Run(record, {at: scores[step] for at, step in steps.items()})


def table(videos: Videos, runs: Mapping[str, Sequence[Run]], resamples: int) -> str:
    """Return what the methods reached, and CBCG's difference to each, as tables in Markdown."""
    everything = [
        videos.samples[name].judged(np.zeros(videos.bags[name].values.shape[1], np.float32))
        for name in videos.samples
    ]
    weights = np.concatenate([np.ones((1, len(everything)), np.int64), drawn(everything, resamples, seed=0)])
    figures = {name: [figures_of(videos, run, weights) for run in own] for name, own in runs.items()}
    n_seeds = len(next(iter(runs.values())))
    columns = [f"{figure}, {at}" for at in ATS for figure in FIGURES]
    head = ["method", "steps", "s a step", *columns]
    lines = [f"{len(everything)} test videos, {n_seeds} seeds.", "", line(head), line(["---"] * len(head))]
    for name, own in runs.items():
        seconds = [check["step_s"] for run in own for check in run.record.history]
        cells = [_spread([seed[at][0, which] for seed in figures[name]]) for at in ATS for which in (0, 1)]
        steps = own[0].record.settings.steps
        lines.append(line([find_method(name).title, str(steps), f"{statistics.median(seconds):.3f}", *cells]))
    lines += ["", "`best-on-test` has seen the answers: it is to be compared with published figures alone."]
    if CBCG in runs and len(runs) > 1:
        columns = [f"{figure}, {at}" for at in ATS[:2] for figure in FIGURES]
        head = [f"{find_method(CBCG).title} less", *columns]
        lines += ["", line(head), line(["---"] * len(head))]
        for name in runs:
            if name != CBCG:
                cells = [
                    _difference(figures[CBCG], figures[name], at, which) for at in ATS[:2] for which in (0, 1)
                ]
                lines.append(line([find_method(name).title, *cells]))
    return "\n".join(lines) + "\n"


def figures_of(videos: Videos, run: Run, weights: NDArray[np.int64]) -> Figures:
    """Return AUC and AP where video v counts ``weights[r, v]`` times."""
    found: Figures = {}
    for at in ATS:
        judged = [
            videos.samples[name].judged(own)
            for name, own in zip(run.record.videos, run.scores[at], strict=True)
        ]
        ranking = Ranking(judged, [True] * len(judged))
        found[at] = np.array([ranking.auc_and_ap(row) for row in weights])
    return found


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _difference(ours: Sequence[Figures], theirs: Sequence[Figures], at: At, which: int) -> str:
    """Return the mean difference over seeds, and its interval where videos were drawn."""
    pairs = zip(ours, theirs, strict=True)
    gains = np.mean([own[at][:, which] - other[at][:, which] for own, other in pairs], axis=0)
    interval = interval_of(gains[1:])
    limits = "" if interval.low is None else f" ({interval.low:+.3f} to {interval.high:+.3f})"
    return f"{gains[0]:+.3f}{limits}"


if __name__ == "__main__":
    main()
