"""What the statistics of the footage that is scored are worth, in place of the training set's.

    python benchmarks/adaptation.py DATA WORK [--seeds 3] [--protocol NAME]... [--to FILE]

On the features that ``cross_collection.py`` left in WORK. Each head is one training to the last step of the
defaults, as in ``steps.py``, and scores its test videos once for each way to standardise their features, so
that nothing else differs. One of the ways alone uses labels: that by the normal test videos. Figures are
means over folds, then over seeds; differences to the head as it was trained are paired, with 95 % intervals
over recordings.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from cross_collection import videos_of
from footage import collect
from numpy.typing import NDArray
from protocols import PROTOCOLS, Protocol, Split, Videos, splits
from steps import FEATURES
from torch import Tensor
from verdict import Tested, tested_by

from vadpipe.evaluation.bootstrap import interval_of
from vadpipe.head.bags import TrainingSet
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.settings import HeadSettings
from vadpipe.training.judging import snippet_scores
from vadpipe.training.loop import Training

BETWEEN = ["fight_surv-vioperu", "vioperu-fight_surv"]

Scores = dict[str, NDArray[np.float32]]
"""Of each test video those of its snippets, (S,)."""


Statistics = tuple[Tensor, Tensor]
"""Mean and deviation (D,) by which features are standardised."""


@dataclass(frozen=True)
class Target:
    """The footage that a head is to score.

    Attributes:
        data: its videos.
        normal: which of them are.
        recordings: of each, that which it is cut from.
    """

    data: TrainingSet
    normal: list[int]
    recordings: list[str]

    @classmethod
    def of(cls, videos: Videos, names: Sequence[str]) -> Target:
        """Take these videos."""
        truths = [videos.samples[name].truth for name in names]
        unlabelled = [replace(videos.bags[name], label=0) for name in names]  # its statistics are of label 0
        return cls(
            TrainingSet(unlabelled, 1),
            [row for row, truth in enumerate(truths) if not truth.abnormal],
            [truth.group or truth.video for truth in truths],
        )

    def ways(self, row: int, trained: Statistics) -> dict[str, Statistics]:
        """Return by what the features of a video may be standardised; the first is how it was trained."""
        own_mean, own_std = trained
        known = self.data.normal_statistics
        everything = range(len(self.recordings))
        others = [other for other in everything if self.recordings[other] != self.recordings[row]]
        mean, std = known(everything)
        alike = torch.stack([known([each])[0] for each in everything]).mean(0)
        return {
            "as trained": trained,
            "**mean of the test videos**": (mean, own_std),
            "the same, each video alike": (alike, own_std),
            "the same, without the scored recording": (known(others)[0] if others else own_mean, own_std),
            "mean of the normal test videos": (known(self.normal)[0] if self.normal else own_mean, own_std),
            "half way to the mean of the test videos": ((mean + own_mean) / 2, own_std),
            "mean and deviation of the test videos": (mean, std),
            "mean of the scored video alone": (known([row])[0], own_std),
        }


def main() -> None:
    """Train, score in each way, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument(
        "--protocol",
        action="append",
        choices=[p.name for p in PROTOCOLS],
        help="repeatable; from one collection to another by default",
    )
    parser.add_argument("--to", type=Path, help="write the table here as well")
    options = parser.parse_args()

    torch.set_num_threads(1)
    _, truth = collect(options.data, options.work)
    lines = ["| trained on, tested on | features are standardised by | figures | less as trained |"]
    lines.append("|---|---|---|---|")
    for protocol in PROTOCOLS:
        if protocol.name not in (options.protocol or BETWEEN):
            continue
        videos = videos_of(protocol.name, options.data, options.work / "features" / FEATURES, truth)
        scores: dict[str, dict[Split, Scores]] = defaultdict(dict)
        for split in splits(protocol, videos, options.data, options.seeds):
            for way, found in scored(videos, split).items():
                scores[way][split] = found
        results = {
            name: tested_by(protocol, videos, found, options.resamples) for name, found in scores.items()
        }
        lines += rows_of(protocol, results)
        print("\n".join(lines[-len(results) :]), flush=True)
    text = "\n".join(lines) + "\n"
    print(f"\n{text}")
    if options.to is not None:
        options.to.write_text(text)


def scored(videos: Videos, split: Split) -> dict[str, Scores]:
    """Train a head and return its scores of the test videos, by each way."""
    settings = HeadSettings()
    data = TrainingSet([videos.bags[name] for name in split.train], settings.segments)
    training = Training(data, range(len(split.train)), settings, seed=split.seed)
    training.advance(settings.steps)
    head, target = training.head, Target.of(videos, split.test)
    assert isinstance(head, Cbcg)
    embedding = head.embedding
    trained = embedding.mean.clone(), embedding.std.clone()
    found: dict[str, Scores] = defaultdict(dict)
    for row, name in enumerate(split.test):
        for way, (mean, std) in target.ways(row, trained).items():
            embedding.mean.copy_(mean)
            embedding.std.copy_(std)
            found[way][name] = snippet_scores(head, videos.bags[name])
    return found


def rows_of(protocol: Protocol, results: Mapping[str, Tested]) -> list[str]:
    """Return a line for each way, with its differences to the head as it was trained."""
    reference, *_ = results.values()
    lines = []
    for name, found in results.items():
        values = " / ".join(f"{found.figures[figure][0]:.3f}" for figure in protocol.figures)
        apart = []
        for figure in protocol.figures if found is not reference else ():
            difference = found.figures[figure] - reference.figures[figure]
            limits = interval_of(difference[1:])
            shown = "" if limits.low is None else f" ({limits.low:+.3f} to {limits.high:+.3f})"
            apart.append(f"{difference[0]:+.3f}{shown}")
        lines.append(f"| {protocol.title} | {name} | {values} | {' / '.join(apart)} |")
    return lines


if __name__ == "__main__":
    main()
