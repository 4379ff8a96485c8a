"""Train and measure on UCSD Ped2 as weakly supervised papers do: 6 abnormal and 4 normal videos train.

The rest tests; ten random splits, mean and deviation. Ped2 (Mahadevan et al., CVPR 2010) shows a campus
walkway from afar, 360 x 240 at 10 frames per second; bicycles, skaters and carts among walkers are what is
unusual. For research: nothing that is trained on it is shipped.

Usage::

    python examples/ped2.py DATA WORK [--view left,right] [--crops 1] [--stride 8] [--target-fps 12.5]
        [--precision auto] [--preset default] [--set NAME=VALUE] [--splits 10]

The options are those of ``vadpipe extract`` and ``vadpipe fit``; docs/benchmarks.md says which of them its
table was measured with. DATA is the data set as published (``Train/Train001/001.tif``,
``Test/UCSDped2.m``), or holds videos in ``train/`` and ``test/`` and ``labels.csv`` (columns file, label,
frames, anomalous_frames_half_open); everything that is made goes below WORK, the features of each choice in
a folder of their own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import vadpipe
from vadpipe import datasets
from vadpipe.cli.head_settings import head_settings
from vadpipe.cli.options import parse_target_fps
from vadpipe.head.presets import PRESETS

FIGURES = ("auc", "auc_abnormal", "ap")


def main() -> None:
    """Run the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--view", help="what the backbone sees of a frame; its own without it")
    parser.add_argument("--crops", type=int, default=1)
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--target-fps", help="a number or all; the backbone's own without it")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--preset", choices=[preset.name for preset in PRESETS], default="default")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="of the head; repeatable")
    options = parser.parse_args()

    of_head = head_settings(options.preset, None, options.set)
    settings = vadpipe.ExtractSettings(
        view=options.view,
        crops=options.crops,
        stride=options.stride,
        target_fps=parse_target_fps(options.target_fps),
        precision=options.precision,
        assume_fps=10,
    )
    seen = settings.view or f"{settings.crops}-crops"
    features = options.work / f"features-{seen}-{settings.stride}-{settings.target_fps}-{settings.precision}"
    made = vadpipe.extract_features([options.data], features, settings=settings)
    print(f"{len(made.written)} videos extracted now")
    recipe, rows = datasets.get("ped2"), []
    for split in range(options.splits):
        run = options.work / f"split{split}"
        written = datasets.write_labels(recipe, options.data, run, features=features, split=split)
        fitted = vadpipe.fit(
            features,
            labels=written.train,
            output=run / "head",
            settings=of_head,
            seed=split,
        )
        found = vadpipe.evaluate(
            features, truth=written.truth, head=fitted.head, output=run / "evaluation", bootstrap=0
        )
        rows.append([found.figures[name].value for name in FIGURES])
        print(f"split {split}: " + ", ".join(f"{n} {v:.3f}" for n, v in zip(FIGURES, rows[-1], strict=True)))
    mean, deviation = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1)
    for name, m, d in zip(FIGURES, mean, deviation, strict=True):
        print(f"{name}: mean {m:.3f}, deviation {d:.3f} over {options.splits} splits")


if __name__ == "__main__":
    main()
