"""The table of a comparison on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from vadpipe.comparison.differences import NO_THRESHOLD
from vadpipe.comparison.results import Candidate, Comparison
from vadpipe.comparison.verdict import verdict
from vadpipe.evaluation.results import Figure
from vadpipe.evaluation.titles import SECTIONS
from vadpipe.output.number_text import figure_text, signed_text
from vadpipe.output.terminal import plain_table, table_console

N_VIDEOS = 5
"""How many of the videos are listed whose curves lie furthest apart."""

FOOTNOTE = "* 0 lies outside the interval. Of twenty such figures, one does so by chance."

_SOURCES = {
    "user": "as given",
    "head": "the head's",
    "evaluation": "the evaluation's",
    "curves": "the curves'",
}


def print_comparison(result: Comparison) -> None:
    """Print what was compared and the differences from the first candidate, on standard output."""
    with table_console() as console:
        console.print(_compared(result))
        for name in result.differences:
            console.print()
            console.print(escape(verdict(result, name)), end="\n\n")
            console.print(_figures(result, name))
            without = without_threshold(result, name)
            if without:
                console.print(escape(without))
            if result.classes:
                console.print()
                console.print(_classes(result, name))
            if result.settings.bootstrap:
                console.print(f"[dim]{FOOTNOTE}[/dim]")
        console.print()
        console.print(_videos(result))


def without_threshold(result: Comparison, name: str) -> str:
    """Return why a candidate is not compared in alarms and events; an empty text if it is."""
    own = (each for each in result.candidates if each.name in (name, result.reference))
    unknown = [each.name for each in own if each.threshold is None]
    if not unknown:
        return ""
    return f"alarms and events are not compared: {NO_THRESHOLD} ({', '.join(unknown)})"


def sections(result: Comparison, name: str) -> Sequence[Mapping[str, str]]:
    """Return the figures in which a candidate is compared with the first, with what they are called."""
    return SECTIONS[:1] if without_threshold(result, name) else SECTIONS


def shown_interval(figure: Figure) -> str:
    """Return the interval of a difference, with a star where 0 is outside; else why there is none."""
    if figure.reason is not None:
        return figure.reason
    span = figure.interval
    if span is None or span.low is None or span.high is None:
        return ""
    star = "" if span.low <= 0 <= span.high else " *"
    return f"{signed_text(span.low)} to {signed_text(span.high)}{star}"


def threshold_text(candidate: Candidate) -> str:
    """Return a candidate's threshold, and where it is from."""
    if candidate.threshold is None:
        return "no threshold"
    return f"threshold {candidate.threshold:.3f}, {_SOURCES[candidate.threshold_from or 'user']}"


def _compared(result: Comparison) -> Table:
    table, frames = plain_table(), result.frames
    n_normal = frames.n_videos - frames.n_abnormal
    groups = "" if result.n_groups == frames.n_videos else f", in {result.n_groups} groups"
    table.add_row(
        "videos",
        f"{frames.n_videos}: {n_normal} normal, {frames.n_abnormal} abnormal, {frames.n_mixed} of these with "
        f"normal frames too{groups}",
    )
    table.add_row("frames", f"{frames.n_frames}, {frames.n_anomalous / frames.n_frames:.1%} anomalous")
    for candidate in result.candidates:
        table.add_row(escape(candidate.name), f"{candidate.kind}, {threshold_text(candidate)}")
        for what, count in left_out_counts(result, candidate.name).items():
            table.add_row("", f"{count} {what}")
    return table


def left_out_counts(result: Comparison, name: str) -> dict[str, int]:
    """Return how many videos a candidate has not been compared on, by the reason; without those of none."""
    item, included = result.left_out[name], result.settings.include_training_videos
    told = {
        "without a curve": len(item.missing),
        "with several curves": len(item.ambiguous),
        "could not be used": len(item.failed),
        f"trained on, {'compared all the same' if included else 'left out for all'}": len(item.trained_on),
    }
    return {what: count for what, count in told.items() if count}


def _figures(result: Comparison, name: str) -> Table:
    table = plain_table("", escape(result.reference), escape(name), "difference", "95 % interval")
    for section in sections(result, name):
        for figure, title in section.items():
            values = (figure_text(result.figures[own][figure].value) for own in (result.reference, name))
            difference = result.differences[name][figure]
            table.add_row(title, *values, signed_text(difference.value), shown_interval(difference))
        table.add_section()
    return table


def _classes(result: Comparison, name: str) -> Table:
    table = plain_table(
        "frame ROC-AUC of",
        "videos",
        escape(result.reference),
        escape(name),
        "difference",
        "95 % interval",
    )
    for item in result.classes:
        values = (figure_text(item.figures[own]["auc"].value) for own in (result.reference, name))
        difference = item.differences[name]["auc"]
        table.add_row(
            escape(item.category),
            str(item.n_videos),
            *values,
            signed_text(difference.value),
            shown_interval(difference),
        )
    return table


def _videos(result: Comparison) -> Table:
    names = (f"AUC of {escape(each.name)}" for each in result.candidates)
    table = plain_table("curves lie furthest apart in", "by", *names)
    for video in result.videos[:N_VIDEOS]:
        aucs = (figure_text(video.auc[each.name]) for each in result.candidates)
        table.add_row(escape(video.video), figure_text(video.apart), *aucs)
    return table
