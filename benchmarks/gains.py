"""How far the variants of ``claims.py`` are apart, seed by seed and test video by test video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vadpipe.ablation.comparison import t_interval
from vadpipe.ablation.data import Sample
from vadpipe.ablation.rows import BASELINE, CONTROL
from vadpipe.evaluation.bootstrap import drawn, interval_of
from vadpipe.evaluation.ranking import Ranking

FULL = "+ guided score"
"""The full method's row."""

FIGURES = ("AUC", "AP")
DIFFERENCES = {
    (FULL, BASELINE): "all claims",
    (FULL, CONTROL): "all claims, against a head of the same capacity",
    ("+ batch clustering", BASELINE): "claim 1, batch clustering, alone",
    (FULL, "full without memory"): "claim 2, cross-batch memory, within the full method",
    (FULL, "+ cross-batch"): "claim 3, guided score, on top of the others",
}
"""Which variants are compared, the first less the second, and what that tells."""

Runs = dict[int, dict[int, list[NDArray[np.float32]]]]
"""Of a variant by seed, then by step, the scores (S,) of each test video."""

Limits = tuple[float, float]


@dataclass(frozen=True)
class Gain:
    """How far a variant is above another; (2,) is AUC and AP.

    Attributes:
        mean: (2,), over seeds.
        over_seeds: of each figure the 95 % t-interval; None for fewer than two seeds.
        over_videos: of each figure the 95 % bootstrap interval over test videos, of the mean over seeds;
            None without resamples.
    """

    mean: NDArray[np.float64]
    over_seeds: tuple[Limits | None, ...]
    over_videos: tuple[Limits | None, ...]

    def side(self, figure: int) -> tuple[int, int]:
        """Return for both intervals whether they are above zero (1), below (-1) or hold it (0)."""
        both = (self.over_seeds[figure], self.over_videos[figure])
        seeds, videos = (0 if not limits else int(limits[0] > 0) - int(limits[1] < 0) for limits in both)
        return seeds, videos


@dataclass(frozen=True)
class Compared:
    """A condition's figures.

    Attributes:
        figures: of each variant and step (seeds, 2), AUC and AP of all test frames.
        gains: at the last step, of those :data:`DIFFERENCES` whose variants were both run.
    """

    figures: dict[str, dict[int, NDArray[np.float64]]] = field(repr=False)
    gains: dict[tuple[str, str], Gain]


def gains(samples: Sequence[Sample], runs: Mapping[str, Runs], resamples: int) -> Compared:
    """Return the figures of all variants of a condition; all are resampled alike.

    Args:
        samples: the truth of the test videos, in the order of the scores.
        runs: by variant.
        resamples: R, how often the test videos are drawn with replacement.
    """
    everyone = np.ones((1, len(samples)), dtype=np.int64)
    unscored = [sample.judged(np.zeros(int((~sample.lost).sum()), np.float32)) for sample in samples]
    draws = drawn(unscored, resamples, seed=0) if resamples else everyone[:0]

    def figures_of(scores: Sequence[NDArray[np.float32]], weights: NDArray[np.int64]) -> NDArray[np.float64]:
        ranking = Ranking([sample.judged(own) for sample, own in zip(samples, scores, strict=True)])
        return np.array([ranking.auc_and_ap(row) for row in weights]).reshape(len(weights), 2)

    figures: dict[str, dict[int, NDArray[np.float64]]] = {}
    resampled: dict[str, NDArray[np.float64]] = {}
    for variant, of_seed in runs.items():
        steps = sorted(next(iter(of_seed.values())))
        figures[variant] = {
            step: np.concatenate([figures_of(run[step], everyone) for run in of_seed.values()])
            for step in steps
        }
        resampled[variant] = np.mean([figures_of(run[steps[-1]], draws) for run in of_seed.values()], axis=0)
    found = {}
    for variant, reference in DIFFERENCES:
        if variant in runs and reference in runs:
            last = max(figures[variant])
            apart = figures[variant][last] - figures[reference][last]
            drawn_apart = (resampled[variant] - resampled[reference]).T
            over_seeds = tuple(t_interval(values) for values in apart.T)
            over_videos = tuple(_limits(values) for values in drawn_apart)
            found[variant, reference] = Gain(apart.mean(axis=0), over_seeds, over_videos)
    return Compared(figures, found)


