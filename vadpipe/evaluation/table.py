"""The table of an evaluation on the terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from vadpipe.evaluation.reasons import class_reason
from vadpipe.evaluation.results import Evaluation, Figure
from vadpipe.evaluation.titles import SECTIONS
from vadpipe.features.views import are_named
from vadpipe.output.number_text import figure_text
from vadpipe.output.terminal import plain_table, table_console
from vadpipe.training.report import training_rows, training_warnings

_TRAINED_ON = {False: "trained on, left out", True: "trained on, evaluated all the same"}


def print_evaluation(result: Evaluation) -> None:
    """Print what was compared and the figures, as tables on standard output."""
    with table_console() as console:
        console.print(_compared(result), end="\n\n")
        console.print(_figures(result), end="\n\n")
        console.print(_confusion(result), end="\n\n")
        console.print(_training(result))
        if result.classes:
            console.print()
            console.print(_classes(result))


def _compared(result: Evaluation) -> Table:
    table, frames = plain_table(), result.frames
    n_normal = frames.n_videos - frames.n_abnormal
    share = frames.n_anomalous / frames.n_frames
    table.add_row(
        "videos",
        f"{frames.n_videos}: {n_normal} normal, {frames.n_abnormal} abnormal, {frames.n_mixed} of these with "
        "normal frames too",
    )
    table.add_row("frames", f"{frames.n_frames}, {share:.1%} anomalous")
    told = {
        "frames without a score": frames.n_unscored,
        "with another length": len(result.mismatches),
        "without features": len(result.missing),
        "with several features": len(result.ambiguous),
        "could not be used": len(result.failed),
        _TRAINED_ON[result.settings.include_training_videos]: len(result.trained_on),
        "features without truth": len(result.unused),
        "features of another recipe": len(result.foreign),
    }
    for what, count in told.items():
        if count:
            table.add_row(what, str(count))
    source = "the head's" if result.settings.threshold is None else "as given"
    table.add_row("threshold", f"{result.threshold:.3f}, {source}")
    if are_named(result.views):
        table.add_row("views", ", ".join(result.views))
    table.add_row("head", escape(str(result.settings.head)))
    if result.settings.adapt_to is not None:
        table.add_row("adapted to", escape(str(result.settings.adapt_to)))
    return table


def _figures(result: Evaluation) -> Table:
    table = plain_table("", "value", "95 % interval")
    for section in SECTIONS:
        for name, title in section.items():
            table.add_row(title, *_shown(result.figures[name]))
        table.add_section()
    return table


def _confusion(result: Evaluation) -> Table:
    table = plain_table("", "at or above the threshold", "below it")
    for what, counts in (("frames", result.frame_confusion), ("videos", result.video_confusion)):
        kind = "anomalous" if what == "frames" else "abnormal"
        table.add_row(f"{kind} {what}", str(counts.tp), str(counts.fn))
        table.add_row(f"normal {what}", str(counts.fp), str(counts.tn))
    return table


def _training(result: Evaluation) -> Table:
    """Return what the training said of the head, as ``fit`` printed it."""
    table = plain_table()
    for name, text in training_rows(result.calibration, result.held_out).items():
        table.add_row(f"training: {name}", text)
    for warning in training_warnings(result.calibration, result.held_out):
        table.add_row("training: warning", warning)
    return table


def _classes(result: Evaluation) -> Table:
    reasons = [class_reason(item) for item in result.classes]
    table = plain_table("class", "videos", "AUC", "AUC of abnormal", "AP", *["reason"] * any(reasons))
    for item, why in zip(result.classes, reasons, strict=True):
        figures = (figure_text(value) for value in (item.auc, item.auc_abnormal, item.ap))
        table.add_row(escape(item.category), str(item.n_videos), *figures, *[why] * any(reasons))
    return table


def _shown(figure: Figure) -> tuple[str, str]:
    value, interval = figure_text(figure.value), figure.interval
    if figure.reason is not None:
        return value, figure.reason
    if interval is None or interval.low is None:
        return value, ""
    undefined = f" ({interval.n_undefined} resamples undefined)" if interval.n_undefined else ""
    return value, f"{figure_text(interval.low)} to {figure_text(interval.high)}{undefined}"
