"""``ablation.md``: the tables, the rows compared, and how to read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from vadpipe.ablation.formatting import counts, over_scenes, over_seeds, shown
from vadpipe.ablation.metrics import FIGURES
from vadpipe.ablation.results import Ablation
from vadpipe.ablation.rows import REFERENCES, Row
from vadpipe.ablation.runs import ATS, At
from vadpipe.files.atomic import write_text
from vadpipe.output.number_text import NOTHING, signed_text

IN_PAIRS = ("auc", "auc_mixed")
"""Figures whose differences are shown; the others are in ``ablation.json``."""

_READING = """\
## How to read this

Every row is trained and tested on the same folds with the same seeds. A cell is the mean over seeds of each
seed's mean over folds, with the deviation over the seeds in brackets. Rows are compared run by run (same
fold, same seed), so what folds and seeds have in common falls away. Two intervals stand beside each
difference, both for 95 %:

- *over seeds*: Student's t over the seeds' differences. How the difference would move if the heads were
  trained again {again}. It says nothing about other footage.
- *over scenes*: whole groups of test videos are drawn with replacement ({resamples} times), and both rows are
  recomputed on the same draws, averaged over the seeds. How the difference would move with other test
  videos. It says nothing about other training videos.

A difference is shown by these data where both intervals lie on one side of 0. One interval in twenty misses
0 by chance alone; rows beside each reference: {n_others}.

`selected` is the step that unseen *training* videos picked: what a user gets. `last` is the end of the
training. `best-on-test` is the step with the highest frame ROC-AUC on the test videos themselves: **no
result**, printed only since papers often print it. Events and alarms are counted at the threshold that was
calibrated on training videos for the selected step. Videos with both kinds of frames are told apart from no
other video: there it counts only *when* a score is high.
"""


def write_report(result: Ablation, path: Path) -> None:
    """Write the tables as Markdown, atomically. Raises OutputError if that fails."""
    write_text(path, "\n".join(_blocks(result)))


def _blocks(result: Ablation) -> Iterable[str]:
    """Yield the parts of the report, each ending with a line break."""
    plan = result.plan
    yield "# Ablation\n"
    yield f"{counts(result)}.\n"
    if result.data.missing or result.data.ambiguous:
        n_missing = len(result.data.missing) + len(result.data.ambiguous)
        yield f"{n_missing} videos of the truth have no features, or several, and took no part.\n"
    if plan.same:
        same = ", ".join(f"`{row}` is `{other}`" for row, other in plan.same.items())
        yield f"Not run again, since the settings are the same: {same}.\n"
    if result.failed:
        failed = "".join(f"- {failure.job}: {failure.error.reason}\n" for failure in result.failed)
        yield f"**{len(result.failed)} runs failed.** Seeds without all their folds are left out:\n\n{failed}"
    yield "## At the selected step\n"
    yield _table(
        ["row", "seeds", *FIGURES.values(), ""],
        [
            [row.name, _n_seeds(result, row), *_figures(result, row, "selected"), row.tells]
            for row in plan.rows
        ],
    )
    for reference in REFERENCES:
        others = [row for row in plan.rows if result.difference(row.name, reference) is not None]
        if others:
            yield f"## Above `{reference}`, run by run, at the selected step\n"
            yield _differences(result, others, reference)
    yield "## Where the training is stopped\n"
    columns = [f"{FIGURES['auc']}, {_named(at)}" for at in ATS]
    mixed = [f"{FIGURES['auc_mixed']}, {_named(at)}" for at in ATS]
    yield _table(["row", *columns, *mixed], [[row.name, *_steps(result, row)] for row in plan.rows])
    yield _reading(result)


def _differences(result: Ablation, rows: Sequence[Row], reference: str) -> str:
    lines = []
    for row in rows:
        cells = [row.name]
        for figure in IN_PAIRS:
            item = result.difference(row.name, reference, figure)
            assert item is not None
            cells += [
                signed_text(item.mean),
                f"{over_seeds(item)}",
                f"{over_scenes(item)}",
                str(len(item.per_seed)),
            ]
        lines.append(cells)
    n_groups = len({truth.group for truth in result.data.truths})
    columns = [
        column
        for figure in IN_PAIRS
        for column in (FIGURES[figure], "over seeds", f"over scenes ({n_groups} groups)", "seeds")
    ]
    return _table(["row", *columns], lines)


def _figures(result: Ablation, row: Row, at: At) -> list[str]:
    return [shown(result.summary(row.name, figure, at)) for figure in FIGURES]


def _steps(result: Ablation, row: Row) -> list[str]:
    return [shown(result.summary(row.name, figure, at)) for figure in IN_PAIRS for at in ATS]


def _n_seeds(result: Ablation, row: Row) -> str:
    summary = result.summary(row.name)
    return NOTHING if summary is None else str(summary.n_seeds)


def _named(at: At) -> str:
    return f"{at} (no result)" if at == "best-on-test" else at


def _reading(result: Ablation) -> str:
    again = "on the same folds" if len(result.plan.partitions) == 1 else "on new folds"
    resamples = result.plan.resamples
    return _READING.format(again=again, resamples=resamples or "0", n_others=len(result.plan.rows) - 1)


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; a bar within a cell is escaped."""
    rows = [columns, ["---"] * len(columns), *lines]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)
