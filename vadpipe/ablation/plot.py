"""``ablation.png``: the difference of each row to the references, with both intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vadpipe.ablation.comparison import Difference
from vadpipe.ablation.formatting import counts
from vadpipe.ablation.metrics import FIGURES
from vadpipe.ablation.report import IN_PAIRS
from vadpipe.ablation.results import Ablation
from vadpipe.ablation.rows import REFERENCES
from vadpipe.files.atomic import atomic_path

# Okabe and Ito's colours: apart for every kind of colour vision, and in grey.
_COLOURS = dict(zip(REFERENCES, ("#0072B2", "#D55E00"), strict=True))
_GREY = "#666666"
_APART = 0.17  # of a row's height: from its middle to where each reference's marks lie


def plot_differences(result: Ablation, path: Path) -> None:
    """Draw the paired differences at the selected step, a panel per figure, atomically.

    Raises:
        OutputError: if it cannot be written.
    """
    rows = [row.name for row in result.plan.rows]
    figure = Figure(figsize=(11, 1.9 + 0.55 * len(rows)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(IN_PAIRS), sharey=True)
    for axes, name in zip(panels, IN_PAIRS, strict=True):
        shown = [item for item in result.differences if (item.figure, item.at) == (name, "selected")]
        _draw(axes, shown, rows)
        title = FIGURES[name] if name == "auc" else f"{FIGURES['auc']} {FIGURES[name]}"
        axes.set_title(title, fontsize=11)
        axes.set_xlabel("paired difference to the reference (higher is better)")
    panels[0].set_yticks(range(len(rows)), [row.replace("$", r"\$") for row in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    figure.suptitle(counts(result), fontsize=9, color=_GREY)
    figure.legend(handles=_legend(result), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def _draw(axes: Axes, differences: Sequence[Difference], rows: Sequence[str]) -> None:
    axes.axvline(0, color=_GREY, linewidth=1)
    for edge in range(len(rows) - 1):
        axes.axhline(edge + 0.5, color=_GREY, linewidth=0.5, alpha=0.3)
    for item in differences:
        if item.mean is None:
            continue
        y = rows.index(item.row) + (_APART if item.reference == REFERENCES[1] else -_APART)
        colour = _COLOURS[item.reference]
        scenes = item.over_scenes
        if scenes is not None and scenes.low is not None and scenes.high is not None:
            axes.plot(
                [scenes.low, scenes.high], [y, y], color=colour, linewidth=1.2, marker="|", markersize=7
            )
        if item.over_seeds is not None:
            axes.plot(item.over_seeds, [y, y], color=colour, linewidth=5, alpha=0.35, solid_capstyle="butt")
        axes.plot(item.per_seed, np.full(len(item.per_seed), y), ".", color=colour, markersize=4, alpha=0.6)
        axes.plot([item.mean], [y], "o", color=colour, markersize=6, markeredgecolor="white", zorder=5)
    axes.grid(axis="x", alpha=0.25)
    axes.tick_params(axis="y", length=0)


def _legend(result: Ablation) -> list[Line2D]:
    there = {item.reference for item in result.differences}
    n_groups = len({truth.group for truth in result.data.truths})
    references = [
        Line2D([], [], color=_COLOURS[name], marker="o", linestyle="none", label=f"above {name}")
        for name in REFERENCES
        if name in there
    ]
    marks = [Line2D([], [], color=_GREY, marker=".", linestyle="none", label="a seed")]
    if any(item.over_seeds for item in result.differences):
        label = f"95 % over {result.plan.n_seeds} seeds"
        marks.append(Line2D([], [], color=_GREY, linewidth=5, alpha=0.35, label=label))
    if any(item.over_scenes for item in result.differences):
        label = f"95 % over {n_groups} groups of videos"
        marks.append(Line2D([], [], color=_GREY, linewidth=1.2, marker="|", label=label))
    return [*references, *marks]
