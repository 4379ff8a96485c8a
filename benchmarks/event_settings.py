"""Judge what turns a curve into events by the events that it finds, over all collections.

    python benchmarks/event_settings.py DATA WORK [--seeds 2] [--protocol NAME]... [--to FILE]

Heads are trained and tested as in ``cross_collection.py``, on the features that it left in WORK, with the
default settings; ``event_fits.py`` keeps what they say. Each smoothing has a threshold of its own, calibrated
as ``fit`` does on training videos that the head of their fold has not seen.

What decides is the event F1: the mean over the temporal overlaps .1, .3 and .5 from which an event counts as
found (``vadpipe/evaluation/alarms.py``). Nearly all test videos are short and hold one event at most, so that
whatever widens or joins events looks good: best would be to take the whole video (hysteresis 1). So what is
judged is one long recording, as of a camera: a head's test videos behind each other, in five orders that are
drawn (in one for each resample). Counts of all folds and orders are summed, figures are means over seeds. The
figures of each video by itself are in a table of their own.

Combinations are ranked in each protocol, and the ranks averaged. *Worst* is the difference to today's where
it is lowest. The interval of a difference is of 95 % over recordings, which are drawn with replacement. The
best of many is best by luck too: so each protocol is also judged by what is best on the others.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from cross_collection import videos_of
from event_fits import Fitted, Scores, kept_fit
from footage import collect
from numpy.typing import NDArray
from protocols import PROTOCOLS, Protocol, Split, Videos, splits
from scipy.stats import rankdata
from steps import FEATURES
from verdict import line

from vadpipe.annotations.truth import Truth
from vadpipe.curves.events import DEFAULT_RULE, EventRule
from vadpipe.evaluation.alarms import IOUS, AlarmCounts, tally
from vadpipe.evaluation.bootstrap import drawn, interval_of
from vadpipe.evaluation.metrics import JudgedVideo
from vadpipe.head.bags import Bag
from vadpipe.head.settings import HeadSettings
from vadpipe.training.calibration import calibrate

SMOOTHINGS = (0.7, 0.0, 1.5)
HYSTERESES = (0.5, 0.0, 0.25, 0.4, 0.6, 0.75)
MERGE_GAPS_S = (1.0, 0.0, 2.0, 4.0)
MIN_LENGTHS_S = (0.0, 1.0)
_BEST, _ORDERS = 3, 5

Figures = dict[str, float]


@dataclass(frozen=True)
class EventSetting:
    """A way from scores to events.

    Attributes:
        smoothing: deviation of the Gaussian over log odds, in snippets.
        rule: of events.
    """

    smoothing: float
    rule: EventRule

    def __str__(self) -> str:
        rule = self.rule
        return (
            f"smoothing {self.smoothing:g}, hysteresis {rule.hysteresis:g}, "
            f"gap {rule.merge_gap_s:g} s, shortest {rule.min_length_s:g} s"
        )

    @property
    def parts(self) -> tuple[float, ...]:
        """All its numbers."""
        return (self.smoothing, *vars(self.rule).values())


TODAY = EventSetting(HeadSettings().smoothing, DEFAULT_RULE)
WHOLE = EventSetting(TODAY.smoothing, replace(DEFAULT_RULE, hysteresis=1.0))
"""Whatever the curve does, all of it is one event where it reaches the threshold once: to compare with."""

WITHOUT = EventSetting(TODAY.smoothing, replace(DEFAULT_RULE, hysteresis=0.0))
"""What was the default before there was hysteresis."""

GRID = [
    EventSetting(smoothing, EventRule(*parts))
    for smoothing, *parts in product(SMOOTHINGS, HYSTERESES, MERGE_GAPS_S, MIN_LENGTHS_S)
]


@dataclass(frozen=True, eq=False)
class Trained:
    """A training of a protocol, and what it says.

    Attributes:
        split: who learned and who was tested.
        videos: of the protocol.
        fitted: by smoothing.
    """

    split: Split
    videos: Videos = field(repr=False)
    fitted: Mapping[float, Fitted] = field(repr=False)

    def scored(self, smoothing: float) -> list[tuple[Bag, NDArray[np.float32]]]:
        """Return the training videos, each with the scores of a head that has not seen it."""
        bags = [self.videos.bags[name] for name in self.split.train]
        return list(zip(bags, self.fitted[smoothing].unseen, strict=True))


@cache
def threshold_of(trained: Trained, smoothing: float) -> float:
    """Return the threshold that a fit with that smoothing has."""
    settings, scored = HeadSettings(), trained.scored(smoothing)
    return calibrate(
        [(bag, scores) for bag, scores in scored if not bag.label],
        [(bag, scores) for bag, scores in scored if bag.label],
        per_hour=settings.false_alarms_per_hour,
        quantile=settings.normal_quantile,
        unseen=True,
    ).threshold


@cache
def judged(trained: Trained, smoothing: float) -> list[JudgedVideo]:
    """Return the curve of each test video beside its truth."""
    scores: Scores = trained.fitted[smoothing].test
    pairs = zip(trained.split.test, scores, strict=True)
    return [trained.videos.samples[name].judged(own) for name, own in pairs]


def joined(videos: Sequence[JudgedVideo]) -> JudgedVideo:
    """Return videos behind each other as one; events that meet are one."""
    starts_s = np.cumsum([0.0, *(video.end_s - video.times_s[0] for video in videos)])
    pairs = list(zip(videos, starts_s, strict=False))
    return JudgedVideo(
        Truth.of_frames("joined", np.concatenate([video.truth.frames() for video in videos])),
        np.concatenate([video.scores for video in videos]),
        np.concatenate([video.times_s - video.times_s[0] + start_s for video, start_s in pairs]),
        float(starts_s[-1]),
    )


@dataclass(frozen=True)
class Tested:
    """All trainings of a protocol.

    Attributes:
        protocol: which.
        trained: its trainings.
    """

    protocol: Protocol
    trained: Sequence[Trained] = field(repr=False)

    def figures(
        self, setting: EventSetting, *, alone: bool = False, weights: Mapping[str, int] | None = None
    ) -> Figures:
        """Return a setting's figures, means over seeds of those of all folds together.

        Args:
            setting: which.
            alone: take each video by itself instead of all behind each other.
            weights: how often each video counts; once without it.
        """
        of_seed: dict[int, list[AlarmCounts]] = defaultdict(list)
        for one in self.trained:
            videos = judged(one, setting.smoothing)
            if weights is not None:
                videos = [video for video in videos for _ in range(weights[video.truth.video])]
            if not videos:
                continue
            if not alone:
                seeds = range(_ORDERS if weights is None else 1)
                orders = [np.random.default_rng(seed).permutation(len(videos)) for seed in seeds]
                videos = [joined([videos[at] for at in order]) for order in orders]
            found = tally(videos, threshold_of(one, setting.smoothing), setting.rule)
            of_seed[one.split.seed].append(found.summed(np.ones((1, len(videos)), np.int64)))
        rates = [added(tallies).rates() for tallies in of_seed.values()]
        means = {name: float(np.mean([rate[name][0] for rate in rates])) for name in rates[0]}
        return means | {"event_f1": float(np.mean([means[f"event_f1@{iou}"] for iou in IOUS]))}

    def gains(self, setting: EventSetting, resamples: int) -> NDArray[np.float64]:
        """Return how much more event F1 a setting has than today's: as it is, and on each resample."""
        one_of_each = {
            video.truth.video: video for one in self.trained for video in judged(one, TODAY.smoothing)
        }
        draws = drawn([*one_of_each.values()], resamples, seed=0)
        weights = [None, *(dict(zip(one_of_each, row.tolist(), strict=True)) for row in draws)]
        pairs = [
            [self.figures(each, weights=own)["event_f1"] for each in (setting, TODAY)] for own in weights
        ]
        return np.array([own - today for own, today in pairs])


