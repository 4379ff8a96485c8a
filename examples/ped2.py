"""Train and measure on UCSD Ped2 as weakly supervised papers do: 6 abnormal and 4 normal videos train.

The rest tests; ten random splits, mean and deviation. Ped2 (Mahadevan et al., CVPR 2010) shows a campus
walkway from afar, 360 x 240 at 10 frames a second; bicycles, skaters and carts among walkers are what is
unusual. For research: nothing that is trained on it is shipped.

Usage::

    python examples/ped2.py DATA WORK [--stride 8] [--crops 1] [--splits 10] [--preset default]

DATA is the data set as published (``Train/Train001/001.tif``, ``Test/UCSDped2.m``), or holds videos in
``train/`` and ``test/`` and ``labels.csv`` (columns file, label, frames, anomalous_frames_half_open);
everything that is made goes below WORK.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import vadpipe
from vadpipe import datasets
from vadpipe.head.presets import PRESETS, find_preset

FIGURES = ("auc", "auc_abnormal", "ap")


def main() -> None:
    """Run the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--crops", type=int, default=1)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--preset", choices=[preset.name for preset in PRESETS], default="default")
    options = parser.parse_args()

    features = options.work / f"features-{options.stride}-{options.crops}"
    settings = vadpipe.ExtractSettings(stride=options.stride, crops=options.crops, assume_fps=10)
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
            settings=vadpipe.HeadSettings(**find_preset(options.preset).changes),
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
