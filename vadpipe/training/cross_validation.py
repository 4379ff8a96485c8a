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
from torch import Tensor

from vadpipe.head.bags import Bag, TrainingSet
from vadpipe.head.head import Head
from vadpipe.head.record import Calibration, HeldOut
from vadpipe.head.settings import HeadSettings
from vadpipe.training.folds import all_but, make_folds
from vadpipe.training.judging import Judge, Judged, judged, snippet_scores, video_auc
from vadpipe.training.loop import LossReport, Training
from vadpipe.training.report import threshold_warnings
from vadpipe.training.resume import Resume, code_digest
from vadpipe.training.step_selection import Selection

log = logging.getLogger(__name__)

COLLAPSED = 0.9
"""Cosine of the two centroids above which the clusters tell nothing apart."""


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
        held_out: how well held-out videos were told apart at that step.
        last_threshold, last_held_out: the same for ``last``.
        history: every check.
        watched: step -> snippet scores (S,) of each watched bag, in their order, at every check of the
            training on all bags.
    """

    selected: Head
    last: Head
    step: int
    threshold: Calibration
    held_out: HeldOut
    last_threshold: Calibration
    last_held_out: HeldOut
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

    With too few groups to judge (:func:`vadpipe.training.folds.can_judge`) the last step is taken; if no
    folds can be made, the threshold comes from the training videos themselves, with a warning.

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
    found, found_last = _unpacked(picked["selected"]), _unpacked(picked["last"])
    training.head.scale.copy_(found.scale)
    selected, watched = _train_on_all(training, picked["step"], watch, resume)
    training.head.scale.copy_(found_last.scale)
    result = TrainingResult(
        selected=training.head_of(selected),
        last=training.head_of(training.snapshot()),
        step=picked["step"],
        threshold=found.threshold,
        held_out=found.held_out,
        last_threshold=found_last.threshold,
        last_held_out=found_last.held_out,
        history=[StepMetrics(**check) for check in picked["history"]],
        watched=watched,
    )
    warnings = threshold_warnings(result.threshold)
    if result.step != settings.steps:
        warnings += threshold_warnings(result.last_threshold, "at the last step, ")
    for warning in warnings:
        log.warning("%s", warning)
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
    unseen, all_rows = bool(folds), list(range(len(data.bags)))
    learned_from = [all_but(folds, fold) for fold in range(len(folds))] or [all_rows]
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
        heads = [training.head for training in trainings]
        auc = video_auc(data, _judges(heads, folds or [all_rows]), unseen=unseen)
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
    found = []
    for numbers in (snapshots, [training.snapshot() for training in trainings]):
        pairs = zip(trainings, numbers, strict=True)
        heads = [training.head_of(own).to(data.device) for training, own in pairs]
        found.append(judged(data, _judges(heads, folds or [all_rows]), unseen=unseen, seed=seed))
    return {
        "step": step,
        "selected": _packed(found[0]),
        "last": _packed(found[1]),
        "history": kept["history"] if kept else [],
    }


def _judges(heads: Sequence[Head], rows: Sequence[Sequence[int]]) -> list[Judge]:
    return [Judge(head, own) for head, own in zip(heads, rows, strict=True)]


def _packed(found: Judged) -> dict[str, Any]:
    """Return what held-out videos say in parts that a state can hold."""
    return {
        "scale": found.scale,
        "threshold": found.threshold.model_dump_json(),
        "held_out": found.held_out.model_dump_json(),
    }


def _unpacked(parts: dict[str, Any]) -> Judged:
    return Judged(
        scale=parts["scale"],
        threshold=Calibration.model_validate_json(parts["threshold"]),
        held_out=HeldOut.model_validate_json(parts["held_out"]),
    )


def _check(progress: Sequence[LossReport], auc: float | None) -> StepMetrics:
    def mean(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in progress]))

    return StepMetrics(progress[0].step, mean("mil"), mean("cluster"), mean("cosine"), mean("spread"), auc)


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
