"""What the runs say: figures with intervals by recording, and which setting holds over all collections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from protocols import PROTOCOLS, Protocol, Split, Videos
from scipy.stats import rankdata

from vadpipe.ablation.runs import Run
from vadpipe.evaluation.bootstrap import drawn, interval_of
from vadpipe.evaluation.metrics import JudgedVideo
from vadpipe.evaluation.ranking import Ranking

Figures = dict[str, NDArray[np.float64]]
"""Of each figure its value on the videos as they are and then on each resample of them, (1 + R,)."""

Scores = Mapping[str, NDArray[np.float32]]
"""Of each test video those of its snippets, (S,)."""


@dataclass(frozen=True)
class Tested:
    """What a setting reached in a protocol.

    Attributes:
        figures: means over seeds of the means over folds.
        per_seed: (seeds,) of each figure, the means over folds.
        n_recordings: how many were drawn from.
    """

    figures: Figures = field(repr=False)
    per_seed: dict[str, NDArray[np.float64]] = field(repr=False)
    n_recordings: int


def tested(protocol: Protocol, videos: Videos, runs: Mapping[Split, Run], resamples: int) -> Tested:
    """Return the figures of all runs of a protocol, at the step that each picked."""
    scores = {
        split: dict(zip(run.record.videos, run.scores["selected"], strict=True))
        for split, run in runs.items()
    }
    return tested_by(protocol, videos, scores, resamples)


def tested_by(
    protocol: Protocol,
    videos: Videos,
    scores: Mapping[Split, Scores],
    resamples: int,
) -> Tested:
    """Return the figures of all trainings of a protocol; every setting is resampled alike.

    Args:
        protocol: says which figures.
        videos: all of it.
        scores: of each training those of the snippets (S,) of each test video, by its name.
        resamples: R.
    """
    names = sorted({name for split in scores for name in split.test})
    everything = [
        videos.samples[name].judged(np.zeros(_n_scored(videos, name), np.float32)) for name in names
    ]
    as_they_are = np.ones((1, len(names)), dtype=np.int64)
    weights = (
        np.concatenate([as_they_are, drawn(everything, resamples, seed=0)]) if resamples else as_they_are
    )
    of_seed: dict[int, list[Figures]] = defaultdict(list)
    for split, by_video in scores.items():
        judged = [videos.samples[name].judged(by_video[name]) for name in split.test]
        columns = [names.index(name) for name in split.test]
        of_seed[split.seed].append(figures_of(judged, weights[:, columns], protocol.figures))
    with np.errstate(all="ignore"):
        seeds = {
            name: np.stack([np.nanmean([fold[name] for fold in folds], axis=0) for folds in of_seed.values()])
            for name in protocol.figures
        }
    groups = {video.truth.group or video.truth.video for video in everything}
    means = {name: values.mean(axis=0) for name, values in seeds.items()}
    return Tested(means, {name: values[:, 0] for name, values in seeds.items()}, len(groups))


def _n_scored(videos: Videos, name: str) -> int:
    return int((~videos.samples[name].lost).sum())


def figures_of(judged: Sequence[JudgedVideo], weights: NDArray[np.int64], wanted: Sequence[str]) -> Figures:
    """Return the wanted figures of videos, for each way (W, V) of counting each of them so often."""
    found: Figures = {}
    if {"auc", "ap"} & {*wanted}:
        found["auc"], found["ap"] = _ranked(judged, weights, [True] * len(judged))
    if "auc_abnormal" in wanted:
        found["auc_abnormal"], _ = _ranked(judged, weights, [video.truth.abnormal for video in judged])
    if "within" in wanted:
        found["within"] = _within(judged, weights)
    return {name: found[name] for name in wanted}


def _ranked(
    judged: Sequence[JudgedVideo], weights: NDArray[np.int64], chosen: Sequence[bool]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ranking = Ranking(judged, chosen)
    auc, ap = np.array([ranking.auc_and_ap(row) for row in weights]).T
    return auc, ap


def _within(judged: Sequence[JudgedVideo], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean ROC-AUC of the videos with both kinds of frames, each by itself."""
    mixed = [index for index, video in enumerate(judged) if video.mixed]
    if not mixed:
        return np.full(len(weights), np.nan)
    alone = np.ones(1, dtype=np.int64)
    aucs = np.array([Ranking([judged[index]]).auc_and_ap(alone)[0] for index in mixed])
    with np.errstate(invalid="ignore"):
        values: NDArray[np.float64] = weights[:, mixed] @ aucs / weights[:, mixed].sum(axis=1)
    return values


def table(results: Mapping[str, Mapping[str, Tested]], reference: str) -> str:
    """Return all settings by all protocols as a table in Markdown, with what decides between them.

    Args:
        results: by setting, then by protocol.
        reference: the setting from which differences are taken.
    """
    protocols = [p for p in PROTOCOLS if all(p.name in of_setting for of_setting in results.values())]
    head = ["setting", *(f"{p.title}: {' / '.join(p.figures)}" for p in protocols), "mean rank", "worst"]
    lines = [line(head), line(["---"] * len(head))]
    ranks, losses = _decide(results, protocols)
    for name, of_setting in results.items():
        cells = [_cell(of_setting[p.name], p) for p in protocols]
        lines.append(line([name, *cells, f"{ranks[name]:.2f}", f"{losses[name]:+.3f}"]))
    text = "\n".join(lines)
    if len(results) > 1 and reference in results:
        text += "\n\n" + _differences(results, protocols, reference)
    return text + "\n"


def line(cells: Sequence[str]) -> str:
    """Return a row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def _cell(found: Tested, protocol: Protocol) -> str:
    texts = []
    for name in protocol.figures:
        interval = interval_of(found.figures[name][1:])
        limits = "" if interval.low is None else f" ({interval.low:.3f} to {interval.high:.3f})"
        texts.append(f"{found.figures[name][0]:.3f}{limits}")
    return " / ".join(texts)


def _decide(
    results: Mapping[str, Mapping[str, Tested]], protocols: Sequence[Protocol]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return each setting's mean rank over protocols, and how far it is behind the best where it is furthest.

    Both go by the first figure of each protocol; rank 1 is best.
    """
    values = np.array(
        [[found[p.name].figures[p.figures[0]][0] for p in protocols] for found in results.values()]
    )
    ranks, losses = rankdata(-values, axis=0).mean(axis=1), (values - values.max(axis=0)).min(axis=1)
    return dict(zip(results, ranks.tolist(), strict=True)), dict(zip(results, losses.tolist(), strict=True))


def _differences(
    results: Mapping[str, Mapping[str, Tested]], protocols: Sequence[Protocol], reference: str
) -> str:
    """Return each setting's difference to the reference on the same resamples."""
    head = [f"less {reference}", *(p.title for p in protocols)]
    lines = [line(head), line(["---"] * len(head))]
    for name, of_setting in results.items():
        if name == reference:
            continue
        cells = []
        for p in protocols:
            texts = []
            for figure in p.figures:
                gain = of_setting[p.name].figures[figure] - results[reference][p.name].figures[figure]
                interval = interval_of(gain[1:])
                limits = "" if interval.low is None else f" ({interval.low:+.3f} to {interval.high:+.3f})"
                texts.append(f"{gain[0]:+.3f}{limits}")
            cells.append(" / ".join(texts))
        lines.append(line([name, *cells]))
    return "\n".join(lines)
