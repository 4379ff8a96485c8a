"""The picture of a training: losses and AUC of held-out videos over the steps, and the picked step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vadpipe.files.atomic import atomic_path
from vadpipe.training.report import CHANCE
from vadpipe.training.result import SeedRun

# Okabe and Ito's colours: apart for every kind of colour vision, and in grey.
_BLUE, _VERMILLION, _ORANGE, _GREY = "#0072B2", "#D55E00", "#E69F00", "#666666"


def plot_training(runs: Sequence[SeedRun], path: Path) -> None:
    """Write the losses and the AUC of each seed over the steps, atomically.

    Args:
        runs: the training of each seed.
        path: the picture.

    Raises:
        OutputError: if it cannot be written.
    """
    figure = Figure(figsize=(8, 6), dpi=110)
    FigureCanvasAgg(figure)
    # Margins by number: a layout that is worked out draws all of it twice.
    margins = {"left": 0.075, "right": 0.81, "bottom": 0.08, "top": 0.955, "hspace": 0.16}
    losses, aucs = figure.subplots(2, 1, sharex=True, gridspec_kw=margins)
    for place, run in enumerate(runs):
        _draw(losses, aucs, run, labelled=place == 0, faint=len(runs) > 1)
    _label(losses, "loss, mean over the folds")
    _label(aucs, "AUC of held-out videos")
    aucs.axhline(CHANCE, color=_GREY, linestyle=":", linewidth=1, label="chance")
    aucs.set(ylim=(-0.02, 1.02), xlabel="step")
    aucs.xaxis.set_major_locator(MaxNLocator(integer=True))
    if all(check.auc is None for run in runs for check in run.history):
        reason = "too few groups of videos to judge by"
        aucs.text(0.5, 0.75, reason, ha="center", transform=aucs.transAxes, color=_GREY)
    for axes in (losses, aucs):
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def _draw(losses: Axes, aucs: Axes, run: SeedRun, *, labelled: bool, faint: bool) -> None:
    """Draw one seed; of several, only the first has labels, and all are faint."""
    steps, alpha = [check.step for check in run.history], 0.6 if faint else 1.0

    def label(text: str) -> str:
        return text if labelled else "_"  # matplotlib leaves such names out of the legend

    lines = {
        "of labels": (losses, [check.mil for check in run.history], _BLUE),
        "of clusters": (losses, [check.cluster for check in run.history], _ORANGE),
        "AUC": (aucs, [float("nan") if check.auc is None else check.auc for check in run.history], _BLUE),
    }
    for name, (axes, values, colour) in lines.items():
        axes.plot(steps, values, color=colour, alpha=alpha, marker="o", markersize=3, label=label(name))
    picked = label("picked steps" if faint else f"picked step {run.step}")
    for axes in (losses, aucs):
        axes.axvline(run.step, color=_VERMILLION, linestyle="--", linewidth=1, alpha=alpha, label=picked)
    low, high = run.held_out.auc_low, run.held_out.auc_high
    if low is not None and high is not None:
        aucs.vlines(run.step, low, high, color=_BLUE, linewidth=3, alpha=0.4, label=label("95 % interval"))


def _label(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.grid(alpha=0.25)
