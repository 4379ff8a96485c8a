"""The two stages of a training: cross-validation picks a step and calibrates; then one head learns all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vadpipe.head.bags import Bag, TrainingSet
from vadpipe.head.head import Head
from vadpipe.head.settings import HeadSettings
from vadpipe.training.folds import all_but, make_folds
from vadpipe.training.history import Stage, StepMetrics, TrainingProgress
from vadpipe.training.judging import Judge, judged, snippet_scores, video_auc
from vadpipe.training.loop import LossReport, Start, Training
from vadpipe.training.resume import Resume
from vadpipe.training.step_selection import Selection


@dataclass(frozen=True)
class Work:
    """What a training is made of, and whom it reports to.

    Attributes:
        data, settings, seed, start, keep_judges, on_progress: as of
            :func:`vadpipe.training.cross_validation.train_on`.
        resume: keeps what an interruption leaves.
    """

    data: TrainingSet
    settings: HeadSettings
    seed: int
    start: Start | None
    keep_judges: bool
    resume: Resume
    on_progress: Callable[[TrainingProgress], None] | None

    @cached_property
    def folds(self) -> list[list[int]]:
        """The rows that are held out together; none where no folds can be made."""
        return make_folds(self.data.bags, self.settings.folds, self.seed)

    @property
    def unseen(self) -> bool:
        """Whether videos can be held out."""
        return bool(self.folds)

    def training(self, rows: Sequence[int]) -> Training:
        """Return a training on these rows."""
        return Training(self.data, rows, self.settings, seed=self.seed, start=self.start)

    def judges(self, heads: Sequence[Head]) -> list[Judge]:
        """Return each fold's head with the rows that it has not seen, or the one head with all of them."""
        rows = self.folds or [list(range(len(self.data.bags)))]
        return [Judge(head, own) for head, own in zip(heads, rows, strict=True)]

    def report(
        self, stage: Stage, step: int, check: StepMetrics | None = None, *, resumed: bool = False
    ) -> None:
        """Tell how far a stage is."""
        if self.on_progress is None:
            return
        n_heads, n_steps = max(len(self.folds), 1), self.settings.steps
        done = n_heads * step if stage == "cross-validation" else n_heads * n_steps + step
        share = done / ((n_heads + 1) * n_steps)
        self.on_progress(TrainingProgress(stage, step, n_steps, share, check, resumed))


def check_steps(settings: HeadSettings) -> list[int]:
    """Return the steps after which a training is checked, including the last one."""
    n_checks = min(settings.checks, settings.steps)
    return [round(settings.steps * (index + 1) / n_checks) for index in range(n_checks)]


def cross_validate(work: Work) -> dict[str, Any]:
    """Return the step, the threshold and the checks, by heads that have not seen what they score."""
    data, folds = work.data, work.folds
    learned_from = [all_but(folds, fold) for fold in range(len(folds))] or [list(range(len(data.bags)))]
    trainings = [work.training(rows) for rows in learned_from]
    selection, history = Selection(), []
    kept = work.resume.get("folds")
    if kept is not None:
        for training, state in zip(trainings, kept["trainings"], strict=True):
            training.restore(state)
        selection.restore(kept["selection"])
        history = [StepMetrics(**check) for check in kept["history"]]
    work.report("cross-validation", trainings[0].step, resumed=kept is not None)
    for step in check_steps(work.settings):
        if step <= trainings[0].step:
            continue
        progress = [training.advance(step) for training in trainings]
        auc = video_auc(data, work.judges([training.head for training in trainings]), unseen=work.unseen)
        history.append(_check(progress, auc))
        selection.see(step, auc, [training.snapshot() for training in trainings])
        work.report("cross-validation", step, history[-1])
        kept = {
            "trainings": [training.state() for training in trainings],
            "selection": selection.state(),
            "history": [asdict(check) for check in history],
        }
        work.resume.put("folds", kept)
    step, snapshots = selection.best
    found = []
    for numbers in (snapshots, [training.snapshot() for training in trainings]):
        pairs = zip(trainings, numbers, strict=True)
        heads = [training.head_of(own).to(data.device) for training, own in pairs]
        found.append(judged(data, work.judges(heads), unseen=work.unseen, seed=work.seed))
    return {
        "step": step,
        "selected": found[0].packed(),
        "last": found[1].packed(),
        "history": kept["history"] if kept else [],
        "judges": snapshots if work.keep_judges else [],
    }


def _check(progress: Sequence[LossReport], auc: float | None) -> StepMetrics:
    def mean(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in progress]))

    return StepMetrics(progress[0].step, mean("mil"), mean("cluster"), mean("cosine"), mean("spread"), auc)


def train_on_all(
    work: Work, training: Training, until: int, watch: Sequence[Bag], *, resumed: bool
) -> tuple[dict[str, Tensor], dict[int, list[NDArray[np.float32]]]]:
    """Train to the end; return the numbers at the picked step, and what is watched at every check.

    Args:
        work: what is trained.
        training: on all videos.
        until: the picked step.
        watch: other bags, scored at every check.
        resumed: whether the training goes on here after an interruption.
    """
    selected: dict[str, Tensor] | None = None
    watched: dict[int, list[NDArray[np.float32]]] = {}
    kept = None if watch else work.resume.get("all")
    if kept is not None:
        training.restore(kept["training"])
        selected = kept["selected"]
    work.report("on all videos", training.step, resumed=resumed)
    for step in check_steps(training.settings):
        if step <= training.step:
            continue
        training.advance(step)
        if step == until:
            selected = training.snapshot()
        if watch:
            watched[step] = [snippet_scores(training.head, bag) for bag in watch]
        work.resume.put("all", {"training": training.state(), "selected": selected})
        work.report("on all videos", step)
    assert selected is not None
    return selected, watched
