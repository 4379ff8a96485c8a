"""Training with cross-validation: pick a step on held-out videos, calibrate, train on all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vadpipe.extract.engines.full_float32 import full_float32
from vadpipe.head.bags import Bag, TrainingSet
from vadpipe.head.head import Head
from vadpipe.head.record import Calibration, HeldOut
from vadpipe.head.settings import HeadSettings
from vadpipe.training.history import StepMetrics, TrainingProgress
from vadpipe.training.judging import Judge, Judged
from vadpipe.training.loop import Start
from vadpipe.training.report import threshold_warnings
from vadpipe.training.resume import Resume, code_digest
from vadpipe.training.stages import Work, cross_validate, train_on_all

log = logging.getLogger(__name__)

COLLAPSED = 0.9
"""Cosine of the two centroids above which the clusters tell nothing apart."""


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
        judges: the heads of the folds at the picked step, on the scale of their networks, with the rows of
            the bags that they have not seen; empty if they were not asked for. Without folds it is one head
            that has seen all of them.
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
    judges: list[Judge] = field(repr=False)

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the thresholds or the clusters, a sentence each."""
        warnings, step = threshold_warnings(self.threshold), self.step
        if step != self.selected.settings.steps:
            warnings += threshold_warnings(self.last_threshold, "at the last step, ")
        cosine = self.selected.cluster_cosine
        if cosine > COLLAPSED and self.selected.settings.clustering:
            warnings.append(
                f"the normal and the abnormal cluster are not separated at step {step}: cosine {cosine:.2f}"
            )
        return warnings


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
    data = TrainingSet(bags, settings.segments, device)

    def on_progress(report: TrainingProgress) -> None:
        if on_check is not None and report.check is not None:
            on_check(report.check)

    result = train_on(data, settings, seed=seed, watch=watch, on_progress=on_progress, state=state)
    for warning in result.warnings:
        log.warning("%s", warning)
    return result


@full_float32()  # a head trained on a GPU is then that of a CPU, but for dropout and rounding
def train_on(
    data: TrainingSet,
    settings: HeadSettings,
    *,
    seed: int = 0,
    start: Start | None = None,
    watch: Sequence[Bag] = (),
    keep_judges: bool = False,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    state: Path | None = None,
) -> TrainingResult:
    """Do what :func:`train_with_cross_validation` does, on bags in memory, and log no warnings.

    Args:
        data: bags of both labels, squeezed to ``settings.segments``.
        settings: switches and numbers.
        seed: of the folds, the initial weights, dropout and the order of the bags.
        watch: other bags to score at every check; nothing is chosen by them.
        state: file in which an interrupted training is kept; it is the caller's to remove.
        start: the numbers that all heads begin with, those of the folds too.
        keep_judges: whether the result holds the folds' heads.
        on_progress: called at the beginning of both parts and at each of their checks.
    """
    key = training_key(data, settings, seed, start=start, keep_judges=keep_judges)
    work = Work(data, settings, seed, start, keep_judges, Resume(state, key), on_progress)
    picked = work.resume.get("picked")
    resumed = picked is not None
    if picked is None:
        picked = cross_validate(work)
        work.resume.drop("folds")
        work.resume.put("picked", picked, now=True)
    training = work.training(range(len(data.bags)))
    found, found_last = Judged.unpacked(picked["selected"]), Judged.unpacked(picked["last"])
    training.set_scale(found.scale)
    selected, watched = train_on_all(work, training, picked["step"], watch, resumed=resumed)
    training.set_scale(found_last.scale)
    return TrainingResult(
        selected=training.head_of(selected),
        last=training.head_of(training.snapshot()),
        step=picked["step"],
        threshold=found.threshold,
        held_out=found.held_out,
        last_threshold=found_last.threshold,
        last_held_out=found_last.held_out,
        history=[StepMetrics(**check) for check in picked["history"]],
        watched=watched,
        judges=work.judges([training.head_of(numbers).to(data.device) for numbers in picked["judges"]])
        if keep_judges
        else [],
    )


def training_key(
    data: TrainingSet,
    settings: HeadSettings,
    seed: int,
    *,
    start: Start | None = None,
    keep_judges: bool = False,
) -> str:
    """Return a text that is the same for two trainings only if they end with the same numbers."""
    begun = "" if start is None else start.sha256
    device, made = data.device.type, settings.model_dump_json()
    return f"{code_digest()} {data.digest} {seed} {device} {made} {begun} {keep_judges}"
