"""Train and measure on real CCTV: the Surveillance Camera Fight Dataset, by video-level labels alone.

The data set (Akti, Tataroglu and Ekenel, IPTA 2019; MIT) holds clips of about two seconds, cut from
longer recordings. This script

1. joins the clips of each scene into one untrimmed video: the ``fight`` clips are its anomalous
   stretches, which gives a frame-level ground truth that training never sees;
2. extracts features, fits and scores with the same calls that the command line wraps, over
   scene-disjoint folds and several seeds;
3. prints the frame-level ROC-AUC, and with ``--ship`` trains the default head on all scenes.

Usage::

    python examples/fight_surv.py DATA WORK [--seeds 5] [--folds 4] [--ship HEAD.safetensors]

DATA holds ``fight/``, ``noFight/`` and ``scene_groups.csv`` (columns file, label, fps, width, height,
scene_group); everything that is made goes below WORK.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from sklearn.metrics import roc_auc_score

import vadpipe

Row = dict[str, str]
Truth = dict[str, list[int]]


def join_scenes(data: Path, videos: Path) -> Truth:
    """Write ``scene_NNN.mp4`` for each scene and return the label of each of its frames."""
    scenes: dict[str, list[Row]] = defaultdict(list)
    with (data / "scene_groups.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            scenes[row["scene_group"]].append(row)
    videos.mkdir(parents=True, exist_ok=True)
    truth_file = videos / "truth.json"
    if truth_file.exists():
        known: Truth = json.loads(truth_file.read_text())
        return known
    truth = {}
    for scene, rows in sorted(scenes.items(), key=lambda item: int(item[0])):
        rows.sort(key=lambda row: row["file"])
        random.Random(int(scene)).shuffle(rows)  # else every video would begin with its fights
        name = f"scene_{int(scene):03d}.mp4"
        truth[name] = join_clips(data, rows, videos / name)
    truth_file.write_text(json.dumps(truth))
    return truth


def join_clips(data: Path, rows: list[Row], target: Path) -> list[int]:
    """Join clips at the scene's most common size and frame rate; return the label of each frame."""
    size = Counter((int(row["width"]) // 2 * 2, int(row["height"]) // 2 * 2) for row in rows)
    (width, height), _ = size.most_common(1)[0]
    rate = Fraction(Counter(row["fps"] for row in rows).most_common(1)[0][0]).limit_denominator(1001)
    labels: list[int] = []
    with av.open(target, "w") as output:
        stream = output.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for row in rows:
            with av.open(data / row["file"]) as clip:
                for frame in clip.decode(video=0):
                    picture = frame.reformat(width=width, height=height, format="yuv420p")
                    picture.pts, picture.time_base = len(labels), 1 / rate
                    labels.append(int(row["label"]))
                    output.mux(stream.encode(picture))
        output.mux(stream.encode())
    return labels


def split(truth: Truth, n_folds: int) -> list[list[str]]:
    """Deal the scenes into folds, each kind (fight only, both, none) evenly."""
    kinds: dict[tuple[int, int], list[str]] = defaultdict(list)
    for name, labels in truth.items():
        kinds[min(labels), max(labels)].append(name)
    folds: list[list[str]] = [[] for _ in range(n_folds)]
    rng = random.Random(0)
    for _, names in sorted(kinds.items()):
        rng.shuffle(names)
        for index, name in enumerate(names):
            folds[index % n_folds].append(name)
    return folds


def write_labels(path: Path, truth: Truth, names: list[str]) -> None:
    """Write the video-level labels that ``fit`` may see: one bit a video."""
    lines = [f"{name},{max(truth[name])}" for name in sorted(names)]
    path.write_text("\n".join(["video,label", *lines]) + "\n")


def frame_aucs(curves: dict[str, vadpipe.Curve], truth: Truth) -> tuple[float, float]:
    """Return the ROC-AUC over the frames of all videos, and of those with both kinds of frames."""
    both = [name for name in curves if min(truth[name]) != max(truth[name])]

    def auc(names: list[str]) -> float:
        labels = np.concatenate([truth[name] for name in names])
        return float(roc_auc_score(labels, np.concatenate([curves[name].scores for name in names])))

    return auc(list(curves)), auc(both)


def measure(
    work: Path, truth: Truth, settings: vadpipe.HeadSettings, n_folds: int, seed: int
) -> tuple[float, float]:
    """Fit on all folds but one and score that one, for each; return the mean over folds."""
    results = []
    for index, test in enumerate(split(truth, n_folds)):
        run = work / "runs" / f"fold{index}-seed{seed}"
        run.mkdir(parents=True, exist_ok=True)
        write_labels(run / "labels.csv", truth, [name for name in truth if name not in test])
        result = vadpipe.fit(
            work / "features", labels=run / "labels.csv", output=run / "head", settings=settings, seed=seed
        )
        scorer = vadpipe.Scorer(result.head, features=work / "features")
        curves = {name: scorer.score(work / "videos" / name) for name in test}
        results.append(frame_aucs(curves, truth))
    mean = np.mean(results, axis=0)
    return float(mean[0]), float(mean[1])


def main() -> None:
    """Run the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=5, help="0 measures nothing")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--baseline", action="store_true", help="measure the plain MIL head as well")
    parser.add_argument("--ship", type=Path, help="train on all scenes and write the head here")
    options = parser.parse_args()

    truth = join_scenes(options.data, options.work / "videos")
    made = vadpipe.extract_features([options.work / "videos"], options.work / "features")
    print(f"{len(truth)} videos, {len(made.written)} extracted now")

    variants = {"CBCG": vadpipe.HeadSettings()}
    if options.baseline:
        variants["MIL"] = vadpipe.HeadSettings(clustering=False, guided=False)
    for name, settings in variants.items() if options.seeds else ():
        rows = []
        for seed in range(options.seeds):
            rows.append(measure(options.work, truth, settings, options.folds, seed))
            print(
                f"{name} seed {seed}: frame AUC {rows[-1][0]:.4f}, abnormal videos {rows[-1][1]:.4f}",
                flush=True,
            )
        mean, deviation = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1 if len(rows) > 1 else 0)
        print(
            f"{name}, {options.folds} scene-disjoint folds x {options.seeds} seeds: frame AUC {mean[0]:.4f} "
            f"(deviation {deviation[0]:.4f}), abnormal videos {mean[1]:.4f} ({deviation[1]:.4f})"
        )
    if options.ship is not None:
        write_labels(options.work / "all.csv", truth, list(truth))
        result = vadpipe.fit(
            options.work / "features", labels=options.work / "all.csv", output=options.work / "head"
        )
        shutil.copy(result.head, options.ship)
        print(f"{options.ship}: step {result.selected.step}, threshold {result.threshold:.3f}")


if __name__ == "__main__":
    main()
