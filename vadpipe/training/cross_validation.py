"""Training with cross-validation: pick a step on held-out videos, calibrate, train on all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from vadpipe.head.bags import Bag, TrainingSet
from vadpipe.head.checkpoint import Calibration
from vadpipe.head.head import Head
from vadpipe.head.pieces import PiecewiseScoring
from vadpipe.head.platt_scaling import fit_platt_scaling, log_odds
from vadpipe.head.settings import HeadSettings
from vadpipe.training.calibration import calibrate, warn_of
from vadpipe.training.folds import all_but, can_judge, make_folds
from vadpipe.training.loop import LossReport, Training
from vadpipe.training.resume import Resume, code_digest
from vadpipe.training.step_selection import Selection

log = logging.getLogger(__name__)

COLLAPSED = 0.9
"""Cosine of the two centroids above which the clusters tell nothing apart."""

_BAGS_AT_ONCE = 64


@dataclass(frozen=True)
class StepMetrics:
    """A check during the training.

    Attributes:
        step: steps done.
        mil, cluster, cosine, spread: the means over the folds of what :class:`LossReport` says, or of the
            one training where there are no folds.
        auc: video-level ROC-AUC of all training videos, each scored by the head that has not seen it; None
            where there are too few.
    """

    step: int
    mil: float
    cluster: float
    cosine: float
    spread: float
    auc: float | None


@dataclass(frozen=True)
class TrainingResult:
    """A trained head, with its checks and calibration.

    Attributes:
        selected: trained on all bags up to the picked step; in evaluation mode, on the CPU.
        last: the same training at its end.
        step: of ``selected``.
        threshold: what is called abnormal, and how that was found.
        last_threshold: the same for ``last``.
        history: every check.
        watched: step -> snippet scores (S,) of each watched bag, in their order, at every check of the
            training on all bags.
    """

    selected: Head
    last: Head
    step: int
    threshold: Calibration
    last_threshold: Calibration
    history: list[StepMetrics] = field(repr=False)
    watched: dict[int, list[NDArray[np.float32]]] = field(repr=False)


def train_with_cross_validation(
    bags: Sequence[Bag],
    settings: HeadSettings,
    *,
    seed: int = 0,
    device: torch.device | None = None,
    watch: Sequence[Bag] = (),
    on_check: Callable[[StepMetrics], None] | None = None,
    state: Path | None = None,
) -> TrainingResult:
    """Train a head on bags of both labels.

    1. The bags are divided into folds (:func:`vadpipe.training.folds.make_folds`). For each a head is trained
       on the others, all side by side. At every check each video has a score by a head that has not seen it;
       the AUC of these picks the step, see :class:`vadpipe.training.step_selection.Selection`.
    2. The same heads at that step, on the videos that they have not seen: the scale of the scores
       (:func:`vadpipe.head.platt_scaling.fit_platt_scaling`) and the threshold
       (:func:`vadpipe.training.calibration.calibrate`).
    3. A head is trained on all bags, up to that step, and on to the end.

    With too few groups to judge (:func:`can_judge`) the last step is taken; if no folds can be made, the
    threshold comes from the training videos themselves, with a warning.

    Same seed, same machine, same numbers, bit by bit; also where the training was interrupted and went on.

    Args:
        bags: at least one of each label, all with the same crops and feature width.
        settings: switches and numbers.
        seed: of the folds, the initial weights, dropout and the order of the bags.
        device: where to train.
        watch: other bags to score at every check; nothing is chosen by them.
        on_check: called at each check of step 1.
        state: file in which an interrupted training is kept; it is the caller's to remove.
    """
    device = device or torch.device("cpu")
    data = TrainingSet(bags, settings.segments, device)
    resume = Resume(
        state, key=f"{code_digest()} {data.digest} {seed} {device.type} {settings.model_dump_json()}"
    )
    picked = resume.get("picked")
    if picked is None:
        picked = _pick(data, settings, seed, resume, on_check)
        resume.drop("folds")
        resume.put("picked", picked, now=True)
    training = Training(data, range(len(bags)), settings, seed=seed)
    training.head.scale.copy_(picked["scale"])
    selected, watched = _train_on_all(training, picked["step"], watch, resume)
    training.head.scale.copy_(picked["last_scale"])
    result = TrainingResult(
        selected=training.head_of(selected),
        last=training.head_of(training.snapshot()),
        step=picked["step"],
        threshold=Calibration.model_validate_json(picked["threshold"]),
        last_threshold=Calibration.model_validate_json(picked["last_threshold"]),
        history=[StepMetrics(**check) for check in picked["history"]],
        watched=watched,
    )
    warn_of(result.threshold)
    if result.step != settings.steps:
        warn_of(result.last_threshold, "at the last step, ")
    _warn_of_collapse(result.selected, result.step)
    return result


def check_steps(settings: HeadSettings) -> list[int]:
    """Return the steps after which a training is checked, including the last one."""
    n_checks = min(settings.checks, settings.steps)
    return [round(settings.steps * (index + 1) / n_checks) for index in range(n_checks)]


def _pick(
    data: TrainingSet,
    settings: HeadSettings,
    seed: int,
    resume: Resume,
    on_check: Callable[[StepMetrics], None] | None,
) -> dict[str, Any]:
    """Return the step, the threshold and the checks, by heads that have not seen what they score."""
    folds = make_folds(data.bags, settings.folds, seed)
    learned_from = [all_but(folds, fold) for fold in range(len(folds))] or [list(range(len(data.bags)))]
    trainings = [Training(data, rows, settings, seed=seed) for rows in learned_from]
    selection, history = Selection(), []
    kept = resume.get("folds")
    if kept is not None:
        for training, state in zip(trainings, kept["trainings"], strict=True):
            training.restore(state)
        selection.restore(kept["selection"])
        history = [StepMetrics(**check) for check in kept["history"]]
    for step in check_steps(settings):
        if step <= trainings[0].step:
            continue
        progress = [training.advance(step) for training in trainings]
        auc = _unseen_auc(data, folds, [training.head for training in trainings])
        history.append(_check(progress, auc))
        selection.see(step, auc, [training.snapshot() for training in trainings])
        if on_check is not None:
            on_check(history[-1])
        kept = {
            "trainings": [training.state() for training in trainings],
            "selection": selection.state(),
            "history": [asdict(check) for check in history],
        }
        resume.put("folds", kept)
    step, snapshots = selection.best
    pairs = zip(trainings, snapshots, strict=True)
    selected = [training.head_of(numbers).to(data.device) for training, numbers in pairs]
    last = [training.head_of(training.snapshot()).to(data.device) for training in trainings]
    scale, threshold = _calibrated(data, folds, selected, settings)
    last_scale, last_threshold = _calibrated(data, folds, last, settings)
    return {
        "step": step,
        "scale": scale,
        "threshold": threshold.model_dump_json(),
        "last_scale": last_scale,
        "last_threshold": last_threshold.model_dump_json(),
        "history": kept["history"] if kept else [],
    }


def _calibrated(
    data: TrainingSet, folds: Sequence[Sequence[int]], heads: Sequence[Head], settings: HeadSettings
) -> tuple[Tensor, Calibration]:
    """Return the scale of the scores and, on that scale, the threshold."""
    scale = _scale(data, folds, heads)
    for head in heads:
        head.scale.copy_(scale)
    return scale, _threshold(data, folds, heads, settings)


def _check(progress: Sequence[LossReport], auc: float | None) -> StepMetrics:
    def mean(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in progress]))

    return StepMetrics(progress[0].step, mean("mil"), mean("cluster"), mean("cosine"), mean("spread"), auc)


def _unseen_auc(data: TrainingSet, folds: Sequence[Sequence[int]], heads: Sequence[Head]) -> float | None:
    """Return the ROC-AUC of all bags, each scored by the head that has not seen it; None if too few."""
    if not folds or not can_judge(data.bags):
        return None
    means, labels = _unseen(data, folds, heads, lambda scores: scores)
    return float(roc_auc_score(labels, means))


def _scale(data: TrainingSet, folds: Sequence[Sequence[int]], heads: Sequence[Head]) -> Tensor:
    """Return the scale of the scores by all bags, each scored by the head that has not seen it."""
    if not folds:
        return heads[0].scale.cpu()
    return fit_platt_scaling(*_unseen(data, folds, heads, log_odds))


def _unseen(
    data: TrainingSet,
    folds: Sequence[Sequence[int]],
    heads: Sequence[Head],
    measure: Callable[[Tensor], Tensor],
) -> tuple[list[float], list[int]]:
    """Return for each bag the measure of its segments by the head that has not seen it, and its label."""
    means, labels = [], []
    for head, rows in zip(heads, folds, strict=True):
        means += bag_means(head, data, rows, measure)
        labels += [data.bags[row].label for row in rows]
    return means, labels


def bag_means(
    head: Head, data: TrainingSet, rows: Sequence[int], measure: Callable[[Tensor], Tensor]
) -> list[float]:
    """Return for each of these bags the mean over its top k segments of a measure of their scores.

    Args:
        head: in evaluation mode, where ``data`` lies.
        data: all bags.
        rows: which of them.
        measure: keeps the order of scores (N, T).
    """
    means: list[float] = []
    for start in range(0, len(rows), _BAGS_AT_ONCE):
        batch = data.batch(rows[start : start + _BAGS_AT_ONCE])
        segments = measure(head.score(batch.features, batch.mask))
        means += head.settings.top_k.mean(segments, batch.mask).tolist()
    return means


def snippet_scores(head: Head, bag: Bag) -> NDArray[np.float32]:
    """Return the score of each snippet of a whole video, (S,) float32."""
    return PiecewiseScoring(head, bag.values.transpose(1, 0, 2), np.arange(bag.values.shape[1])).scores()


def _threshold(
    data: TrainingSet, folds: Sequence[Sequence[int]], heads: Sequence[Head], settings: HeadSettings
) -> Calibration:
    """Return the threshold by the videos, each scored by the head that has not seen it."""
    judges = list(zip(heads, folds, strict=True)) if folds else [(heads[0], range(len(data.bags)))]
    normals, abnormals = (
        [
            (data.bags[row], snippet_scores(head, data.bags[row]))
            for head, rows in judges
            for row in data.of_label(label, rows)
        ]
        for label in (0, 1)
    )
    return calibrate(
        normals,
        abnormals,
        per_hour=settings.false_alarms_per_hour,
        quantile=settings.normal_quantile,
        unseen=bool(folds),
    )


def _train_on_all(
    training: Training, until: int, watch: Sequence[Bag], resume: Resume
) -> tuple[dict[str, Tensor], dict[int, list[NDArray[np.float32]]]]:
    """Train to the end; return the numbers at the picked step, and what is watched at every check."""
    selected: dict[str, Tensor] | None = None
    watched: dict[int, list[NDArray[np.float32]]] = {}
    kept = None if watch else resume.get("all")
    if kept is not None:
        training.restore(kept["training"])
        selected = kept["selected"]
    for step in check_steps(training.settings):
        if step <= training.step:
            continue
        training.advance(step)
        if step == until:
            selected = training.snapshot()
        if watch:
            watched[step] = [snippet_scores(training.head, bag) for bag in watch]
        resume.put("all", {"training": training.state(), "selected": selected})
    assert selected is not None
    return selected, watched


def _warn_of_collapse(head: Head, step: int) -> None:
    if head.cluster_cosine > COLLAPSED and head.settings.clustering:
        cosine = head.cluster_cosine
        log.warning(
            "the normal and the abnormal cluster are not separated at step %d: cosine %.2f", step, cosine
        )
