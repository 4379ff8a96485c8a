"""How few videos are enough: the head and a logistic regression, trained on ever more of the same videos.

    python benchmarks/learning_curves.py DATA WORK [--protocol NAME]... [--seeds 5] [--workers 1]
        [--row 'NAME: SETTING=VALUE']... [--to FILE]

Within each training part of a protocol (``protocols.py``) so many videos are drawn, with labels in the
proportion of the whole; fewer are a part of more. Each learner gets the same videos and scores the same
test videos:

- the head of the defaults, and of any ``--row``, at its last step: no folds, no step picked;
- scikit-learn's ``LogisticRegression`` on pooled features: a training video is one row, the mean over its
  snippets and views, standardised by mean and deviation of these rows. A snippet's score is the log odds
  that the model gives its own features, of each view by itself, smoothed like the head's and joined by the
  maximum. C is 1, scikit-learn's default, which was settled before anything was run; 0.01 is there to see
  what a stronger penalty does.

Figures are of frames: means over folds, then over seeds (of the folds, the draw and the head), in brackets
the deviation over seeds. Differences are taken on the same videos and seeds, with the 95 % interval over
recordings, which are drawn with replacement for both alike.

DATA is the folder of the collections, WORK where ``cross_collection.py`` left its features. A finished
training is a file below WORK, and is not done again.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import protocols
import torch
from cross_collection import Source, videos_of
from footage import collect
from gains import markdown
from numpy.typing import NDArray
from protocols import PROTOCOLS, Protocol, Split, Videos, splits
from settings_compared import DEFAULTS, SETTINGS
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from verdict import Scores, Tested, tested_by

from vadpipe.ablation.rows import Row, parse_row
from vadpipe.evaluation.bootstrap import interval_of
from vadpipe.files.atomic import write_text
from vadpipe.head.bags import Bag, TrainingSet
from vadpipe.head.settings import HeadSettings
from vadpipe.head.smoothing import smoothed
from vadpipe.training.judging import snippet_scores
from vadpipe.training.loop import Training
from vadpipe.training.resume import code_digest

FEATURES = SETTINGS[DEFAULTS].folder

SIZES = {"fight_surv": (10, 20, 50, 98), "ucf_x3d": (10, 20, 50, 98, 200, 400, 628)}
"""By protocol how many videos are drawn; all there are where they are fewer."""


@dataclass(frozen=True)
class Linear:
    """Logistic regression on pooled features.

    Attributes:
        c: the inverse of the L2 penalty's weight.
        smoothing: deviation, in snippets, of the Gaussian that smooths the log odds of a video.
    """

    c: float
    smoothing: float = HeadSettings().smoothing


Learner = HeadSettings | Linear

LINEAR = {f"logistic regression, C = {c:g}": Linear(c) for c in (1.0, 0.01)}


@dataclass(frozen=True)
class Job:
    """A training.

    Attributes:
        learner: what is trained.
        split: on which videos, and which it scores.
        key: of everything that the result depends on.
        file: where it is kept.
    """

    learner: Learner
    split: Split
    key: str
    file: Path = field(repr=False)


def main() -> None:
    """Train, test, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--protocol", action="append", choices=[*SIZES], help="repeatable; both by default")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", help="how many videos are drawn")
    parser.add_argument("--row", action="append", type=parse_row, default=[], help="repeatable")
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread each")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--to", type=Path, help="write the tables here as well")
    options = parser.parse_args()

    chosen = [p for p in PROTOCOLS if p.name in (options.protocol or SIZES)]
    _, truth = collect(options.data, options.work)
    heads = [Row("head", ""), *options.row]
    learners: dict[str, Learner] = {row.name: row.settings(HeadSettings()) for row in heads}
    learners |= LINEAR
    texts = []
    # Not forked: torch does not survive it after it has worked.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawned, torch.set_num_threads, (1,)) as pool:
        for protocol in chosen:
            source = (protocol.name, options.data, options.work / "features" / FEATURES, truth)
            videos = videos_of(*source)
            whole = [*splits(protocol, videos, options.data, options.seeds)]
            results: dict[str, dict[str, Tested]] = {}
            for size in options.sizes or SIZES[protocol.name]:
                began_s = time.monotonic()
                drawn = [replace(split, train=draw(videos, split, size)) for split in whole]
                jobs = {name: jobs_of(one, drawn, videos, options.work) for name, one in learners.items()}
                # Those of one training set in a row.
                todo = [job for of_split in zip(*jobs.values(), strict=True) for job in of_split]
                found = dict(zip(todo, pool.map(do, [source] * len(todo), todo), strict=True))
                results[_size(drawn)] = {
                    name: tested_by(
                        protocol, videos, {job.split: found[job] for job in own}, options.resamples
                    )
                    for name, own in jobs.items()
                }
                print(f"{protocol.title}, {_size(drawn)}: {time.monotonic() - began_s:.0f} s", flush=True)
            texts.append(table(protocol, results, options.seeds))
            print(texts[-1], flush=True)
    if options.to is not None:
        options.to.write_text("\n".join(texts))


