"""Ablation of the method: features of labelled videos in, the contribution of each part out."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from vadpipe.ablation.comparison import Comparison, Measured
from vadpipe.ablation.data import Data, load_data
from vadpipe.ablation.folds import make_test_folds
from vadpipe.ablation.plot import plot_differences
from vadpipe.ablation.records import write_csv, write_json
from vadpipe.ablation.report import write_report
from vadpipe.ablation.results import Ablation, FailedRun, Plan
from vadpipe.ablation.rows import Row, choose_rows
from vadpipe.ablation.runs import AblationJob, Run, key_of
from vadpipe.ablation.worker import Task
from vadpipe.ablation.workers import do_all
from vadpipe.errors import UsageError, VadpipeError
from vadpipe.evaluation.frame_scores import Lengths
from vadpipe.extract.engines.cores import usable_cores
from vadpipe.extract.engines.device import choose_device
from vadpipe.files.arguments import PATH, TEXT, WHOLE, Kind, check_arguments
from vadpipe.files.atomic import check_writable
from vadpipe.head.settings import HeadSettings
from vadpipe.runs.journal import journal
from vadpipe.runs.recording import recorded
from vadpipe.training.automatic_context import with_context_chosen

log = logging.getLogger(__name__)

_WRITERS = {
    "ablation.md": write_report,
    "ablation.csv": write_csv,
    "ablation.json": write_json,
    "ablation.png": plot_differences,
}


@dataclass(frozen=True)
class AblationProgress:
    """Progress of an ablation.

    Attributes:
        n_done, n_jobs: runs that are done or have failed, and how many there are in all.
        job: the one that has just ended; None at the beginning.
        auc: its frame ROC-AUC at the selected step; None if it failed.
    """

    n_done: int
    n_jobs: int
    job: AblationJob | None = None
    auc: float | None = None


@recorded("ablate")
def ablate(
    features: str | os.PathLike[str] = "features",
    *,
    truth: str | os.PathLike[str],
    output: str | os.PathLike[str] = "ablation",
    folds: int = 4,
    seeds: int = 5,
    partitions: int = 1,
    rows: Sequence[str] | None = None,
    own_rows: Iterable[Row] = (),
    settings: HeadSettings | None = None,
    backbone: str | None = None,
    recipe: Sequence[str] = (),
    lengths: Lengths = "near",
    bootstrap: int = 1000,
    workers: int | None = None,
    device: str = "auto",
    on_progress: Callable[[AblationProgress], None] | None = None,
    on_failure: Callable[[FailedRun], None] | None = None,
) -> Ablation:
    """Train and test variants of the method over scene-disjoint folds and seeds, and compare them in pairs.

    For each row, fold and seed a head learns from the video-level labels of the other folds and scores
    the fold's videos; the truth about frames only judges. Each run leaves a file below ``output/runs``, by
    which it is not done again while its settings, videos, folds and code stay the same. ``ablation.md``,
    ``.csv``, ``.json`` and ``.png`` are written in the end.

    Args:
        features: folder that ``extract`` wrote.
        truth: CSV ``video,frames,anomalies[,class][,group]``; a video with any anomaly is abnormal,
            and videos of one group are never parted.
        output: folder for the results.
        folds: number of cross-validation folds.
        seeds: trainings of each row and fold, with seeds from 0 up.
        partitions: number of different fold assignments; seed s uses assignment s modulo this.
        rows: which rows to run, by name, of :data:`vadpipe.ablation.rows.ROWS` and ``own_rows``; all by
            default.
        own_rows: further rows.
        settings: of the full method, from which each row differs.
        backbone: use only the features of this backbone.
        recipe: use only features whose recipe has these values, such as ``stride=8``.
        lengths: ``"near"`` refuses videos whose length differs from the truth's by more than a snippet,
            ``"any"`` compares the frames that both have.
        bootstrap: resamples of the intervals over scenes; 0 for none.
        workers: processes, each with one thread; as many as there are usable processors by default.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``.
        on_progress: called at the beginning and after each run.
        on_failure: called at once for each run that could not be done.

    Raises:
        UsageError: if an argument, a row or the truth is invalid, or the videos cannot be divided into folds.
        FeatureError: if features are missing, broken, of several recipes, or of another length.
        InputError: if no video of the truth has features.
        OutputError: if results cannot be written.
    """
    check_arguments(
        features=(features, PATH),
        truth=(truth, PATH),
        output=(output, PATH),
        folds=(folds, WHOLE),
        seeds=(seeds, WHOLE),
        partitions=(partitions, WHOLE),
        settings=(settings, Kind("vadpipe.HeadSettings", (HeadSettings,)).or_none),
        backbone=(backbone, TEXT.or_none),
        lengths=(lengths, TEXT),
        bootstrap=(bootstrap, WHOLE),
        workers=(workers, WHOLE.or_none),
        device=(device, TEXT),
    )
    workers = usable_cores() if workers is None else workers
    _check(lengths, partitions, seeds=seeds, workers=workers)
    if bootstrap < 0:
        raise UsageError(
            f"bootstrap {bootstrap} is negative", next_step="Use 0 for no intervals over scenes."
        )
    base, target = settings or HeadSettings(), Path(output)
    chosen = choose_rows(base, own_rows, rows)
    for name, other in chosen.same.items():
        log.info("row %r has the same settings as %r and is skipped", name, other)
    place = str(choose_device(device))
    data = load_data(Path(features), Path(truth), backbone=backbone, choice=recipe, lengths=lengths)
    divisions = [make_test_folds(data.truths, folds, number) for number in range(partitions)]
    plan = Plan(Path(truth), base, chosen.rows, chosen.same, divisions, seeds, bootstrap, place)
    check_writable(target)
    journal().begin(target)
    journal().resolve(settings=base, workers=workers)
    journal().made_by(data.recipe)
    journal().reads("features", features)
    journal().reads("truth", truth)

    jobs = jobs_of(plan, data, target / "runs")
    done = {job: run for job in jobs if (run := Run.find(job.file, job.key)) is not None}
    n_kept = len(done)
    failed = _do(jobs, done, plan, data, workers, on_progress, on_failure)
    result = _result(plan, data, {job: done[job] for job in jobs if job in done}, failed, n_kept)
    journal().counted(len(done) - n_kept, len(failed), n_kept)
    return _write(result, target) if done else result


def jobs_of(plan: Plan, data: Data, folder: Path) -> list[AblationJob]:
    """Return all runs, seed by seed, so that whatever interrupts them leaves whole seeds behind."""
    jobs = []
    n_snippets = [np.count_nonzero(~sample.lost) for sample in data.samples.values()]
    for seed in range(plan.n_seeds):
        for row in plan.rows:
            settings = with_context_chosen(row.settings(plan.base), n_snippets)
            for fold, test in enumerate(plan.folds(seed)):
                key = key_of(data, settings, test, seed, plan.device)
                file = folder / row.folder / f"fold{fold}-seed{seed}.safetensors"
                jobs.append(AblationJob(row.name, fold, seed, settings, tuple(test), key, file))
    return jobs


def _do(
    jobs: Sequence[AblationJob],
    done: dict[AblationJob, Run],
    plan: Plan,
    data: Data,
    workers: int,
    on_progress: Callable[[AblationProgress], None] | None,
    on_failure: Callable[[FailedRun], None] | None,
) -> list[FailedRun]:
    """Do the runs that are not done, add them to ``done``, and return those that failed."""
    failed: list[FailedRun] = []

    def tell(job: AblationJob | None = None, auc: float | None = None) -> None:
        if on_progress is not None:
            on_progress(AblationProgress(len(done) + len(failed), len(jobs), job, auc))

    def ended(job: AblationJob, error: VadpipeError | None) -> None:
        run = None if error else Run.find(job.file, job.key)
        if run is None:
            failed.append(FailedRun(job, error or VadpipeError("its file no longer exists", file=job.file)))
            if on_failure is not None:
                on_failure(failed[-1])
            tell(job)
            return
        done[job] = run
        auc = run.record.test_auc[run.record.steps["selected"]]
        log.info("%s: frame ROC-AUC %.3f at step %d", job, auc, run.record.steps["selected"])
        tell(job, auc)

    tell()
    task = Task(data, plan.device, log.isEnabledFor(logging.DEBUG))
    do_all([job for job in jobs if job not in done], task, workers, ended)
    return failed


def _result(
    plan: Plan, data: Data, done: dict[AblationJob, Run], failed: list[FailedRun], n_kept: int
) -> Ablation:
    """Compute all figures of the runs that were done."""
    log.info("computing figures of %d runs, with %d resamples for the intervals", len(done), plan.resamples)
    measured = [Measured.of(job, run, data) for job, run in done.items()]
    comparison = Comparison(measured, data, (plan.n_seeds, plan.n_folds), resamples=plan.resamples)
    return Ablation(
        plan=plan,
        data=data,
        measured=measured,
        n_kept=n_kept,
        failed=failed,
        summaries=comparison.summaries(),
        differences=comparison.differences(),
        files=[],
    )


def _write(result: Ablation, folder: Path) -> Ablation:
    names = [name for name in _WRITERS if name != "ablation.png" or result.differences]
    result = replace(result, files=[folder / name for name in names])
    for file in result.files:
        _WRITERS[file.name](result, file)
    journal().wrote(result.files)
    return result


def _check(lengths: str, partitions: int, **counts: int) -> None:
    for name, count in {"partitions": partitions, **counts}.items():
        if count < 1:
            raise UsageError(f"{name} must be 1 or more, not {count}", next_step=f"Use 1 or more {name}.")
    if partitions > counts["seeds"]:
        raise UsageError(
            f"{partitions} partitions need at least as many seeds, but there are {counts['seeds']}",
            next_step="Use fewer --partitions, or more --seeds.",
        )
    if lengths not in get_args(Lengths):
        raise UsageError(f"lengths must be 'near' or 'any', not {lengths!r}")
