"""Train and evaluate on a public benchmark in one command, once its features are at hand.

Features are those of ``vadpipe extract`` or, published ones, of ``vadpipe features import``; both splits may
lie in one folder. ANNOTATIONS holds the benchmark's official lists (docs/evaluation.md says which).

Usage::

    python examples/benchmark.py ucf-crime|xd-violence|shanghaitech FEATURES ANNOTATIONS WORK
        [--preset benchmark] [--seeds 3] [--cut]

Each seed's head is chosen and calibrated without a look at the test set; printed are the frame ROC-AUC and AP
of each, and their mean and deviation. ``--cut`` ends XD-Violence's ground truth where papers do.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import vadpipe
from vadpipe import datasets
from vadpipe.head.presets import PRESETS, find_preset

FIGURES = ("auc", "ap", "auc_abnormal", "ap_abnormal")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", choices=["ucf-crime", "xd-violence", "shanghaitech"])
    parser.add_argument("features", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--preset", choices=[preset.name for preset in PRESETS], default="benchmark")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cut", action="store_true")
    options = parser.parse_args()

    recipe = datasets.get(options.benchmark)
    settings = vadpipe.HeadSettings(**find_preset(options.preset).changes)
    written = datasets.write_labels(
        recipe, options.annotations, options.work, features=options.features, cut=options.cut
    )
    for split, names in written.left_out.items():
        if names:
            print(f"{split}: {len(names)} videos have no features, {names[0]} the first")
    if written.train is None or written.truth is None:
        parser.error("there are no features of one of the splits")
    rows = []
    for seed in range(options.seeds):
        work = options.work / f"seed{seed}"
        fitted = vadpipe.fit(
            options.features,
            labels=written.train,
            output=work / "head",
            settings=settings,
            seed=seed,
            force=True,
        )
        found = vadpipe.evaluate(
            options.features, truth=written.truth, head=fitted.head, output=work / "evaluation", force=True
        )
        rows.append([found.figures[name].value for name in FIGURES])
        print(f"seed {seed}: " + ", ".join(f"{n} {v:.4f}" for n, v in zip(FIGURES, rows[-1], strict=True)))
    if options.seeds > 1:
        for name, column in zip(FIGURES, np.array(rows).T, strict=True):
            print(f"{name}: mean {column.mean():.4f}, deviation {column.std(ddof=1):.4f}")


if __name__ == "__main__":
    main()