def _limits(values: NDArray[np.float64]) -> Limits | None:
    interval = interval_of(values)
    return None if interval.low is None or interval.high is None else (interval.low, interval.high)


def table(compared: Mapping[str, Compared]) -> str:
    """Return the figures, the differences and what they say, in Markdown."""
    parts = [_figures(compared, None)]
    steps = sorted(next(iter(next(iter(compared.values())).figures.values())))
    parts += [f"At step {step}:\n\n" + _figures(compared, step) for step in steps[:-1]]
    parts += [_differences(compared), _verdict(compared)]
    return "\n\n".join(parts) + "\n"


def _figures(compared: Mapping[str, Compared], step: int | None) -> str:
    """Return means and deviations over seeds, at the last step where none is given."""
    variants = [*next(iter(compared.values())).figures]
    lines = [["AUC / AP", *variants], ["---"] * (1 + len(variants))]
    for condition, found in compared.items():
        cells = []
        for of_step in found.figures.values():
            values = of_step[max(of_step) if step is None else step]
            spread = [f" ({s:.3f})" for s in values.std(axis=0, ddof=1)] if len(values) > 1 else ["", ""]
            cells.append(" / ".join(f"{m:.3f}{s}" for m, s in zip(values.mean(axis=0), spread, strict=True)))
        lines.append([condition, *cells])
    return markdown(lines)


def _differences(compared: Mapping[str, Compared]) -> str:
    head = ["difference", "condition"]
    head += [f"{figure}{what}" for figure in FIGURES for what in ("", ", over seeds", ", over videos")]
    lines = [head, ["---"] * len(head)]
    for variant, reference in DIFFERENCES:
        for condition, found in compared.items():
            gain = found.gains.get((variant, reference))
            if gain is not None:
                cells = []
                for figure in range(len(FIGURES)):
                    limits = gain.over_seeds[figure], gain.over_videos[figure]
                    cells += [f"{gain.mean[figure]:+.3f}", *map(_written, limits)]
                lines.append([f"{variant} - {reference}", condition, *cells])
    return markdown(lines)


def _written(limits: Limits | None) -> str:
    return "" if limits is None else f"{limits[0]:+.3f} to {limits[1]:+.3f}"


def _verdict(compared: Mapping[str, Compared]) -> str:
    """Say of each difference where it is above or below zero by both intervals, and where by one alone."""
    lines = []
    for pair, tells in DIFFERENCES.items():
        gained = [(name, found.gains[pair]) for name, found in compared.items() if pair in found.gains]
        if not gained:
            continue
        sides: dict[str, list[str]] = {"a gain": [], "a loss": [], "by one interval alone": []}
        for condition, gain in gained:
            for figure, name in enumerate(FIGURES):
                side = gain.side(figure)
                of_one = ", ".join(
                    f"{'above' if s > 0 else 'below'} over {w}"
                    for s, w in zip(side, ("seeds", "videos"), strict=True)
                    if s
                )
                if side == (1, 1):
                    sides["a gain"].append(f"{condition} {name}")
                elif side == (-1, -1):
                    sides["a loss"].append(f"{condition} {name}")
                elif of_one:
                    sides["by one interval alone"].append(f"{condition} {name} ({of_one})")
        said = "; ".join(f"{what}: {', '.join(where) or 'nowhere'}" for what, where in sides.items())
        lines.append(f"- {tells} (`{pair[0]}` - `{pair[1]}`): {said}.")
    n_compared = sum(len(found.gains) for found in compared.values()) * len(FIGURES)
    lines.append(
        "\nA gain or a loss has zero outside of both 95 % intervals. "
        f"{n_compared} differences were looked at, and nothing was corrected for that."
    )
    return "\n".join(lines)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows of a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
