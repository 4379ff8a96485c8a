"""The history of a training: its checks, how far it is, and ``history.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from vadpipe.files.atomic import write_text

Stage = Literal["cross-validation", "on all videos"]
"""Of a training: first each fold has a head of its own, then one head learns from all videos."""


@dataclass(frozen=True)
class StepMetrics:
    """A check during the training.

    Attributes:
        step: steps done.
        mil, cluster, cosine, spread: the means over the folds of what
            :class:`vadpipe.training.loop.LossReport` says, or of the one training where there are no folds.
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
class TrainingProgress:
    """How far the training of one head is.

    Attributes:
        stage: what is being done.
        step: steps done of that.
        n_steps: steps of it in all.
        share: of all the work, in [0, 1].
        check: the check that was just made; None at the beginning, and in the training on all videos.
        resumed: whether the training goes on here after an interruption.
    """

    stage: Stage
    step: int
    n_steps: int
    share: float
    check: StepMetrics | None = None
    resumed: bool = False


@dataclass(frozen=True)
class FitProgress:
    """How far a fit is.

    Attributes:
        seed: whose head is trained.
        index: its number, from 0.
        n_seeds: how many there are.
        training: how far the training of that head is.
    """

    seed: int
    index: int
    n_seeds: int
    training: TrainingProgress

    @property
    def share(self) -> float:
        """How much of all the work is done, in [0, 1]."""
        return (self.index + self.training.share) / self.n_seeds


def write_history(histories: Mapping[int, Sequence[StepMetrics]], path: Path) -> None:
    """Write the checks as a CSV, a line each, atomically; an AUC that there is not is empty.

    Args:
        histories: seed -> its checks.
        path: the file.

    Raises:
        OutputError: if it cannot be written.
    """
    names = [field.name for field in fields(StepMetrics)]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["seed", *names])
    for seed, history in histories.items():
        for check in history:
            rows.writerow([seed, *(getattr(check, name) for name in names)])
    write_text(path, text.getvalue())
