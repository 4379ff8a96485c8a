"""Terminal output for people and scripts: progress as bars, as lines, and as JSON."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from vadpipe.errors import printable
from vadpipe.output.timecode import clock

if TYPE_CHECKING:
    from vadpipe.ablation.ablate import AblationProgress as RunReport
    from vadpipe.extract.run import RunProgress as VideoReport
    from vadpipe.training.history import FitProgress, StepMetrics


class _Bar:
    """A bar that is drawn only on a terminal, and cleared when the work ends."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TextColumn("left:"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._what = what

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class VideoProgress(_Bar):
    """Progress of a run: videos done, position in the current one, and estimated time left."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        super().__init__(what, quiet=quiet)
        self._task = self._progress.add_task(what, total=1.0, state="")

    def __call__(self, report: VideoReport) -> None:
        """Show a report."""
        what = report.doing or self._what
        self._progress.update(
            self._task,
            completed=report.share_of_all,
            description=f"{what} {report.index + 1}/{report.n_videos} {escape(report.video.name)}",
            state=_read(report),
        )


class _Lines:
    """The same as lines on standard error: for logs, or as JSON for scripts.

    Args:
        what: is done.
        write: writes a line.
        as_json: whether each is an object of JSON; else it is text.
    """

    def __init__(self, what: str, write: Callable[[str], None], *, as_json: bool) -> None:
        self._what, self._write, self._as_json = what, write, as_json

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _tell(self, text: str, facts: dict[str, object], share: float, left_s: float | None) -> None:
        """Write one, with how much of all the work is done, and in how many seconds it will be."""
        if self._as_json:
            rounded = None if left_s is None else round(left_s, 1)
            line = {"kind": "progress", **facts, "share_of_all": round(share, 4), "left_s": rounded}
            self._write(json.dumps(line))
        else:
            left = "" if left_s is None else f", about {clock(left_s, max(left_s, 10))} left"
            self._write(f"{text} ({share:.0%} of all){left}")


class VideoLines(_Lines):
    """A line at intervals.

    Args:
        what, write, as_json: as above.
        every_s: seconds between two lines of one video; 1 of JSON and 10 of text by default.
    """

    def __init__(
        self, what: str, write: Callable[[str], None], *, as_json: bool, every_s: float | None = None
    ) -> None:
        super().__init__(what, write, as_json=as_json)
        self._every_s = (1.0 if as_json else 10.0) if every_s is None else every_s
        self._began_s = time.monotonic()
        self._said_s, self._said = -math.inf, (-1, "")

    def __call__(self, report: VideoReport) -> None:
        """Write a line of a report, if the last one is old enough or was about something else."""
        now_s, about = time.monotonic(), (report.index, report.doing)
        if about == self._said and now_s - self._said_s < self._every_s:
            return
        self._said_s, self._said = now_s, about
        share, what = report.share_of_all, report.doing or self._what
        left_s = (now_s - self._began_s) * (1 - share) / share if 0 < share < 1 else None
        place = f"{report.index + 1}/{report.n_videos}"
        text = f"{what} {place} {printable(report.video.path)}: {_read(report)}".rstrip()
        facts = {
            "doing": what,
            "video": str(report.video.path),
            "index": report.index,
            "n_videos": report.n_videos,
            "done_s": round(report.done_s, 3),
            "total_s": round(report.total_s, 3),
        }
        self._tell(text, facts, share, left_s)


def _read(report: VideoReport) -> str:
    """Return how much of a video has been read, in its own time, once its length is known."""
    total_s = report.total_s
    return f"{clock(report.done_s, total_s)} of {clock(total_s, total_s)}" if total_s else ""


class StepProgress(_Bar):
    """Progress of a fit: the stage, its steps, and the last check."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        super().__init__(what, quiet=quiet)
        self._state = ""
        self._task = self._progress.add_task(what, total=1.0, state="")

    def __call__(self, report: FitProgress) -> None:
        """Show a report."""
        if report.training.check is not None:
            self._state = _checked(report.training.check)
        self._progress.update(
            self._task,
            completed=report.share,
            description=f"{self._what} {_stage(report)}",
            state=self._state,
        )


class StepLines(_Lines):
    """A line for each report."""

    _began: tuple[float, float] | None = None

    def __call__(self, report: FitProgress) -> None:
        """Write a line of a report."""
        now_s, share = time.monotonic(), report.share
        began_s, began_share = self._began = self._began or (now_s, share)
        done = share - began_share
        left_s = (now_s - began_s) * (1 - share) / done if done and share < 1 else None
        training, check = report.training, report.training.check
        checked = "" if check is None else f", {_checked(check)}"
        text = f"{self._what} {_stage(report)}: step {training.step} of {training.n_steps}{checked}"
        facts = {
            "doing": self._what,
            "stage": training.stage,
            "seed": report.seed,
            "index": report.index,
            "n_seeds": report.n_seeds,
            "step": training.step,
            "n_steps": training.n_steps,
            "loss": None if check is None else check.mil,
            "auc": None if check is None else check.auc,
        }
        self._tell(text, facts, share, left_s)


def resumed(report: FitProgress) -> str | None:
    """Return where an interrupted training goes on, if a report says so."""
    training = report.training
    if not training.resumed:
        return None
    return f"resuming the interrupted training: {_stage(report)}, step {training.step} of {training.n_steps}"


def _stage(report: FitProgress) -> str:
    """Return which seed of several is trained, and on what."""
    seed = f"seed {report.index + 1}/{report.n_seeds}, " if report.n_seeds > 1 else ""
    return seed + report.training.stage


def _checked(check: StepMetrics) -> str:
    auc = "" if check.auc is None else f", AUC of held-out videos {check.auc:.3f}"
    return f"loss {check.mil:.3f}{auc}"


class RunProgress(_Bar):
    """Progress of an ablation: runs done, and the result of the last one."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        super().__init__(what, quiet=quiet)
        self._task = self._progress.add_task(what, total=None, state="")

    def __call__(self, report: RunReport) -> None:
        """Show a report."""
        state = "" if report.job is None else escape(str(report.job))
        if report.auc is not None:
            state += f": frame ROC-AUC {report.auc:.3f}"
        self._progress.update(
            self._task,
            total=report.n_jobs,
            completed=report.n_done,
            description=f"{self._what} {report.n_done}/{report.n_jobs}",
            state=state,
        )
