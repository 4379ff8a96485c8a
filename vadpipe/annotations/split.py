"""Dealing of the videos of a sheet to a training and a test set."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.candidate_videos import Available, available
from vadpipe.annotations.labels import joined_groups
from vadpipe.annotations.matching import match_videos
from vadpipe.annotations.sheet import read_sheet
from vadpipe.annotations.written_sheets import write_sheets
from vadpipe.errors import UsageError
from vadpipe.files.arguments import NUMBER, PATH, SWITCH, WHOLE, check_arguments

_MOVES = 20_000
_Weights = tuple[float, float, float, float]
"""Shares of all normal and abnormal videos, and of the durations of both."""


@dataclass(frozen=True)
class Split:
    """Result of :func:`split_sheet`.

    Attributes:
        train, test: the two sheets.
        train_videos, test_videos: what they hold.
        lengths: duration of each video in seconds or else in frames; empty unless all are known.
        n_groups: how many scene groups were dealt.
        grouped: whether the sheet has groups; else each video is one, but for copies.
    """

    train: Path
    test: Path
    train_videos: list[Annotation] = field(repr=False)
    test_videos: list[Annotation] = field(repr=False)
    lengths: dict[str, float] = field(repr=False)
    n_groups: int
    grouped: bool

    def share(self, *, abnormal: bool, of_duration: bool = False) -> float:
        """Return the share of the normal or abnormal videos, or of their duration, in the test set."""
        sums = [
            sum(self.lengths[item.video] if of_duration else 1 for item in items if item.abnormal is abnormal)
            for items in (self.train_videos, self.test_videos)
        ]
        return sums[1] / sum(sums)


def split_sheet(
    path: str | os.PathLike[str],
    *,
    test: float,
    seed: int = 0,
    features: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> Split:
    """Deal the videos of a sheet to ``NAME.train.csv`` and ``NAME.test.csv``, in our own form.

    Videos of one scene group stay together, and so do groups that hold copies of one video. The
    test set gets nearly the wanted share of normal videos, of abnormal videos and, where the features or the
    sheet tell them, of the durations of both.

    Args:
        path: CSV or Excel file of labels or times.
        test: wanted share of the test set, between 0 and 1.
        seed: of the random deal.
        features: folder of features that knows durations and copies; by default ``features`` if that exists.
        output: folder of the two sheets; by default that of the sheet.
        force: whether files of these names with another content are overwritten.

    Raises:
        UsageError: if an argument is invalid, the sheet cannot be read, a video has no label, or the groups
            do not allow both kinds of videos in both sets, or one of the files is there with another content.
        OutputError: if the sheets cannot be written.
    """
    check_arguments(
        path=(path, PATH),
        test=(test, NUMBER),
        seed=(seed, WHOLE),
        features=(features, PATH.or_none),
        output=(output, PATH.or_none),
        force=(force, SWITCH),
    )
    if not 0 < test < 1:
        raise UsageError(f"a test share of {test:g} is not between 0 and 1", next_step="For example 0.3.")
    sheet = read_sheet(Path(path))
    sheet.check()
    items = sheet.annotations
    there = available(features)
    found = {} if there is None else match_videos((item.video for item in items), there.contents).found
    groups = _groups(items, found, there)
    lengths = _lengths(items, found, there)
    chosen = _deal(items, groups, lengths, test, seed)
    parts = [[item for item in items if (groups[item.video] in chosen) is held] for held in (False, True)]
    for part, name in zip(parts, ("training", "test"), strict=True):
        if {item.abnormal for item in part} != {False, True}:
            raise UsageError(
                f"its {len({*groups.values()})} scene groups cannot be dealt so that the {name} set has "
                "normal and abnormal videos",
                file=path,
                next_step="Choose another share, or give videos of different places different groups.",
            )
    folder = Path(path).parent if output is None else Path(output)
    train_path, test_path = (folder / f"{Path(path).stem}.{kind}.csv" for kind in ("train", "test"))
    write_sheets({train_path: parts[0], test_path: parts[1]}, force=force)
    return Split(
        train_path,
        test_path,
        parts[0],
        parts[1],
        lengths,
        len({*groups.values()}),
        any(item.group for item in items),
    )


def _groups(items: Sequence[Annotation], found: Mapping[str, str], there: Available | None) -> dict[str, str]:
    groups = {item.video: f"group {item.group}" if item.group else f"video {item.video}" for item in items}
    if there is None:
        return groups
    contents = {item.video: there.contents[found[item.video]] for item in items if item.video in found}
    return joined_groups(groups, contents)[0]


def _lengths(
    items: Sequence[Annotation], found: Mapping[str, str], there: Available | None
) -> dict[str, float]:
    """Return the duration of each video; empty unless all are known in one unit."""
    known = {} if there is None else there.lengths_s
    seconds = {item.video: known[found[item.video]] for item in items if item.video in found}
    if len(seconds) == len(items):
        return seconds
    frames = {item.video: float(item.n_frames) for item in items if item.n_frames is not None}
    return frames if len(frames) == len(items) else {}


def _deal(
    items: Sequence[Annotation],
    groups: Mapping[str, str],
    lengths: Mapping[str, float],
    test: float,
    seed: int,
) -> set[str]:
    """Return the groups of the test set.

    From a random deal, groups change sides, one at a time or two in exchange, as long as that brings the test
    set nearer to what is wanted.
    """
    weights = _weights(items, groups, lengths)
    names = [*weights]
    target: _Weights = (test, test, test, test)
    rng = random.Random(seed)
    chosen = {name for name in names if rng.random() < test}
    now: _Weights = (0, 0, 0, 0)
    for name in names:
        if name in chosen:
            now = _moved(now, weights[name], into=True)
    for _ in range(_MOVES):
        moved = {rng.choice(names) for _ in range(rng.choice((1, 2)))}
        after = now
        for name in sorted(moved):
            after = _moved(after, weights[name], into=name not in chosen)
        if _distance(after, target) < _distance(now, target):
            now = after
            chosen ^= moved
    return chosen


def _weights(
    items: Sequence[Annotation], groups: Mapping[str, str], lengths: Mapping[str, float]
) -> dict[str, _Weights]:
    """Return the share of each group in the normal and abnormal videos and in their durations."""
    rows: dict[str, list[float]] = {groups[item.video]: [0.0] * 4 for item in items}
    for item in items:
        row, kind = rows[groups[item.video]], int(bool(item.abnormal))
        row[kind] += 1
        row[2 + kind] += lengths.get(item.video, 1)
    totals = [sum(row[part] for row in rows.values()) or 1 for part in range(4)]
    return {
        group: (row[0] / totals[0], row[1] / totals[1], row[2] / totals[2], row[3] / totals[3])
        for group, row in rows.items()
    }


def _moved(sums: _Weights, weights: _Weights, *, into: bool) -> _Weights:
    """Return the sums after a group has moved into the test set, if it does, or out of it."""
    sign = 1 if into else -1
    return (
        sums[0] + sign * weights[0],
        sums[1] + sign * weights[1],
        sums[2] + sign * weights[2],
        sums[3] + sign * weights[3],
    )


def _distance(one: _Weights, other: _Weights) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
