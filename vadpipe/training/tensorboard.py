"""The checks of a training as scalars for TensorBoard, as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from vadpipe.errors import OutputError, UsageError
from vadpipe.files.atomic import CHOOSE_ANOTHER_PLACE
from vadpipe.training.history import FitProgress, StepMetrics
from vadpipe.training.result import SeedRun

_TAGS = {"mil": "loss/labels", "cluster": "loss/clusters", "auc": "held-out/auc"}


class TensorBoardLog:
    """Event files of a fit; several seeds have a folder each.

    Args:
        folder: that TensorBoard is shown.

    Raises:
        UsageError: if TensorBoard is not installed.
        OutputError: if the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UsageError(
                "--tensorboard needs TensorBoard, which is not installed",
                next_step="pip install 'vadpipe[tensorboard]'",
            ) from error
        self._make, self._folder = SummaryWriter, folder
        self._writers: dict[int, Any] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = f"cannot be written: {error.strerror}"
            raise OutputError(reason, file=folder, next_step=CHOOSE_ANOTHER_PLACE) from error

    def __call__(self, report: FitProgress) -> None:
        """Write the check of a report, if it has one."""
        if report.training.check is not None:
            self._write(report.seed, report.training.check, apart=report.n_seeds > 1)

    def write(self, runs: Sequence[SeedRun]) -> None:
        """Write all checks of a fit that was finished before."""
        for run in runs:
            for check in run.history:
                self._write(run.seed, check, apart=len(runs) > 1)

    def close(self) -> None:
        """Write what is left."""
        for writer in self._writers.values():
            writer.close()

    def _write(self, seed: int, check: StepMetrics, *, apart: bool) -> None:
        if seed not in self._writers:
            folder = self._folder / f"seed-{seed}" if apart else self._folder
            # What an interrupted run had written from this step on is written again.
            self._writers[seed] = self._make(str(folder), purge_step=check.step)
        for field in fields(check):
            value = getattr(check, field.name)
            if field.name != "step" and value is not None:
                tag = _TAGS.get(field.name, f"clusters/{field.name}")
                self._writers[seed].add_scalar(tag, value, check.step)
        self._writers[seed].flush()
