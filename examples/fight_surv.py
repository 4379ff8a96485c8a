"""Train and measure on real CCTV: the Surveillance Camera Fight Dataset, by video-level labels alone.

The data set (Akti, Tataroglu and Ekenel, IPTA 2019; MIT) holds clips of about two seconds, cut from
longer recordings. This script

1. joins the clips of each scene into one untrimmed video: the ``fight`` clips are its anomalous
   stretches, which gives a frame-level ground truth that training never sees;
2. extracts features, and trains and tests the method and its parts over scene-disjoint folds and paired
   seeds: the table of docs/benchmarks.md. It is what ``vadpipe extract`` and ``vadpipe ablate`` do;
3. with ``--ship`` trains the included head on the clips themselves, which have labels of their own.

Usage::

    python examples/fight_surv.py DATA WORK [--seeds 5] [--folds 4] [--rows NAME] [--ship HEAD.safetensors]

DATA holds ``fight/``, ``noFight/`` and ``scene_groups.csv`` (columns file, label, fps, width, height,
scene_group); everything that is made goes below WORK. What is there already is not made again.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

import av

import vadpipe
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.annotations.truth_sheet import read_truth
from vadpipe.training.result import Fit

Row = dict[str, str]


def join_scenes(data: Path, work: Path) -> list[Truth]:
    """Write ``videos/scene_NNN.mp4`` for each scene, and ``truth.csv``: which frames show a fight."""
    file = work / "truth.csv"
    if file.exists():
        return read_truth(file)
    scenes: dict[str, list[Row]] = defaultdict(list)
    with (data / "scene_groups.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            scenes[row["scene_group"]].append(row)
    (work / "videos").mkdir(parents=True, exist_ok=True)
    truths = []
    for scene, rows in sorted(scenes.items(), key=lambda item: int(item[0])):
        rows.sort(key=lambda row: row["file"])
        random.Random(int(scene)).shuffle(rows)  # else every video would begin with its fights
        name = f"scene_{int(scene):03d}.mp4"
        labels = join_clips(data, rows, work / "videos" / name)
        truths.append(Truth.of_frames(name, labels))
    write_truth(file, truths)
    return truths


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


def train_on_clips(data: Path, work: Path) -> Fit:
    """Train a head on all clips; those of a scene stay in one fold."""
    with (data / "scene_groups.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    labels, features = work / "clips.csv", work / "clip-features"
    lines = [f"{data.name}/{row['file']},{row['label']},{row['scene_group']}" for row in rows]
    labels.write_text("\n".join(["video,label,group", *lines]) + "\n")
    vadpipe.extract_features([data], features)
    return vadpipe.fit(features, labels=labels, output=work / "head", force=True)


def main() -> None:
    """Run the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=5, help="0 measures nothing")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--rows", action="append", help="only this row of the table; repeatable")
    parser.add_argument("--ship", type=Path, help="train on all clips and write the head here")
    options = parser.parse_args()

    truths, features = join_scenes(options.data, options.work), options.work / "features"
    made = vadpipe.extract_features([options.work / "videos"], features)
    print(f"{len(truths)} videos, {len(made.written)} extracted now")
    if options.seeds:
        result = vadpipe.ablate(
            features,
            truth=options.work / "truth.csv",
            output=options.work / "ablation",
            folds=options.folds,
            seeds=options.seeds,
            partitions=options.seeds,  # each seed deals the scenes into folds in a way of its own
            rows=options.rows,
        )
        print(*result.files, sep="\n")
    if options.ship is not None:
        head = train_on_clips(options.data, options.work)
        shutil.copy(head.head, options.ship)
        print(f"{options.ship}: step {head.step}, threshold {head.threshold.threshold:.3f}")


if __name__ == "__main__":
    main()
