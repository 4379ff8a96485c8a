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
    from vadpipe.extract.run import Progress as VideoReport
    from vadpipe.fitting import Fit
    from vadpipe.head.train import Check


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
        auc = "" if check.auc is None else f", held-out video AUC {check.auc:.3f}"
        self._progress.update(self._task, completed=check.step, state=f"loss {check.mil:.3f}{auc}")


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
    if result.held_out:
        auc = result.selected.auc
        table.add_row("held out", f"{len(result.held_out)} videos, to pick the checkpoint")
        table.add_row("video-level AUC there", "-" if auc is None else f"{auc:.3f}")
    else:
        table.add_row("held out", "nothing (too few groups, or holdout=0); the last checkpoint is taken")
    table.add_row("checkpoint", f"step {result.selected.step} of {result.history[-1].step}")
    table.add_row("threshold", f"{result.threshold:.3f}")
    table.add_row("head", escape(str(result.head)))
    # In a pipe nothing is cut short: paths and counts are for scripts then.
    Console(width=None if sys.stdout.isatty() else 1000).print(table)
