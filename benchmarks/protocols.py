"""Who learns from which videos, and who is tested, in each collection and from one to the other."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vadpipe import datasets
from vadpipe.ablation.data import Sample, load_data
from vadpipe.ablation.folds import make_test_folds
from vadpipe.annotations.truth import Truth
from vadpipe.annotations.truth_sheet import read_truth
from vadpipe.head.bags import Bag

N_FOLDS = 4
_UCF_FPS = 30.0
PED2 = "ucsd_ped2/"


@dataclass(frozen=True)
class Videos:
    """Videos of one recipe.

    Attributes:
        samples: those that may be tested, by name.
        bags: those that may be learned from, by name.
        digests: of each, everything that a result depends on.
    """

    samples: Mapping[str, Sample] = field(repr=False)
    bags: Mapping[str, Bag] = field(repr=False)
    digests: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Split:
    """A training and its test.

    Attributes:
        fold, seed: which, from 0 up.
        train, test: names of videos.
    """

    fold: int
    seed: int
    train: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Protocol:
    """One way to judge.

    Attributes:
        name: of it.
        title: for a table.
        figures: what is reported; the first decides.
    """

    name: str
    title: str
    figures: tuple[str, ...]


PROTOCOLS = (
    Protocol("fight_surv", f"fight_surv, {N_FOLDS} folds", ("auc", "auc_abnormal")),
    Protocol("vioperu", f"vioperu, {N_FOLDS} folds", ("auc", "within")),
    Protocol("fight_surv-vioperu", "fight_surv, tested on vioperu", ("auc", "within")),
    Protocol("vioperu-fight_surv", "vioperu, tested on fight_surv", ("auc", "auc_abnormal")),
    Protocol("urfall", f"urfall, {N_FOLDS} folds", ("within",)),
    Protocol("ped2", "Ped2, ten weakly supervised splits", ("auc", "auc_abnormal")),
    Protocol("ucf_x3d", "UCF-Crime, X3D-L features", ("auc", "ap")),
)


def load_videos(features: Path, truth: Path) -> Videos:
    """Return the videos of a feature folder and their truth."""
    data = load_data(features, truth)
    if data.missing or data.ambiguous:
        raise SystemExit(f"{features}: no features of {[*data.missing, *data.ambiguous][:3]}")
    digests = {name: sample.digest for name, sample in data.samples.items()}
    return Videos(data.samples, data.bags(), digests)


def load_ucf_x3d(folder: Path) -> Videos:
    """Return the published features of UCF-Crime; training videos come squeezed to 48 segments at most."""
    with (folder / "labels.csv").open(newline="") as table:
        labels = {row["video"]: int(row["label"]) for row in csv.DictReader(table)}
    truths = {truth.video: truth for truth in read_truth(folder / "truth.csv")}
    counts = (line.rpartition("@") for line in (folder / "frame_counts.txt").read_text().split())
    n_frames = {name: int(count) for name, _, count in counts}
    samples: dict[str, Sample] = {}
    bags: dict[str, Bag] = {}
    digests: dict[str, str] = {}
    for part, names in (("train", labels), ("test", truths)):
        for name in names:
            content = (folder / part / f"{name}.npy").read_bytes()
            values = np.load(folder / part / f"{name}.npy").astype(np.float32)[None]
            label = labels[name] if part == "train" else int(truths[name].abnormal)
            end_s = n_frames[name] / _UCF_FPS
            starts_s = np.arange(values.shape[1]) * (end_s / values.shape[1])
            bags[name] = Bag(name, values, label, name, starts_s, end_s)
            digests[name] = hashlib.sha256(content + str((label, truths.get(name))).encode()).hexdigest()
            if part == "test":
                samples[name] = _ucf_sample(truths[name], values.shape[1], digests[name])
    return Videos(samples, bags, digests)


_UCF_ROW_FRAMES = (32, 80)
"""Every second frame was taken, or every fifth, and 16 of them make a row: nothing says so but the counts."""


def _ucf_sample(truth: Truth, n_rows: int, digest: str) -> Sample:
    """Return the truth of a test video and which frames its rows speak for; the last one ends with it."""
    (step,) = (frames for frames in _UCF_ROW_FRAMES if -(-truth.n_frames // frames) == n_rows)
    starts = np.arange(n_rows) * step
    return Sample(
        truth=truth,
        source=truth.video,
        spans=np.stack([starts, np.append(starts[1:], truth.n_frames)], axis=1),
        n_shown=truth.n_frames,
        lost=np.zeros(n_rows, dtype=np.bool_),
        times_s=np.arange(truth.n_frames) / _UCF_FPS,
        end_s=truth.n_frames / _UCF_FPS,
        digest=digest,
    )


def splits(protocol: Protocol, videos: Videos, data: Path, n_seeds: int) -> Iterator[Split]:
    """Yield every training of a protocol, seed by seed."""
    source, _, target = protocol.name.partition("-")
    if protocol.name == "ped2":  # ten splits as papers draw them; each has a seed of its own
        for number, contents in enumerate(datasets.get("ped2").splits(data / "ucsd_ped2")):
            train = tuple(PED2 + video.video for video in contents.training)
            yield Split(number, 0, train, tuple(PED2 + truth.video for truth in contents.test))
        return
    for seed in range(n_seeds):
        if protocol.name == "ucf_x3d":
            train = tuple(name for name in videos.bags if name not in videos.samples)
            yield Split(0, seed, train, tuple(videos.samples))
        elif target:
            yield Split(0, seed, _of(source, videos), _of(target, videos))
        else:
            yield from _folds(source, videos, seed)


def _of(collection: str, videos: Videos) -> tuple[str, ...]:
    return tuple(name for name in videos.samples if name.startswith(f"{collection}/"))


def _folds(collection: str, videos: Videos, seed: int) -> Iterator[Split]:
    names = _of(collection, videos)
    truths = [videos.samples[name].truth for name in names]
    for fold, chosen in enumerate(make_test_folds(truths, N_FOLDS, seed)):
        test = set(chosen)
        train = tuple(name for name in names if name not in test)
        # Of urfall only camera 0 has a truth about frames.
        yield Split(fold, seed, train, tuple(name for name in chosen if not name.endswith("cam1.mp4")))
