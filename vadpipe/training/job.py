"""A fit whose inputs are read: which heads are trained, and what is written of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vadpipe.annotations.labels import Label
from vadpipe.features.recipe import Recipe
from vadpipe.head.bags import TrainingSet
from vadpipe.head.checkpoint import FILE_NAME, LAST_NAME, TrainedHead
from vadpipe.head.record import Calibration, HeadRecord, HeldOut, Member
from vadpipe.head.settings import HeadSettings
from vadpipe.runs.journal import journal
from vadpipe.training.cross_validation import TrainingResult, train_on, training_key
from vadpipe.training.ensembling import ensemble_of
from vadpipe.training.fine_tuning import BaseHead
from vadpipe.training.fit_folder import FitFolder, inputs_of
from vadpipe.training.history import FitProgress, TrainingProgress
from vadpipe.training.loop import Start
from vadpipe.training.report import auc_warnings, training_warnings
from vadpipe.training.result import Fit, SeedRun

log = logging.getLogger(__name__)

Report = Callable[[FitProgress], None]


@dataclass(frozen=True)
class FitJob:
    """What heads are trained on, and how.

    Attributes:
        data: bags of both labels.
        settings: switches and numbers.
        seeds: one head is trained for each.
        ensemble: whether they become one.
        base: head that the training begins with; None if it starts from scratch.
        recipe: of the features.
        contents: sha256 of the content of each video.
    """

    data: TrainingSet
    settings: HeadSettings
    seeds: range
    ensemble: bool
    base: BaseHead | None
    recipe: Recipe
    contents: Mapping[str, str]

    def run(
        self, target: Path, labels: dict[str, Label], *, unused: list[str], force: bool, report: Report
    ) -> Fit:
        """Train and write, or return what an equal run has written.

        Args:
            target: folder for the results.
            labels: of the videos.
            unused: videos without one.
            force: whether results of another training are overwritten.
            report: called at the beginning of each stage of a training and at each of its checks.

        Raises:
            UsageError: if there are results of another training, or one diverges.
            OutputError: if the results cannot be written.
        """
        folder = self._folder(target)
        done = folder.finished(labels, unused)
        if done is not None:
            log.info("%s: was trained before with equal inputs; not run again", target)
            for warning in training_warnings(done.threshold, done.held_out):
                log.warning("%s", warning)
            return done
        if not force:
            folder.check_free()
        journal().begin(target)
        results = {
            seed: train_on(
                self.data,
                self.settings,
                seed=seed,
                start=self._start,
                keep_judges=self.ensemble,
                on_progress=self._reporting(seed, report),
                state=folder.state_of(seed),
            )
            for seed in self.seeds
        }
        runs = [_run_of(seed, result) for seed, result in results.items()]
        if self.ensemble:
            result, heads = self._ensemble(folder, results, runs, labels, unused)
            last: dict[str, object] = {}
        else:
            result, heads = self._single_heads(folder, results, runs, labels, unused)
            first = results[self.seeds[0]]
            last = {
                "last_calibration": first.last_threshold.model_dump(),
                "last_held_out": first.last_held_out.model_dump(),
            }
        folder.write(result, heads, self.settings, last)
        journal().counted(done=len(self.seeds))
        return result

    @property
    def _start(self) -> Start | None:
        return None if self.base is None else self.base.start

    def _folder(self, target: Path) -> FitFolder:
        keys = {
            seed: training_key(self.data, self.settings, seed, start=self._start, keep_judges=self.ensemble)
            for seed in self.seeds
        }
        contents = sorted(self.contents.items())
        recipe = self.recipe.model_dump_json()
        return FitFolder(target, keys, inputs_of(keys.values(), recipe, contents, self.ensemble))

    def _reporting(self, seed: int, report: Report) -> Callable[[TrainingProgress], None]:
        place, n_seeds = self.seeds.index(seed), len(self.seeds)
        return lambda training: report(FitProgress(seed, place, n_seeds, training))

    def _single_heads(
        self,
        folder: FitFolder,
        results: Mapping[int, TrainingResult],
        runs: list[SeedRun],
        labels: dict[str, Label],
        unused: list[str],
    ) -> tuple[Fit, dict[Path, TrainedHead]]:
        """Return the result of the first seed, and the heads of all."""
        heads = {}
        for seed, one in results.items():
            heads[folder.head_of(seed, LAST_NAME)] = TrainedHead(
                one.last,
                self._record(one.last_threshold, one.last_held_out, seed, self.settings.steps),
            )
            heads[folder.head_of(seed, FILE_NAME)] = TrainedHead(
                one.selected, self._record(one.threshold, one.held_out, seed, one.step)
            )
            which = f"seed {seed}: " if len(results) > 1 else ""
            for warning in [*auc_warnings(one.held_out), *one.warnings]:
                log.warning("%s%s", which, warning)
        first = runs[0]
        fit = Fit(
            head=folder.head_of(first.seed, FILE_NAME),
            last=folder.head_of(first.seed, LAST_NAME),
            labels=labels,
            unused=unused,
            step=first.step,
            threshold=first.threshold,
            held_out=first.held_out,
            history=first.history,
            runs=runs,
        )
        return fit, heads

    def _ensemble(
        self,
        folder: FitFolder,
        results: Mapping[int, TrainingResult],
        runs: list[SeedRun],
        labels: dict[str, Label],
        unused: list[str],
    ) -> tuple[Fit, dict[Path, TrainedHead]]:
        """Return the result of all seeds as one head, and this head."""
        first = runs[0]
        network, found = ensemble_of(self.data, list(results.values()), seed=first.seed)
        members = tuple(Member(seed=run.seed, step=run.step) for run in runs)
        record = self._record(found.threshold, found.held_out, first.seed, first.step, members)
        head = folder.head_of(first.seed, FILE_NAME)
        for warning in training_warnings(found.threshold, found.held_out):
            log.warning("%s", warning)
        fit = Fit(
            head=head,
            last=None,
            labels=labels,
            unused=unused,
            step=first.step,
            threshold=found.threshold,
            held_out=found.held_out,
            history=first.history,
            runs=runs,
            ensemble=True,
        )
        return fit, {head: TrainedHead(network, record)}

    def _record(
        self, found: Calibration, held_out: HeldOut, seed: int, step: int, members: tuple[Member, ...] = ()
    ) -> HeadRecord:
        seen = {*self.contents.values()}
        if self.base is not None:
            seen |= {*(self.base.record.training_sha256 or ())}
        return HeadRecord(
            settings=self.settings,
            recipe=self.recipe,
            calibration=found,
            seed=seed,
            step=step,
            members=members,
            fine_tuned_from=None if self.base is None else self.base.start.sha256,
            held_out=held_out,
            training_sha256=tuple(sorted(seen)),
        )


def _run_of(seed: int, result: TrainingResult) -> SeedRun:
    return SeedRun(seed, result.step, result.threshold, result.held_out, result.history)
