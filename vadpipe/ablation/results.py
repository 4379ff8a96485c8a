"""What an ablation found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vadpipe.ablation.comparison import Difference, Measured, Summary
from vadpipe.ablation.data import Data
from vadpipe.ablation.rows import Row
from vadpipe.ablation.runs import AblationJob, At
from vadpipe.errors import VadpipeError
from vadpipe.head.settings import HeadSettings


@dataclass(frozen=True)
class FailedRun:
    """A run that could not be done, and why."""

    job: AblationJob
    error: VadpipeError


@dataclass(frozen=True)
class Plan:
    """What was asked for.

    Attributes:
        truth: the CSV.
        base: settings of the full method.
        rows: the variants, no two with the same settings.
        same: rows left out since their settings are those of another, and that other's name.
        partitions: the test videos of each fold, once or several times; seed s takes number s modulo these.
        n_seeds: seeds are 0 to n_seeds - 1.
        resamples: of the intervals over scenes.
        device: where heads are trained.
    """

    truth: Path
    base: HeadSettings
    rows: list[Row]
    same: dict[str, str]
    partitions: list[list[list[str]]] = field(repr=False)
    n_seeds: int
    resamples: int
    device: str

    @property
    def n_folds(self) -> int:
        """How many folds there are."""
        return len(self.partitions[0])

    def folds(self, seed: int) -> list[list[str]]:
        """Return the test videos of each fold for that seed."""
        return self.partitions[seed % len(self.partitions)]


@dataclass(frozen=True)
class Ablation:
    """What :func:`vadpipe.ablate` found.

    Attributes:
        plan: what was asked for.
        data: the videos.
        measured: every run that is done, with its figures.
        n_kept: how many of these were there already.
        failed: runs that could not be done.
        summaries: every figure of every row at every step.
        differences: how much each row is above ``mil`` and above ``second head``, where these were run.
        files: what was written: ``ablation.md``, ``.csv``, ``.json`` and ``.png``.
    """

    plan: Plan
    data: Data
    measured: list[Measured] = field(repr=False)
    n_kept: int
    failed: list[FailedRun]
    summaries: list[Summary] = field(repr=False)
    differences: list[Difference] = field(repr=False)
    files: list[Path]

    def summary(self, row: str, figure: str = "auc", at: At = "selected") -> Summary | None:
        """Return a figure of a row; None if no run of it was done."""
        wanted = row, figure, at
        return next((s for s in self.summaries if (s.row, s.figure, s.at) == wanted), None)

    def difference(
        self, row: str, reference: str, figure: str = "auc", at: At = "selected"
    ) -> Difference | None:
        """Return how much a row is above a reference; None if one of them was not run."""
        wanted = row, reference, figure, at
        return next(
            (d for d in self.differences if (d.row, d.reference, d.figure, d.at) == wanted),
            None,
        )
