"""What features in half precision, or in 8 bits, would cost in accuracy, and save on disk.

    python benchmarks/feature_precision.py FEATURES TRUTH.csv [--head HEAD] [--resamples 1000]

The features of a folder are rounded, and scored by a head, the included one by default. Float16 is a cast.
Int8 keeps, for each snippet and view, whole numbers from -127 to 127 and one float32 scale; by channel it
has a scale for each number of a feature over a whole video. Printed are frame ROC-AUC and average precision,
the paired difference from float32 with its 95 % interval (bootstrap over videos, or groups where the truth
has them), and the largest difference of a frame's score. Videos that the head was trained on are included: it
is the effect of rounding that is looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.evaluation.alarms import tally
from vadpipe.evaluation.bootstrap import drawn, interval_of, reweighted
from vadpipe.evaluation.evaluate import evaluate
from vadpipe.evaluation.results import Evaluation
from vadpipe.features.folder import FeatureFolder

Rounding = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--head", type=Path)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    loaded = FeatureFolder(options.features).load()
    results: dict[str, Evaluation] = {}
    for name, (rounded, _) in ROUNDINGS.items():
        given = {item.source.video: replace(item, values=rounded(item.values)) for item in loaded}
        results[name] = evaluate(
            given,
            truth=options.truth,
            head=options.head,
            output=None,
            include_training_videos=True,
            bootstrap=0,
        )
    exact = results["float32"]
    n_numbers = sum(item.values.size for item in loaded)
    print(f"{len(exact.judged)} videos, {n_numbers * 4 / 1e6:.0f} MB of features in float32")
    weights = drawn(exact.judged, options.resamples, 0)
    for name, result in results.items():
        differences = [
            f"{metric.upper()} {getattr(result.frames, metric):.4f} {text}"
            for metric, text in paired(exact, result, weights).items()
        ]
        furthest = max(
            float(np.nanmax(np.abs(one.scores - other.scores)))
            for one, other in zip(exact.judged, result.judged, strict=True)
        )
        mb = n_numbers * ROUNDINGS[name][1] / 1e6
        print(f"{name:<18} {mb:>7.1f} MB, {', '.join(differences)}, scores within {furthest:.4f}", flush=True)


def paired(exact: Evaluation, result: Evaluation, weights: NDArray[np.int64]) -> dict[str, str]:
    """Return the difference of AUC and AP from float32 with its interval, as text."""
    figures = [reweighted(one.judged, tally(one.judged, 0.5), weights) for one in (exact, result)]
    told = {}
    for metric in ("auc", "ap"):
        interval = interval_of(figures[1][metric] - figures[0][metric])
        difference = getattr(result.frames, metric) - getattr(exact.frames, metric)
        told[metric] = f"({difference:+.5f}, {interval.low:+.5f} to {interval.high:+.5f})"
    return told


def by_row(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to 8 bits, with a scale for each snippet and view."""
    return _quantised(values, np.abs(values).max(axis=2, keepdims=True))


def by_channel(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to 8 bits, with a scale for each number of a feature, over all snippets and views of a video."""
    return _quantised(values, np.abs(values).max(axis=(0, 1), keepdims=True))


def _quantised(values: NDArray[np.float32], highest: NDArray[np.float32]) -> NDArray[np.float32]:
    scale = np.where(highest > 0, highest / 127, 1).astype(np.float32)
    return (np.rint(values / scale).astype(np.int8) * scale).astype(np.float32)


ROUNDINGS: dict[str, tuple[Rounding, float]] = {
    "float32": (lambda values: values, 4),
    "float16": (lambda values: values.astype(np.float16).astype(np.float32), 2),
    "int8 by snippet": (by_row, 1),
    "int8 by channel": (by_channel, 1),
}
"""A rounding, and bytes a number; scales are left out: a 512th of the features, or less."""


if __name__ == "__main__":
    main()
