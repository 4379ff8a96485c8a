"""The table of an ablation on the terminal."""

from __future__ import annotations

from rich.markup import escape

from vadpipe.ablation.formatting import counts, over_scenes, over_seeds, shown
from vadpipe.ablation.metrics import FIGURES
from vadpipe.ablation.results import Ablation
from vadpipe.ablation.rows import REFERENCES
from vadpipe.output.number_text import signed_text
from vadpipe.output.terminal import plain_table, table_console


def print_ablation(result: Ablation) -> None:
    """Print the rows at the selected step, and how much each is above the references, on standard output."""
    with table_console() as console:
        console.print(counts(result), end="\n\n")
        table = plain_table("", FIGURES["auc"], FIGURES["auc_mixed"])
        for row in result.plan.rows:
            figures = [shown(result.summary(row.name, figure)) for figure in ("auc", "auc_mixed")]
            table.add_row(escape(row.name), *figures)
        console.print(table)
        for reference in REFERENCES:
            head = f"above {reference}, {FIGURES['auc']}"
            apart = plain_table(head, "", "95 % over seeds", "95 % over scenes")
            for row in result.plan.rows:
                item = result.difference(row.name, reference)
                if item is not None:
                    apart.add_row(
                        escape(row.name), signed_text(item.mean), over_seeds(item), over_scenes(item)
                    )
            if apart.row_count:
                console.print()
                console.print(apart)
