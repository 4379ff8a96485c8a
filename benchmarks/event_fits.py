"""What heads say of videos that they have not seen, by how their scores are smoothed.

A head is trained, its step is picked and its scores are scaled as ``vadpipe fit`` does. Smoothing has no part
in the training, so one training serves every deviation; the step is picked with the settings' own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from protocols import Split, Videos
from safetensors.numpy import load_file
from safetensors.numpy import save as serialise
from sklearn.metrics import roc_auc_score

from vadpipe.files.atomic import write_bytes
from vadpipe.head.bags import Bag, TrainingSet
from vadpipe.head.head import Head
from vadpipe.head.platt_scaling import fit_platt_scaling, log_odds
from vadpipe.head.settings import HeadSettings
from vadpipe.training.folds import all_but, can_judge, make_folds
from vadpipe.training.judging import bag_means, snippet_scores
from vadpipe.training.loop import Training
from vadpipe.training.resume import code_digest
from vadpipe.training.stages import check_steps
from vadpipe.training.step_selection import Selection

Scores = list[NDArray[np.float32]]
"""Of each video the scores (S,) of its snippets."""


@dataclass(frozen=True)
class Fitted:
    """The scores of a training, smoothed in one way.

    Attributes:
        unseen: of the training videos, each by the head of the fold that had not seen it.
        test: of the test videos, by the head that learned from all training videos.
    """

    unseen: Scores = field(repr=False)
    test: Scores = field(repr=False)


def fit(
    train: Sequence[Bag],
    test: Sequence[Bag],
    settings: HeadSettings,
    smoothings: Sequence[float],
    seed: int,
) -> dict[float, Fitted]:
    """Return the scores for each smoothing of one training.

    It is trained as :func:`vadpipe.training.cross_validation.train_with_cross_validation` does.

    Args:
        train: bags of both labels, enough for folds.
        test: bags that are only scored.
        settings: of the head.
        smoothings: deviations of the Gaussian, in snippets.
        seed: as of a fit.
    """
    data, folds = TrainingSet(train, settings.segments), make_folds(train, settings.folds, seed)
    judges = [Training(data, all_but(folds, fold), settings, seed=seed) for fold in range(len(folds))]
    final, finals = Training(data, range(len(train)), settings, seed=seed), {}
    selection, labels = Selection(), [train[row].label for rows in folds for row in rows]
    for step in check_steps(settings):
        for training in (*judges, final):
            training.advance(step)
        finals[step], auc = final.snapshot(), None
        if can_judge(train):
            pairs = zip(judges, folds, strict=True)
            means = [bag_means(training.head, data, rows, lambda scores: scores) for training, rows in pairs]
            auc = float(roc_auc_score(labels, np.concatenate(means)))
        selection.see(step, auc, [training.snapshot() for training in judges])
    step, snapshots = selection.best
    unseeing = [training.head_of(numbers) for training, numbers in zip(judges, snapshots, strict=True)]
    head, found = final.head_of(finals[step]), {}
    for smoothing in smoothings:
        for one in (*unseeing, head):
            one.settings = settings.model_copy(update={"smoothing": smoothing})
        _scale(unseeing, head, data, folds, labels)
        of_row = {
            row: snippet_scores(one, train[row])
            for one, rows in zip(unseeing, folds, strict=True)
            for row in rows
        }
        unseen = [of_row[row] for row in range(len(train))]
        found[smoothing] = Fitted(unseen, [snippet_scores(head, bag) for bag in test])
    return found


def _scale(
    unseeing: Sequence[Head],
    head: Head,
    data: TrainingSet,
    folds: Sequence[Sequence[int]],
    labels: Sequence[int],
) -> None:
    """Put all heads on the scale that the videos give which each of them has not seen."""
    for one in unseeing:
        one.scale.copy_(one.scale.new_tensor([1.0, 0.0]))
    odds = [bag_means(one, data, rows, log_odds) for one, rows in zip(unseeing, folds, strict=True)]
    scale = fit_platt_scaling(np.concatenate(odds).tolist(), labels)
    for one in (*unseeing, head):
        one.scale.copy_(scale)


def kept_fit(split: Split, videos: Videos, smoothings: Sequence[float], folder: Path) -> dict[float, Fitted]:
    """Return what :func:`fit` gives of a split by the default settings; it is done once."""
    settings = HeadSettings()
    train, test = ([videos.bags[name] for name in names] for names in (split.train, split.test))
    used = [(name, videos.digests[name]) for name in (*split.train, *split.test)]
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    choices = [settings.model_dump(mode="json"), list(smoothings), split.seed, split.test]
    key = hashlib.sha256(json.dumps([code_digest(), own, choices, used]).encode()).hexdigest()
    file = folder / f"{key[:32]}.safetensors"
    if not file.exists():
        found = fit(train, test, settings, smoothings, split.seed)
        arrays = {
            f"{part} {smoothing}": np.concatenate(getattr(fitted, part))
            for smoothing, fitted in found.items()
            for part in ("unseen", "test")
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, serialise(arrays))
    kept = load_file(file)
    found = {}
    for smoothing in smoothings:
        unseen, tested = (kept[f"{part} {smoothing}"] for part in ("unseen", "test"))
        found[smoothing] = Fitted(_parted(unseen, train), _parted(tested, test))
    return found


def _parted(scores: NDArray[np.float32], bags: Sequence[Bag]) -> Scores:
    ends = np.cumsum([0, *(bag.values.shape[1] for bag in bags)]).tolist()
    return [scores[start:stop] for start, stop in pairwise(ends)]
