"""The split of the videos of a sheet into a training and a test set."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.candidate_videos import Available, available
from vadpipe.annotations.labels import joined_groups
from vadpipe.annotations.matching import match_videos, problems_of
from vadpipe.annotations.sheet import read_sheet
from vadpipe.annotations.written_sheets import write_sheets
from vadpipe.errors import UsageError
from vadpipe.extract.video.names import tell
from vadpipe.files.arguments import NUMBER, PATH, SWITCH, WHOLE, check_arguments

log = logging.getLogger(__name__)

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
        n_groups: how many scene groups were split.
        grouped: whether the sheet has groups; else each video is one, but for copies.
        n_left_out: rows in neither sheet, since they match no feature file or several.
    """

    train: Path
    test: Path
    train_videos: list[Annotation] = field(repr=False)
    test_videos: list[Annotation] = field(repr=False)
    lengths: dict[str, float] = field(repr=False)
    n_groups: int
    grouped: bool
    n_left_out: int = 0

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
    normal: Iterable[str] = (),
    force: bool = False,
) -> Split:
    """Split the videos of a sheet into ``NAME.train.csv`` and ``NAME.test.csv``, in our own form.

    Videos of one scene group stay together, and so do groups that hold copies of one video. The
    test set gets nearly the wanted share of normal videos, of abnormal videos and, where the features or the
    sheet tell them, of the durations of both.

    Args:
        path: CSV or Excel file of labels or times.
        test: wanted share of the test set, between 0 and 1.
        seed: of the random choice.
        features: folder of features that knows names, durations and copies. Rows that match none of them are
            left out, with a warning; by default ``features`` if that exists.
        output: folder of the two sheets; by default that of the sheet.
        normal: further labels that mean normal, in any case.
        force: whether files of these names with different content are overwritten.

    Raises:
        UsageError: if an argument is invalid, the sheet cannot be read, a video has no label, or the groups
            do not allow both kinds of videos in both sets, or one of the files exists with different content.
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
    sheet = read_sheet(Path(path), normal=normal)
    sheet.check()
    if (lacking := sheet.group_note()) is not None:
        log.warning("%s: clips of one recording may be in both sets", lacking)
    items = sheet.annotations
    there = available(features)
    left_out: list[UsageError] = []
    if there is not None:
        items, left_out = _with_features(items, there)
        if not items and left_out:
            raise UsageError(left_out[0].reason, file=path, next_step=left_out[0].next_step)
    groups = _groups(items, there)
    lengths = _lengths(items, there)
    chosen = _test_groups(items, groups, lengths, test, seed)
    parts = [[item for item in items if (groups[item.video] in chosen) is held] for held in (False, True)]
    for part, name in zip(parts, ("training", "test"), strict=True):
        _refuse_part(part, name, items, len({*groups.values()}), path, test)
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
        len(left_out),
    )


def _with_features(
    items: Sequence[Annotation], there: Available
) -> tuple[list[Annotation], list[UsageError]]:
    """Return the videos that there are features of, by their names, and what is wrong with the rest."""
    found = match_videos((item.video for item in items), there.contents)
    problems = [*problems_of(items, found).values()]
    said = [str(problem).replace("\n", ". ") for problem in problems]
    tell(log, "rows that are left out of both sheets", said)
    return [
        replace(item, video=found.found[item.video]) for item in items if item.video in found.found
    ], problems


def _refuse_part(
    part: Sequence[Annotation],
    name: str,
    items: Sequence[Annotation],
    n_groups: int,
    path: object,
    test: float,
) -> None:
    """Raise UsageError, with the reason, if a set lacks normal or abnormal videos."""
    if {item.abnormal for item in part} == {False, True}:
        return
    counts = {kind: sum(item.abnormal is kind for item in items) for kind in (False, True)}
    kinds = f"{counts[False]} normal and {counts[True]} abnormal"
    what = f"cannot be split so that the {name} set has normal and abnormal videos"
    if min(counts.values()) < 2:
        reason, step = f"its {kinds} videos {what}", "Label two videos of each kind or more."
    elif any(item.group for item in items):
        reason = f"its {n_groups} scene groups {what}"
        step = "Choose another share, or give videos of different places different groups."
    else:
        reason = f"its {kinds} videos {what} and the test set is {test:g} of them"
        step = "Choose a share nearer to 0.5, or label more videos."
    raise UsageError(reason, file=str(path), next_step=step)


def _groups(items: Sequence[Annotation], there: Available | None) -> dict[str, str]:
    """Return the group of each video, or itself; groups that hold copies of one video are one."""
    groups = {item.video: f"group {item.group}" if item.group else f"video {item.video}" for item in items}
    if there is None:
        return groups
    return joined_groups(groups, {item.video: there.contents[item.video] for item in items})[0]


def _lengths(items: Sequence[Annotation], there: Available | None) -> dict[str, float]:
    """Return the duration of each video; empty unless all are known in one unit."""
    known = {} if there is None else there.lengths_s
    seconds = {item.video: known[item.video] for item in items if item.video in known}
    if len(seconds) == len(items):
        return seconds
    frames = {item.video: float(item.n_frames) for item in items if item.n_frames is not None}
    return frames if len(frames) == len(items) else {}


def _test_groups(
    items: Sequence[Annotation],
    groups: Mapping[str, str],
    lengths: Mapping[str, float],
    test: float,
    seed: int,
) -> set[str]:
    """Return the groups of the test set.

    From a random choice on, groups change sides, one at a time or two in exchange, as long as that brings
    the test set nearer to what is wanted.
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