def draw(videos: Videos, split: Split, size: int) -> tuple[str, ...]:
    """Return so many of a split's training videos, in their order and with labels in their proportion.

    More are the same and others; what is drawn depends on the split's seed and fold, and at least one of
    either label is.
    """
    if size >= len(split.train):
        return split.train
    labels = {name: videos.bags[name].label for name in split.train}
    n_abnormal = min(max(round(size * sum(labels.values()) / len(labels)), 1), size - 1)
    drawn: set[str] = set()
    for label, count in ((0, size - n_abnormal), (1, n_abnormal)):
        members = [name for name in split.train if labels[name] == label]
        order = np.random.default_rng([split.seed, split.fold, label]).permutation(len(members))
        drawn |= {members[at] for at in order[:count]}
    return tuple(name for name in split.train if name in drawn)


def jobs_of(learner: Learner, drawn: Sequence[Split], videos: Videos, work: Path) -> list[Job]:
    """Return a learner's training of each split."""
    # What tables are made of may change without a training.
    code = "".join(map(inspect.getsource, (protocols, Linear, _scored, linear_scores)))
    kind = learner.model_dump(mode="json") if isinstance(learner, HeadSettings) else repr(learner)
    jobs = []
    for split in drawn:
        used = [(name, videos.digests[name]) for name in (*split.train, *split.test)]
        parts = [code_digest(), hashlib.sha256(code.encode()).hexdigest(), kind, used, split.seed, split.test]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        jobs.append(Job(learner, split, key, work / "learning_curves" / f"{key[:32]}.json"))
    return jobs


def do(source: Source, job: Job) -> Scores:
    """Return a training's scores of its test videos; it is done where its file is not there."""
    if not job.file.exists():
        scores = {name: values.tolist() for name, values in _scored(source, job).items()}
        write_text(job.file, json.dumps({"key": job.key, "scores": scores}))
    kept = json.loads(job.file.read_text())
    if kept["key"] != job.key:
        raise SystemExit(f"{job.file}: is of another training; remove it")
    return {name: np.float32(values) for name, values in kept["scores"].items()}


def _scored(source: Source, job: Job) -> Scores:
    videos, split, learner = videos_of(*source), job.split, job.learner
    if isinstance(learner, Linear):
        return linear_scores(
            learner, [videos.bags[name] for name in split.train], [videos.bags[name] for name in split.test]
        )
    data = _training_set(source, split.train, learner.segments)
    training = Training(data, range(len(split.train)), learner, seed=split.seed)
    training.advance(learner.steps)
    return {name: snippet_scores(training.head, videos.bags[name]) for name in split.test}


@lru_cache(maxsize=1)
def _training_set(source: Source, train: tuple[str, ...], segments: int) -> TrainingSet:
    videos = videos_of(*source)
    return TrainingSet([videos.bags[name] for name in train], segments)


def linear_scores(learner: Linear, train: Sequence[Bag], test: Sequence[Bag]) -> Scores:
    """Return the log odds of each snippet of the test videos by a model of pooled training videos."""
    pooled = np.stack([bag.values.mean(axis=(0, 1), dtype=np.float64) for bag in train])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=learner.c, max_iter=10_000))
    model.fit(pooled, [bag.label for bag in train])
    scores: dict[str, NDArray[np.float32]] = {}
    for bag in test:
        n_views, n_snippets, dim = bag.values.shape
        odds = model.decision_function(bag.values.reshape(-1, dim).astype(np.float64))
        of_views = torch.from_numpy(odds.reshape(n_views, n_snippets))
        smooth = smoothed(of_views, torch.ones_like(of_views, dtype=torch.bool), learner.smoothing)
        scores[bag.name] = smooth.amax(dim=0).float().numpy()
    return scores


def _size(drawn: Sequence[Split]) -> str:
    """Say how many videos were drawn; folds that give all they have differ by a few."""
    counts = {len(split.train) for split in drawn}
    return str(min(counts)) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"


def table(protocol: Protocol, results: Mapping[str, Mapping[str, Tested]], n_seeds: int) -> str:
    """Return what each learner reached at each size, and how far heads are above the others, in Markdown."""
    names = [*next(iter(results.values()))]
    heads = [name for name in names if name not in LINEAR]
    lines = [[f"{protocol.title}: {' / '.join(protocol.figures)}", *names], ["---"] * (1 + len(names))]
    for size, found in results.items():
        lines.append([size, *(_reached(found[name], protocol) for name in names)])
    pairs = [(head, other) for head in heads for other in LINEAR]
    apart = [["videos", *(f"{head} less {other}" for head, other in pairs)], ["---"] * (1 + len(pairs))]
    for size, found in results.items():
        apart.append([size, *(_apart(found[head], found[other], protocol) for head, other in pairs)])
    said = f"{n_seeds} seeds, {next(iter(found.values())).n_recordings} test videos or recordings."
    return "\n\n".join([said, markdown(lines), markdown(apart)]) + "\n"


def _reached(found: Tested, protocol: Protocol) -> str:
    texts = []
    for name in protocol.figures:
        seeds = found.per_seed[name]
        deviation = f" ({seeds.std(ddof=1):.3f})" if len(seeds) > 1 else ""
        texts.append(f"{found.figures[name][0]:.3f}{deviation}")
    return " / ".join(texts)


def _apart(found: Tested, other: Tested, protocol: Protocol) -> str:
    texts = []
    for name in protocol.figures:
        gain = found.figures[name] - other.figures[name]
        interval = interval_of(gain[1:])
        limits = "" if interval.low is None else f" ({interval.low:+.3f} to {interval.high:+.3f})"
        texts.append(f"{gain[0]:+.3f}{limits}")
    return " / ".join(texts)


if __name__ == "__main__":
    main()
