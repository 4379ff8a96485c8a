"""Long videos, UCF-Crime: what held-out training videos say, and three ways to score with one training.

    python benchmarks/long_videos.py DATA [--row 'NAME: SETTING=VALUE']... [--steps 50 100 200] [--to FILE]

The 628 training videos are divided into four folds, and a head is trained on all but each. Two columns are of
all training videos, each scored by the head that has not seen it: six times as many videos as there are to
test, and labels that no test needs.

- ``held out, videos``: ROC-AUC of the videos, each with the score of its bag;
- ``held out, frames``: ROC-AUC of their snippets, those of an abnormal video all being abnormal.

The other columns are frame ROC-AUC / AP of the 99 test videos, the mean over the four heads:

- ``snippets``: each snippet by itself, as ``score`` and ``evaluate`` do it;
- ``segments``: the video squeezed as its bag was in training, each segment's score given to its snippets;
- ``one score``: the bag's score for all of the video, which finds no moment at all.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from numpy.typing import NDArray
from protocols import Videos, load_ucf_x3d
from sklearn.metrics import roc_auc_score

from vadpipe.ablation.rows import Row, parse_row
from vadpipe.evaluation.metrics import auc_and_ap, pooled
from vadpipe.head.bags import Bag, TrainingSet, edges_of, squeeze
from vadpipe.head.head import Head
from vadpipe.head.settings import HeadSettings
from vadpipe.training.folds import all_but, make_folds
from vadpipe.training.judging import bag_means, snippet_scores
from vadpipe.training.loop import Training

SCORING = ("snippets", "segments", "one score")

Scores = dict[str, NDArray[np.float32]]
"""Of each way to score the scores of a video's snippets, (S,)."""


def main() -> None:
    """Train, score, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--row", action="append", type=parse_row, default=[], help="repeatable")
    parser.add_argument("--steps", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--to", type=Path, help="write the table here as well")
    options = parser.parse_args()

    torch.set_num_threads(1)
    videos = load_ucf_x3d(options.data / "ucf_x3d")
    columns = ("settings", "step", "held out, videos", "held out, frames", *SCORING)
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for row in [Row("the defaults", ""), *options.row]:
        settings = row.settings(HeadSettings(steps=max(options.steps)))
        for step, cells in cross_validated(videos, settings, options.steps, options.seed).items():
            lines.append(f"| {row.name} | {step} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    print(text)
    if options.to is not None:
        options.to.write_text(text)


def cross_validated(
    videos: Videos, settings: HeadSettings, steps: Sequence[int], seed: int
) -> dict[int, list[str]]:
    """Return the cells of a row for each of the steps."""
    data = TrainingSet(
        [bag for name, bag in videos.bags.items() if name not in videos.samples], settings.segments
    )
    folds = make_folds(data.bags, settings.folds, seed)
    held_out: dict[int, list[tuple[float, NDArray[np.float32], int]]] = {step: [] for step in steps}
    figures: dict[int, list[NDArray[np.float64]]] = {step: [] for step in steps}
    for fold, rows in enumerate(folds):
        training = Training(data, all_but(folds, fold), settings, seed=seed)
        for step in sorted(steps):
            training.advance(step)
            means = bag_means(training.head, data, rows, lambda scores: scores)
            for mean, bag in zip(means, [data.bags[row] for row in rows], strict=True):
                held_out[step].append((mean, snippet_scores(training.head, bag), bag.label))
            scores = {name: scored(training.head, videos.bags[name]) for name in videos.samples}
            figures[step].append(np.array([judged(videos, scores, way) for way in SCORING]))
    cells: dict[int, list[str]] = {}
    for step in steps:
        means_of_all, curves, labels = zip(*held_out[step], strict=True)
        frames = np.mean(figures[step], axis=0)
        of_frames = np.repeat(labels, [len(curve) for curve in curves])
        cells[step] = [f"{roc_auc_score(labels, means_of_all):.3f}"]
        cells[step] += [f"{roc_auc_score(of_frames, np.concatenate(curves)):.3f}"]
        cells[step] += [f"{auc:.3f} / {ap:.3f}" for auc, ap in frames]
    return cells


def scored(head: Head, bag: Bag) -> Scores:
    """Return the scores of a video in each way."""
    segments = head.settings.segments
    edges = edges_of(bag.values.shape[1], segments)
    squeezed = Bag(bag.name, squeeze(bag.values, segments), bag.label, bag.group, bag.times_s[:0], bag.end_s)
    (one,) = bag_means(head, TrainingSet([squeezed], segments), [0], lambda scores: scores)
    return {
        "snippets": snippet_scores(head, bag),
        "segments": np.repeat(snippet_scores(head, squeezed), np.diff(edges)),
        "one score": np.full(bag.values.shape[1], one, np.float32),
    }


def judged(videos: Videos, scores: dict[str, Scores], way: str) -> tuple[float, float]:
    """Return frame ROC-AUC and AP of all test videos."""
    frames = pooled([sample.judged(scores[name][way]) for name, sample in videos.samples.items()])
    auc, ap = auc_and_ap(*frames)
    return float(auc or 0), float(ap or 0)


if __name__ == "__main__":
    main()
