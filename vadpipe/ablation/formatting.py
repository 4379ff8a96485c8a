"""Formatting of figures, intervals and counts in all reports."""

from __future__ import annotations

from vadpipe.ablation.comparison import Difference, Summary
from vadpipe.ablation.results import Ablation
from vadpipe.output.number_text import NOTHING, figure_text, signed_text


def shown(summary: Summary | None) -> str:
    """Return ``0.837 (0.008)``: the mean, and the deviation over seeds where there are several."""
    if summary is None or summary.mean is None:
        return NOTHING
    deviation = "" if summary.deviation is None else f" ({figure_text(summary.deviation)})"
    return figure_text(summary.mean) + deviation


def over_seeds(difference: Difference | None) -> str:
    """Return ``−0.006 to +0.025``."""
    if difference is None or difference.over_seeds is None:
        return NOTHING
    return " to ".join(map(signed_text, difference.over_seeds))


def over_scenes(difference: Difference | None) -> str:
    """Return ``−0.006 to +0.025``, and how many resamples did not have the figure."""
    scenes = None if difference is None else difference.over_scenes
    if scenes is None or scenes.low is None:
        return NOTHING
    undefined = f" ({scenes.n_undefined} undefined)" if scenes.n_undefined else ""
    return f"{signed_text(scenes.low)} to {signed_text(scenes.high)}{undefined}"


def counts(result: Ablation) -> str:
    """Return how many videos, groups, folds and seeds there are, in a sentence."""
    plan, truths = result.plan, result.data.truths
    n_abnormal = sum(truth.abnormal for truth in truths)
    n_mixed = sum(truth.abnormal and not truth.frames().all() for truth in truths)
    n_groups = len({truth.group for truth in truths})
    parts = f", in {len(plan.partitions)} partitions" if len(plan.partitions) > 1 else ""
    return (
        f"{len(truths)} videos ({len(truths) - n_abnormal} normal, {n_abnormal} abnormal, {n_mixed} of these "
        f"with normal frames too) in {n_groups} groups; {plan.n_folds} folds that keep groups "
        f"together{parts}; {plan.n_seeds} seed{'s' if plan.n_seeds > 1 else ''}; {len(result.measured)} runs"
    )
