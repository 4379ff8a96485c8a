"""Paired comparison of rows: same folds, same seeds, same videos, and two kinds of interval.

The interval *over seeds* says how the difference would move if the training were repeated on the same
videos: Student's t over the seeds' differences. It knows nothing of other footage. The interval *over scenes*
says how it would move with other test videos: whole groups are drawn with replacement, and every row is
recomputed on the same draws, averaged over the seeds. It knows nothing of other training videos. Neither
contains the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from vadpipe.ablation.data import Data
from vadpipe.ablation.metrics import FIGURES, figures_of, judged_videos, resampled
from vadpipe.ablation.rows import REFERENCES
from vadpipe.ablation.runs import ATS, AblationJob, At, Run
from vadpipe.evaluation.bootstrap import LEVEL, Interval, drawn, interval_of

COMPARED: tuple[At, ...] = ("selected", "last")
"""Steps at which rows are compared; the best on the test videos is not a result."""


@dataclass(frozen=True)
class Measured:
    """A run and its figures.

    Attributes:
        job, run: what was done, and what it gave.
        figures: for each step of :data:`ATS` the figures by name; None if one is not defined.
    """

    job: AblationJob
    run: Run = field(repr=False)
    figures: dict[At, dict[str, float | None]]

    @classmethod
    def of(cls, job: AblationJob, run: Run, data: Data) -> Measured:
        """Compute the figures of a run."""
        threshold = run.record.threshold
        return cls(job, run, {at: figures_of(judged_videos(run, data, at), threshold) for at in ATS})


@dataclass(frozen=True)
class Summary:
    """A figure of a row.

    Attributes:
        row, at, figure: which.
        mean: over seeds, of each seed's mean over folds; None if no seed has it.
        deviation: over the seeds, with n - 1; None for fewer than two.
        n_seeds: how many seeds have all their folds.
    """

    row: str
    at: At
    figure: str
    mean: float | None
    deviation: float | None
    n_seeds: int


@dataclass(frozen=True)
class Difference:
    """The paired difference between two rows.

    Attributes:
        row, reference, at, figure: of what; positive where ``row`` is higher.
        mean: over seeds, of each seed's mean over folds; None if no seed has it.
        per_seed: what ``mean`` is the mean of.
        over_seeds: 95 % t-interval; None for fewer than two seeds.
        over_scenes: 95 % bootstrap interval over groups; None if no resamples were made.
        n_groups: how many groups were drawn from.
    """

    row: str
    reference: str
    at: At
    figure: str
    mean: float | None
    per_seed: list[float] = field(repr=False)
    over_seeds: tuple[float, float] | None
    over_scenes: Interval | None
    n_groups: int


Grid = NDArray[np.float64]
"""(seeds, folds), or (seeds, folds, R): a figure of each run; NaN where it is not defined or not done."""


class Comparison:
    """All figures of all runs, ready to be summed up and compared.

    Args:
        measured: the runs that were done.
        data: the videos.
        shape: how many seeds and folds there are.
        resamples: R, of the intervals over scenes; none are made for 0.
        seed: of the draws.
    """

    def __init__(
        self,
        measured: Sequence[Measured],
        data: Data,
        shape: tuple[int, int],
        *,
        resamples: int,
        seed: int = 0,
    ) -> None:
        self._done: dict[str, NDArray[np.bool_]] = {}
        self._values: dict[tuple[str, At, str], Grid] = {}
        self._resampled: dict[tuple[str, At, str], Grid] = {}
        self._n_groups = len({truth.group for truth in data.truths})
        weights = _weights(data, resamples, seed) if resamples else {}
        for item in measured:
            row, place = item.job.row, (item.job.seed, item.job.fold)
            self._done.setdefault(row, np.zeros(shape, np.bool_))[place] = True
            for at in ATS:
                for name, value in item.figures[at].items():
                    grid = self._values.setdefault((row, at, name), np.full(shape, np.nan))
                    grid[place] = np.nan if value is None else value
            for at in COMPARED if weights else ():
                own = np.stack([weights[name] for name in item.run.record.videos], axis=1)
                judged = judged_videos(item.run, data, at)
                for name, values in resampled(judged, item.run.record.threshold, own).items():
                    empty = np.full((*shape, resamples), np.nan)
                    self._resampled.setdefault((row, at, name), empty)[place] = values

    def summaries(self) -> list[Summary]:
        """Return every figure of every row at every step."""
        found = []
        for (row, at, figure), grid in self._values.items():
            complete = self._done[row].all(axis=1)
            per_seed = defined(mean_over(grid[complete], axis=1))
            mean = float(per_seed.mean()) if len(per_seed) else None
            deviation = float(per_seed.std(ddof=1)) if len(per_seed) > 1 else None
            found.append(Summary(row, at, figure, mean, deviation, int(complete.sum())))
        return found

    def differences(self) -> list[Difference]:
        """Return how much each row is above each of the references that were run."""
        return [
            self._difference(row, reference, at, figure)
            for reference in REFERENCES
            if reference in self._done
            for row in self._done
            if row != reference
            for at in COMPARED
            for figure in FIGURES
        ]

    def _difference(self, row: str, reference: str, at: At, figure: str) -> Difference:
        """Compare run by run: a fold counts where both have the figure, a seed where both have all folds."""
        complete = (self._done[row] & self._done[reference]).all(axis=1)
        mine, other = (row, at, figure), (reference, at, figure)
        apart = (self._values[mine] - self._values[other])[complete]
        per_seed = defined(mean_over(apart, axis=1))
        scenes = None
        if mine in self._resampled and other in self._resampled and complete.any():
            drawn_apart = (self._resampled[mine] - self._resampled[other])[complete]
            scenes = interval_of(mean_over(mean_over(drawn_apart, axis=1), axis=0))
        return Difference(
            row=row,
            reference=reference,
            at=at,
            figure=figure,
            mean=float(per_seed.mean()) if len(per_seed) else None,
            per_seed=per_seed.tolist(),
            over_seeds=t_interval(per_seed),
            over_scenes=scenes,
            n_groups=self._n_groups,
        )


def t_interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean of (n,) values by Student's t; None for fewer than two."""
    n = len(values)
    if n < 2:
        return None
    half = float(student.ppf((1 + LEVEL) / 2, n - 1)) * float(values.std(ddof=1)) / np.sqrt(n)
    return float(values.mean() - half), float(values.mean() + half)


def mean_over(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the mean along an axis of what is defined, NaN where nothing is."""
    there = ~np.isnan(values)
    counts = there.sum(axis=axis)
    sums = np.where(there, values, 0).sum(axis=axis)
    return np.asarray(np.divide(sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0))


def defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values that are not NaN."""
    return values[~np.isnan(values)]


def _weights(data: Data, resamples: int, seed: int) -> Mapping[str, NDArray[np.int64]]:
    """Return how often each video is in each resample, (R,) by its name; groups are drawn whole."""
    unscored = [
        sample.judged(np.zeros(int((~sample.lost).sum()), np.float32)) for sample in data.samples.values()
    ]
    return dict(zip(data.samples, drawn(unscored, resamples, seed).T, strict=True))
