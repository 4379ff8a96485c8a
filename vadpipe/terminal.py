"""What the command line shows a person: bars while it works, and the table after fitting."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from vadpipe.extract.extraction import Progress as VideoReport
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
    """How far the current video has been read, in its own time."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        super().__init__(what, quiet=quiet)
        self._task: TaskID | None = None
        self._video = ""

    def __call__(self, report: VideoReport) -> None:
        """Show a report."""
        if self._task is None or report.video.name != self._video:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._video = report.video.name
            description = f"{self._what} {escape(self._video)}"
            self._task = self._progress.add_task(description, total=report.total_s, state="")
        state = f"{report.done_s:.0f} / {report.total_s:.0f} s of video"
        self._progress.update(self._task, completed=report.done_s, state=state)


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
        table.add_row("held out", "nothing: too few videos, so the last checkpoint is taken")
    table.add_row("checkpoint", f"step {result.selected.step} of {result.history[-1].step}")
    table.add_row("threshold", f"{result.threshold:.3f}")
    table.add_row("head", escape(str(result.head)))
    Console().print(table)
