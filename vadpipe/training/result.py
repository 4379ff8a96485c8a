"""The result of a fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vadpipe.annotations.labels import Label
from vadpipe.head.record import Calibration, HeldOut
from vadpipe.training.history import StepMetrics


@dataclass(frozen=True)
class SeedRun:
    """The training of one seed.

    Attributes:
        seed: of the folds, the initial weights and the order of the bags.
        step: after which its head was taken.
        threshold: what is called abnormal, and how that was found.
        held_out: how well held-out videos were told apart at that step.
        history: every check of the training; the ``auc`` is None if there were too few videos to judge.
    """

    seed: int
    step: int
    threshold: Calibration
    held_out: HeldOut
    history: list[StepMetrics] = field(repr=False)


@dataclass(frozen=True)
class Fit:
    """Result of :func:`vadpipe.fit`.

    Attributes:
        head: the head file; of several seeds the first one's, or the ensemble.
        last: the same training at its last step; None of an ensemble.
        labels: the label of each video that was used, and where it came from.
        unused: feature files whose video is not in the CSV, or without a decoded snippet.
        step: after which ``head`` was taken; of an ensemble that of its first member.
        threshold: what is called abnormal, and how that was found.
        held_out: how well held-out videos were told apart at that step.
        history: every check of the training; the ``auc`` is None if there were too few videos to judge. Of
            an ensemble that of its first member.
        runs: the training of each seed.
        ensemble: whether ``head`` averages all seeds.
        trained: False where it had been trained before, with equal inputs.
    """

    head: Path
    last: Path | None
    labels: dict[str, Label] = field(repr=False)
    unused: list[str]
    step: int
    threshold: Calibration
    held_out: HeldOut
    history: list[StepMetrics] = field(repr=False)
    runs: list[SeedRun] = field(default_factory=list, repr=False)
    ensemble: bool = False
    trained: bool = True

    def __repr__(self) -> str:
        auc = "None" if self.auc is None else f"{self.auc:.3f}"
        return (
            f"Fit(head={str(self.head)!r}, videos={len(self.labels)}, seeds={len(self.runs)}, "
            f"step={self.step}, auc={auc}, threshold={self.threshold.threshold:.3f})"
        )

    @property
    def auc(self) -> float | None:
        """Video-level ROC-AUC at the picked step, each video scored by heads that had not seen it."""
        return self.held_out.auc
