"""How long to train: figures at fixed steps, over all collections.

    python benchmarks/steps.py DATA WORK [--seeds 3] [--row 'NAME: SETTING=VALUE']... [--to FILE]

As ``cross_collection.py``, on the features that it left in WORK, but each head is one training that is looked
at every so many steps, without folds that pick one: five times as fast, and what picks the step has no part
in it. Figures are means over folds, then over seeds. Nothing here is a user's result: a default is screened
by this and then judged by ``cross_collection.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from cross_collection import videos_of
from footage import collect
from protocols import PROTOCOLS, Protocol, Split, splits
from settings_compared import DEFAULTS, SETTINGS
from verdict import figures_of

from vadpipe.ablation.rows import Row, parse_row
from vadpipe.files.atomic import write_text
from vadpipe.head.bags import TrainingSet
from vadpipe.head.settings import HeadSettings
from vadpipe.training.judging import snippet_scores
from vadpipe.training.loop import Training
from vadpipe.training.resume import code_digest

FEATURES = SETTINGS[DEFAULTS].folder
Found = dict[int, dict[str, float]]
"""Of each step the figures."""


def main() -> None:
    """Train, look, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--steps", type=int, nargs="+", default=[50, 75, 100, 125, 150])
    parser.add_argument("--row", action="append", type=parse_row, default=[], help="repeatable")
    parser.add_argument("--protocol", action="append", choices=[p.name for p in PROTOCOLS])
    parser.add_argument("--to", type=Path, help="write the table here as well")
    options = parser.parse_args()

    _, truth = collect(options.data, options.work)
    rows = [Row("the defaults", ""), *options.row]
    chosen = [p for p in PROTOCOLS if p.name in (options.protocol or [p.name])]
    lines = [f"| protocol | settings | {' | '.join(f'step {step}' for step in options.steps)} |"]
    lines.append("|---|---|" + "---|" * len(options.steps))
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawned, torch.set_num_threads, (1,)) as pool:
        for protocol in chosen:
            source = (protocol.name, options.data, options.work / "features" / FEATURES, truth)
            jobs = list(splits(protocol, videos_of(*source), options.data, options.seeds))
            if protocol.name == "ped2":  # which draws ten splits once: each is trained with every seed
                jobs = [
                    Split(job.fold, seed, job.train, job.test)
                    for seed in range(options.seeds)
                    for job in jobs
                ]
            for row in rows:
                settings = row.settings(HeadSettings())
                each = [(protocol, source, settings, tuple(options.steps), job, options.work) for job in jobs]
                found = list(pool.map(look, each))
                cells = _cells(found, protocol, options.steps)
                lines.append(f"| {protocol.title} | {row.name} | {' | '.join(cells)} |")
                print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    print(text)
    if options.to is not None:
        options.to.write_text(text)


def _cells(found: list[Found], protocol: Protocol, steps: list[int]) -> list[str]:
    """Return of each step the means over all trainings; some folds have no video of both kinds."""
    return [
        " / ".join(f"{np.nanmean([one[step][name] for one in found]):.3f}" for name in protocol.figures)
        for step in steps
    ]


Look = tuple[Protocol, tuple[str, Path, Path, Path], HeadSettings, tuple[int, ...], Split, Path]


def look(at: Look) -> Found:
    """Return the figures of one training, which is done where its file is not there."""
    protocol, source, settings, steps, split, work = at
    videos = videos_of(*source)
    used = [(name, videos.digests[name]) for name in (*split.train, *split.test)]
    parts = [code_digest(), settings.model_dump(mode="json"), steps, used, split.seed, split.test]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    file = work / "steps" / f"{key[:32]}.json"
    if file.exists():
        return {int(step): figures for step, figures in json.loads(file.read_text()).items()}
    data = TrainingSet([videos.bags[name] for name in split.train], settings.segments)
    training = Training(data, range(len(split.train)), settings, seed=split.seed)
    found: Found = {}
    for step in steps:
        training.advance(step)
        scores: Mapping[str, np.ndarray] = {
            name: snippet_scores(training.head, videos.bags[name]) for name in split.test
        }
        judged = [videos.samples[name].judged(scores[name]) for name in split.test]
        as_they_are = np.ones((1, len(judged)), dtype=np.int64)
        found[step] = {
            name: float(values[0])
            for name, values in figures_of(judged, as_they_are, protocol.figures).items()
        }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(found))
    return found


if __name__ == "__main__":
    main()