def added(tallies: Sequence[AlarmCounts]) -> AlarmCounts:
    """Return the sums over several tallies."""
    names = AlarmCounts.__dataclass_fields__
    return AlarmCounts(**{name: np.sum([getattr(one, name) for one in tallies], axis=0) for name in names})


def main() -> None:
    """Train, count, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--protocol", action="append", choices=[p.name for p in PROTOCOLS])
    parser.add_argument("--to", type=Path, help="write the tables here as well")
    options = parser.parse_args()

    torch.set_num_threads(1)
    _, truth = collect(options.data, options.work)
    tested = []
    for protocol in PROTOCOLS:
        if protocol.name not in (options.protocol or [protocol.name]):
            continue
        videos = videos_of(protocol.name, options.data, options.work / "features" / FEATURES, truth)
        trained = []
        for split in splits(protocol, videos, options.data, options.seeds):
            fitted = kept_fit(split, videos, SMOOTHINGS, options.work / "events")
            trained.append(Trained(split, videos, fitted))
            print(f"{protocol.title}: seed {split.seed}, fold {split.fold} fitted", flush=True)
        tested.append(Tested(protocol, trained))
    text = tables(tested, options.resamples)
    print(text)
    if options.to is not None:
        options.to.write_text(text)


def tables(tested: Sequence[Tested], resamples: int) -> str:
    """Return today's setting, each single change of it and the best ones, as tables in Markdown."""
    found = {each: [one.figures(each) for one in tested] for each in (*GRID, WHOLE)}
    f1 = np.array([[figures["event_f1"] for figures in found[setting]] for setting in GRID])
    ranks = rankdata(-f1.round(9), axis=0)  # equal counts may differ in the last bit
    best = [GRID[at] for at in np.argsort(ranks.mean(axis=1), kind="stable")[:_BEST]]
    changes = [each for each in GRID if sum(np.not_equal(each.parts, TODAY.parts)) == 1]
    chosen = list(dict.fromkeys([TODAY, *changes, *best]))
    titles = [one.protocol.title for one in tested]
    lines = _head(["event F1: mean / at .1 / at .5; false alarms per hour", *titles, "mean", "rank", "worst"])
    for setting in (*chosen, WHOLE):
        own = np.array([figures["event_f1"] for figures in found[setting]])
        rank = f"{ranks[GRID.index(setting)].mean():.1f}" if setting in GRID else ""
        worst = (own - f1[GRID.index(TODAY)]).min()
        cells = [*map(_reached, found[setting]), f"{own.mean():.3f}", rank, f"{worst:+.3f}"]
        lines.append(line([str(setting), *cells]))
    lines += ["", *_head(["event precision / recall at .3", *titles])]
    for setting in chosen:
        pairs = [
            [figures[f"event_{name}@0.3"] for name in ("precision", "recall")] for figures in found[setting]
        ]
        lines.append(
            line([str(setting), *(f"{precision:.3f} / {recall:.3f}" for precision, recall in pairs)])
        )
    lines += ["", *_head(["each video by itself", *titles])]
    for setting in (*chosen, WHOLE):
        lines.append(line([str(setting), *(_reached(one.figures(setting, alone=True)) for one in tested)]))
    lines += ["", *_head(["event F1 less today's", *titles])]
    for setting in dict.fromkeys([WITHOUT, *best]):
        if setting != TODAY:
            lines.append(line([str(setting), *(_gain(one, setting, resamples) for one in tested)]))
    lines += ["", *_head(["protocol", "the best setting on the others", "event F1 less today's"])]
    for column, one in enumerate(tested):
        others = np.delete(ranks, column, axis=1)
        if others.shape[1]:
            setting = GRID[int(others.mean(axis=1).argmin())]
            lines.append(line([one.protocol.title, str(setting), _gain(one, setting, resamples)]))
    return "\n".join([*lines, ""])


def _reached(figures: Figures) -> str:
    scores = " / ".join(f"{figures[name]:.3f}" for name in ("event_f1", "event_f1@0.1", "event_f1@0.5"))
    return f"{scores}; {figures['false_alarms_per_hour']:.0f}"


def _gain(one: Tested, setting: EventSetting, resamples: int) -> str:
    gains = one.gains(setting, resamples)
    interval = interval_of(gains[1:])
    limits = "" if interval.low is None else f" ({interval.low:+.3f} to {interval.high:+.3f})"
    return f"{gains[0]:+.3f}{limits}"


def _head(cells: Sequence[str]) -> list[str]:
    return [line(cells), line(["---"] * len(cells))]


if __name__ == "__main__":
    main()
