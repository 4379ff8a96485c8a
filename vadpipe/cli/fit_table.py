"""The table after fitting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import mean, stdev

from rich.markup import escape
from rich.table import Table

from vadpipe.output.terminal import table_console
from vadpipe.training.report import training_rows
from vadpipe.training.result import Fit, SeedRun


def print_fit(result: Fit) -> None:
    """Print what the head was trained on and the result, as a short table on standard output."""
    table = Table(show_header=False, box=None, pad_edge=False)
    kinds = Counter(
        (label.reason, "abnormal" if label.abnormal else "normal") for label in result.labels.values()
    )
    for (reason, kind), count in sorted(kinds.items()):
        table.add_row(escape(reason), f"{count} videos, {kind}")
    if result.unused:
        table.add_row("without a label", f"{len(result.unused)} videos, unused")
    _add_runs(table, result.runs)
    if not result.ensemble:
        table.add_row("checkpoint", f"step {result.step} of {result.history[-1].step}")
    for name, text in training_rows(result.threshold, result.held_out).items():
        table.add_row(name, text)
    table.add_row("head", f"{escape(str(result.head))}{_which(result)}")
    with table_console() as console:
        console.print(table)


def _which(result: Fit) -> str:
    """Return what the head is made of, or where the other heads are, where there are several seeds."""
    if len(result.runs) < 2:
        return ""
    if result.ensemble:
        return f", averages {len(result.runs)} heads"
    first, *others = (f"seed-{run.seed}" for run in result.runs)
    return f", of {first}; the others are in {', '.join(others)}"


def _add_runs(table: Table, runs: Sequence[SeedRun]) -> None:
    """Add a row for each of several seeds, and how far their AUCs lie apart."""
    if len(runs) < 2:
        return
    for run in runs:
        auc = "-, see below" if run.held_out.auc is None else f"{run.held_out.auc:.3f}"
        table.add_row(f"seed {run.seed}", f"step {run.step} of {run.history[-1].step}, AUC {auc}")
    aucs = [run.held_out.auc for run in runs if run.held_out.auc is not None]
    if len(aucs) > 1:
        table.add_row(
            f"AUC of {len(aucs)} seeds",
            f"{min(aucs):.3f} to {max(aucs):.3f}, mean {mean(aucs):.3f}, deviation {stdev(aucs):.3f}",
        )
