"""What the command line shows a person: bars while it works, and the table after fitting."""

from __future__ import annotations

import sys
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from vadpipe.ablation.ablating import Progress as RunReport
    from vadpipe.extract.run import Progress as VideoReport
    from vadpipe.fitting import Fit
    from vadpipe.head.checkpoint import Calibration
    from vadpipe.learning import Check


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
    """How many videos are done, how far the current one has been read, and the time left for all."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        super().__init__(what, quiet=quiet)
        self._task = self._progress.add_task(what, total=None, state="")

    def __call__(self, report: VideoReport) -> None:
        """Show a report."""
        share = min(1.0, report.done_s / report.total_s) if report.total_s else 0.0
        self._progress.update(
            self._task,
            total=report.n_videos,
            completed=report.index + share,
            description=f"{self._what} {report.index + 1}/{report.n_videos} {escape(report.video.name)}",
            state=f"{report.done_s:.0f} of {report.total_s:.0f} s",
        )


class StepProgress(_Bar):
    """How many training steps are done."""

    def __init__(self, what: str, *, total: int, quiet: bool) -> None:
        super().__init__(what, quiet=quiet)
        self._task = self._progress.add_task(what, total=total, state="")

    def __call__(self, check: Check) -> None:
        """Show a check."""
        auc = "" if check.auc is None else f", AUC of unseen videos {check.auc:.3f}"
        self._progress.update(self._task, completed=check.step, state=f"loss {check.mil:.3f}{auc}")


class RunProgress(_Bar):
    """How many runs are done, and how the last one went."""

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


def print_fit(result: Fit) -> None:
    """Print what was learned from what, as a short table on standard output."""
    table = Table(show_header=False, box=None, pad_edge=False)
    kinds = Counter(
        (label.reason, "abnormal" if label.abnormal else "normal") for label in result.labels.values()
    )
    for (reason, kind), count in sorted(kinds.items()):
        table.add_row(escape(reason), f"{count} videos, {kind}")
    if result.unused:
        table.add_row("without a label", f"{len(result.unused)} videos, not used")
    auc, found = result.auc, result.threshold
    table.add_row("checkpoint", f"step {result.step} of {result.history[-1].step}")
    table.add_row(
        "video-level AUC of unseen videos",
        "-, too few groups of videos to judge; the last step is taken" if auc is None else f"{auc:.3f}",
    )
    table.add_row("threshold", f"{found.threshold:.3f}, {_how_found(found)}")
    table.add_row("head", escape(str(result.head)))
    # In a pipe nothing is cut short: paths and counts are for scripts then.
    Console(width=None if sys.stdout.isatty() else 1000).print(table)


def _how_found(found: Calibration) -> str:
    """Say what a threshold keeps to."""
    footage = f"{found.hours * 60:.1f} min of normal video" + (
        "" if found.unseen else " that it learned from"
    )
    if found.method == "rate":
        return f"{found.alarms} false alarms in {footage} ({found.per_hour:g} an hour were asked for)"
    text = f"{found.quantile:.0%} of normal snippets lie below it; {found.alarms} false alarms in {footage}"
    return text + (", too little to tell an hourly rate" if found.per_hour * found.hours < 1 else "")
