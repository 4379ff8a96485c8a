"""``comparison.html``: one self-contained page with all differences, and all curves over each video."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.comparison.results import ComparedVideo, Comparison
from vadpipe.comparison.table import (
    FOOTNOTE,
    left_out_counts,
    sections,
    shown_interval,
    threshold_text,
    without_threshold,
)
from vadpipe.comparison.verdict import verdict
from vadpipe.evaluation.metrics import JudgedVideo
from vadpipe.files.atomic import write_text
from vadpipe.output.number_text import figure_text, signed_text
from vadpipe.output.report.assembling import json_block, readable, render
from vadpipe.output.timecode import clock

STYLES = ("base.css", "comparison.css")
SCRIPTS = ("curves.js", "clock.js", "comparison.js")

MAX_STEPS = 1000
"""A curve with more steps is drawn by its lowest and highest score in half as many stretches."""

N_COLOURS = 6


def write_page(result: Comparison, path: Path) -> None:
    """Write the page, atomically. Raises OutputError if that fails."""
    settings, frames = result.settings, result.frames
    resamples = f"{settings.bootstrap} resamples of {result.n_groups} videos or groups"
    text = render(
        "comparison.html",
        styles=STYLES,
        scripts=SCRIPTS,
        media="'none'",
        facts=[
            f"{frames.n_videos:,} videos, {frames.n_abnormal:,} of them abnormal",
            f"{frames.n_frames:,} frames, {frames.n_anomalous / frames.n_frames:.1%} anomalous",
            readable(settings.truth.name),
            resamples if settings.bootstrap else "no intervals",
        ],
        candidates=[
            {
                "colour": _colour(index),
                "name": readable(each.name),
                "facts": [
                    each.kind,
                    threshold_text(each),
                    *(f"{count} {what}" for what, count in left_out_counts(result, each.name).items()),
                ],
            }
            for index, each in enumerate(result.candidates)
        ],
        remarks=[readable(remark) for remark in result.remarks],
        reference=readable(result.reference),
        tables=[_table(result, name) for name in result.differences],
        footnote=FOOTNOTE if settings.bootstrap else "",
        data=json_block(_data(result)),
    )
    write_text(path, text)


def steps(
    scores: NDArray[np.float32], edges_s: NDArray[np.float64]
) -> tuple[list[float], list[float | None]]:
    """Return when a curve takes another score, in seconds, and which; None where it has none.

    Args:
        scores: (N,) of each frame.
        edges_s: (N + 1,), when each is shown, and when the last one ends.
    """
    same = (scores[1:] == scores[:-1]) | (np.isnan(scores[1:]) & np.isnan(scores[:-1]))
    starts = np.append(0, np.flatnonzero(~same) + 1)
    if len(starts) > MAX_STEPS:
        return _outline(scores, edges_s)
    return _rounded(edges_s[starts], scores[starts])


def _outline(
    scores: NDArray[np.float32], edges_s: NDArray[np.float64]
) -> tuple[list[float], list[float | None]]:
    """Return the lowest and the highest score of equal stretches, in the order in which they come."""
    bounds = np.linspace(0, len(scores), MAX_STEPS // 2 + 1).astype(np.int64)
    times_s, values = [], []
    for start, stop in itertools.pairwise(bounds.tolist()):
        part = scores[start:stop]
        first, second = start, (start + stop) // 2
        times_s += [edges_s[first], edges_s[second]]
        if np.isnan(part).all():
            values += [np.nan, np.nan]
            continue
        low, high = np.nanargmin(part), np.nanargmax(part)
        values += [part[min(low, high)], part[max(low, high)]]
    return _rounded(np.array(times_s), np.array(values, dtype=np.float32))


def _rounded(
    times_s: NDArray[np.float64], scores: NDArray[np.float32]
) -> tuple[list[float], list[float | None]]:
    texts = [None if score != score else round(score, 4) for score in scores.tolist()]
    return [round(time_s, 3) for time_s in times_s.tolist()], texts


def _colour(index: int) -> str:
    """Return the class of a candidate's colour; beyond the last one they come again, dashed."""
    return f"c{index % N_COLOURS}" + (" again" if index >= N_COLOURS else "")


def _table(result: Comparison, name: str) -> dict[str, object]:
    """Return the rows of a candidate's differences: of all figures, and of the classes."""
    pair = (result.reference, name)
    rows = [
        [
            [
                title,
                *(figure_text(result.figures[own][figure].value) for own in pair),
                signed_text(result.differences[name][figure].value),
                shown_interval(result.differences[name][figure]),
            ]
            for figure, title in section.items()
        ]
        for section in sections(result, name)
    ]
    classes = [
        [
            f"{item.category}, {item.n_videos} video{'' if item.n_videos == 1 else 's'}",
            *(figure_text(item.figures[own]["auc"].value) for own in pair),
            signed_text(item.differences[name]["auc"].value),
            shown_interval(item.differences[name]["auc"]),
        ]
        for item in result.classes
    ]
    return {
        "name": readable(name),
        "verdict": readable(verdict(result, name)),
        "sections": rows,
        "without": readable(without_threshold(result, name)),
        "classes": classes,
    }


def _data(result: Comparison) -> dict[str, object]:
    names = [each.name for each in result.candidates]
    place = {video.truth.video: index for index, video in enumerate(result.judged[names[0]])}
    return {
        "candidates": [
            {"name": readable(each.name), "colour": _colour(index), "threshold": each.threshold}
            for index, each in enumerate(result.candidates)
        ],
        "videos": [
            _video(video, [result.judged[name][place[video.video]] for name in names])
            for video in result.videos
        ],
    }


def _video(video: ComparedVideo, versions: list[JudgedVideo]) -> dict[str, object]:
    first = versions[0]
    edges_s = np.append(first.times_s, first.end_s)
    unit = " s" if first.end_s < 10 else ""
    aucs = [*video.auc.values()]
    defined = [auc for auc in aucs if auc is not None]
    kind = "normal" if not video.n_anomalous else f"{video.n_anomalous / video.n_frames:.0%} anomalous"
    facts = [video.category, video.group, f"{clock(first.end_s, first.end_s)}{unit}", kind]
    return {
        "name": readable(video.video),
        "facts": [fact for fact in facts if fact],
        "end_s": round(first.end_s, 3),
        "truth": [[round(float(edges_s[at]), 3) for at in span] for span in first.truth.anomalies],
        "apart": round(video.apart, 4),
        "auc": [None if auc is None else round(auc, 4) for auc in aucs],
        "auc_apart": round(max(defined) - min(defined), 4) if defined else None,
        "curves": [steps(own.scores, edges_s) for own in versions],
    }
