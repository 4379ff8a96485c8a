"""Folds: each video is tested once, by a head that has seen no video of its group."""

from __future__ import annotations

import random
from collections.abc import Sequence

from vadpipe.annotations.truth import Truth
from vadpipe.errors import UsageError
from vadpipe.training.folds import rows_of_folds

Kind = tuple[bool, bool]


def make_test_folds(truths: Sequence[Truth], n_folds: int, partition: int = 0) -> list[list[str]]:
    """Divide videos into folds; groups stay whole, and each kind of group is spread evenly.

    A group's kind is whether it has anomalous frames, normal ones, or both. Within a kind the groups are
    shuffled and then assigned, the largest first, each to the fold that has the fewest videos of that kind
    (of several: the fewest videos). So single videos go round the folds. The folds within a training are
    other ones, see :func:`vadpipe.training.folds.make_folds`.

    Args:
        truths: V videos; one without a group is a group of its own.
        n_folds: 2 or more.
        partition: which shuffle; the same number gives the same folds.

    Returns:
        The names of the videos of each fold, in the order of ``truths``.

    Raises:
        UsageError: if a fold would have no anomalous or no normal frame to test, or its complement no
            abnormal or no normal video to learn from.
    """
    if n_folds < 2:
        raise UsageError(f"{n_folds} folds leave nothing to train on", next_step="Use 2 folds or more.")
    group_of = [truth.group or truth.video for truth in truths]
    groups: dict[str, list[Truth]] = {}
    for group, truth in zip(group_of, truths, strict=True):
        groups.setdefault(group, []).append(truth)
    by_kind: dict[Kind, list[str]] = {}
    for name in sorted(groups):
        by_kind.setdefault(_kind(groups[name]), []).append(name)
    fold_of: dict[str, int] = {}
    in_total = [0] * n_folds
    rng = random.Random(partition)
    for kind in sorted(by_kind):
        names, of_kind = by_kind[kind], [0] * n_folds
        rng.shuffle(names)
        for name in sorted(names, key=lambda name: -len(groups[name])):
            fold = min(range(n_folds), key=lambda index: (of_kind[index], in_total[index], index))
            fold_of[name] = fold
            of_kind[fold] += len(groups[name])
            in_total[fold] += len(groups[name])
    folds = [[truths[row] for row in rows] for rows in rows_of_folds(group_of, fold_of, n_folds)]
    _check(folds, {kind: len(names) for kind, names in by_kind.items()})
    return [[truth.video for truth in fold] for fold in folds]


def _kind(group: Sequence[Truth]) -> Kind:
    """Return whether the group has anomalous frames, and whether it has normal ones."""
    return any(truth.abnormal for truth in group), any(not truth.frames().all() for truth in group)


def _check(folds: Sequence[Sequence[Truth]], n_groups: dict[Kind, int]) -> None:
    for at, fold in enumerate(folds):
        rest = [truth for other in folds if other is not fold for truth in other]
        lacks = {
            "anomalous frames to test": _kind(fold)[0],
            "normal frames to test": _kind(fold)[1],
            "abnormal videos to train on": any(truth.abnormal for truth in rest),
            "normal videos to train on": not all(truth.abnormal for truth in rest),
        }
        for what, there in lacks.items():
            if not there:
                n_anomalous = sum(count for (anomalous, _), count in n_groups.items() if anomalous)
                raise UsageError(
                    f"fold {at + 1} of {len(folds)} would have no {what}: of {sum(n_groups.values())} "
                    f"groups, {n_anomalous} have anomalies",
                    next_step="Use fewer folds (--folds), or a truth with more groups of that kind.",
                )
