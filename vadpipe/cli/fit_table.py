"""The table after fitting."""

from __future__ import annotations

import sys
from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vadpipe.training.fit import Fit
from vadpipe.training.report import training_rows


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
    table.add_row("checkpoint", f"step {result.step} of {result.history[-1].step}")
    for name, text in training_rows(result.threshold, result.held_out).items():
        table.add_row(name, text)
    table.add_row("head", escape(str(result.head)))
    # Piped output is never truncated: scripts need whole paths and counts.
    Console(width=None if sys.stdout.isatty() else 1000).print(table)
