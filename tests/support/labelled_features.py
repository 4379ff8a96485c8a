"""Small labelled sets of features with planted events, and their truth."""

from pathlib import Path

import numpy as np

from support.feature_files import make_features
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.head.settings import HeadSettings

QUICK = HeadSettings(hidden=4, cluster_dim=2, steps=6, checks=3, batch_bags=2, learning_rate=1e-2, folds=2)
N_SNIPPETS = 5
N_FRAMES = 16 * N_SNIPPETS


def make_truth(kind: str, index: int, group: str | None = None) -> Truth:
    """Return the truth of a normal, mixed or wholly anomalous video."""
    anomalies = {"normal": (), "mixed": ((16, 48),), "full": ((0, N_FRAMES),)}[kind]
    return Truth(f"{kind}{index}.mp4", N_FRAMES, anomalies, group=group)


def write_labelled_features(folder: Path, normal: int = 4, mixed: int = 4, full: int = 2) -> Path:
    """Write ``folder/features`` and ``folder/truth.csv``; return the latter."""
    truths = []
    for kind, count in (("normal", normal), ("mixed", mixed), ("full", full)):
        for index in range(count):
            truths.append(make_truth(kind, index))
            write_video_features(folder, truths[-1], seed=len(truths))
    write_truth(folder / "truth.csv", truths)
    return folder / "truth.csv"


def write_video_features(folder: Path, truth: Truth, seed: int, n_frames: int = N_FRAMES) -> None:
    """Write noise in which anomalous snippets are shifted."""
    features = make_features(n_frames, f"videos/{truth.video}", seed=seed)
    marks = np.resize(truth.frames(), n_frames).reshape(-1, 16).any(axis=1)
    features.values[marks, :, :3] += 1.5
    features.save(folder / "features" / "videos" / f"{truth.video}.safetensors")
