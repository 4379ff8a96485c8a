"""Export of a data set's labels and ground truth as the CSVs that ``fit`` and ``evaluate`` read."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.datasets.dataset import Contents, Dataset, TrainingVideo
from vadpipe.datasets.folder_inventory import features_in
from vadpipe.errors import InputError, UsageError
from vadpipe.extract.video.names import Match, match
from vadpipe.files.atomic import write_text


@dataclass(frozen=True)
class Written:
    """Result of :func:`write_labels`.

    Attributes:
        train: the CSV ``video,label[,group][,class]`` of the training split, or None if no features of it
            are available.
        truth: the CSV of the test split, likewise.
        contents: what is in the two.
        left_out: for each split, ``"train"`` and ``"test"``, the videos without features, or of several.
        ended: test videos whose ground truth ends with their features: the published one only repeats its
            last value from there on.
        totals_off: differences from the published totals.
    """

    train: Path | None
    truth: Path | None
    contents: Contents
    left_out: dict[str, list[str]]
    ended: list[str]
    totals_off: list[str]


def write_labels(
    dataset: Dataset,
    annotations: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    features: str | os.PathLike[str] | None = None,
    cut: bool = False,
    split: int | None = None,
    seed: int = 0,
) -> Written:
    """Write ``NAME.train.csv`` for ``fit --labels`` and ``NAME.truth.csv`` for ``evaluate --truth``.

    Args:
        dataset: the recipe.
        annotations: the folder of the annotation files.
        output: folder of the two files.
        features: a folder of feature files. Videos then have the names used there, and those without features
            are omitted. A ground truth that only repeats its last value beyond the end of its features ends
            with them.
        cut: whether the ground truth is cut as papers do, see :meth:`Dataset.read`.
        split: which of the splits drawn by ``seed``, from 0; the first one of UCSD Ped2 by default.
        seed: of these splits.

    Raises:
        UsageError: if an annotation file or an argument cannot be used.
        InputError: if no feature file is of this data set.
        OutputError: if ``output`` cannot be written.
    """
    official = dataset.read(annotations, cut=cut)
    contents = official
    if split is not None or dataset.splitter is not None:
        drawn = dataset.splits(annotations, seed=seed)
        if not 0 <= (split or 0) < len(drawn):
            raise UsageError(f"unknown split {split}", next_step=f"Choose one from 0 to {len(drawn) - 1}.")
        contents = drawn[split or 0]
    left_out: dict[str, list[str]] = {"train": [], "test": []}
    ended: list[str] = []
    if features is not None:
        contents, left_out, ended = _as_there(contents, Path(features), dataset)
    folder = Path(output)
    train, truth = (folder / f"{dataset.name}.{what}.csv" for what in ("train", "truth"))
    if contents.training:
        _write_training(train, contents.training)
    if contents.test:
        write_truth(truth, contents.test)
    return Written(
        train if contents.training else None,
        truth if contents.test else None,
        contents,
        left_out,
        ended,
        dataset.totals_off(official, cut=cut),
    )


def _as_there(
    contents: Contents, folder: Path, dataset: Dataset
) -> tuple[Contents, dict[str, list[str]], list[str]]:
    """Keep the videos that have features, under the names of these.

    Returns:
        The new contents, for each split the videos that were left out, and those whose truth ends earlier.
    """
    there = features_in(folder)
    training = [video.video for video in contents.training]
    test = [truth.video for truth in contents.test]
    found: Match = match([*training, *test], there.names)
    if not found.found:
        raise InputError(
            f"contains no features of videos of {dataset.title}",
            file=folder,
            next_step=f"'vadpipe datasets check {dataset.name}' compares the names.",
        )
    named = found.found
    truths: list[Truth] = []
    ended: list[str] = []
    for truth in contents.test:
        if truth.video in named:
            name = named[truth.video]
            if contents.fills(truth, there.n_frames[name]):
                ended.append(truth.video)
                truth = truth.first(there.n_frames[name])
            truths.append(replace(truth, video=name))
    videos = [replace(video, video=named[video.video]) for video in contents.training if video.video in named]
    left_out = {
        "train": [video for video in training if video not in named],
        "test": [video for video in test if video not in named],
    }
    return replace(contents, training=tuple(videos), test=tuple(truths)), left_out, ended


def _write_training(path: Path, videos: Iterable[TrainingVideo]) -> None:
    """Write ``video,label[,group][,class]``, the last two only where one is known."""
    videos = list(videos)
    with_group = any(video.group is not None for video in videos)
    with_class = any(video.category is not None for video in videos)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["video", "label", *["group"] * with_group, *["class"] * with_class])
    for video in videos:
        label = "abnormal" if video.abnormal else "normal"
        extra = [*[video.group or ""] * with_group, *[video.category or ""] * with_class]
        writer.writerow([video.video, label, *extra])
    write_text(path, text.getvalue())
