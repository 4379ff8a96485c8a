"""Folds: which training videos are held out together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vadpipe.head.bags import Bag

MIN_GROUPS_TO_JUDGE = 8
"""With fewer groups of a label than this, no step is picked: the choice would be random."""


def make_folds(bags: Sequence[Bag], n_folds: int, seed: int) -> list[list[int]]:
    """Divide the bags' rows into folds: groups stay whole, groups with an abnormal video are spread evenly.

    A training picks its step and its threshold by these. They need not test evenly, and their number falls
    where there are few groups. An ablation tests by :func:`vadpipe.ablation.folds.make_test_folds`, whose
    number is fixed and whose groups are dealt out by size. One function for both would change the folds of
    one of them, and with these every published figure.

    Returns:
        At most ``n_folds`` folds, each with something in it, such that all the others together hold both
        labels; none if that is impossible.
    """
    abnormal = {bag.group for bag in bags if bag.label}
    by_kind = [sorted(abnormal), sorted({bag.group for bag in bags} - abnormal)]
    rng = np.random.default_rng(seed)
    order = [groups[index] for groups in by_kind for index in rng.permutation(len(groups))]
    for n in range(min(n_folds, len(order)), 1, -1):
        fold_of = {group: at % n for at, group in enumerate(order)}
        folds = rows_of_folds([bag.group for bag in bags], fold_of, n)
        if all({bags[row].label for row in all_but(folds, fold)} == {0, 1} for fold in range(n)):
            return folds
    return []


def rows_of_folds(groups: Sequence[str], fold_of: Mapping[str, int], n_folds: int) -> list[list[int]]:
    """Return the rows of each fold, in order, from the group of each row and the fold of each group."""
    return [[row for row, group in enumerate(groups) if fold_of[group] == fold] for fold in range(n_folds)]


def all_but(folds: Sequence[Sequence[int]], fold: int) -> list[int]:
    """Return the rows of all folds but that one."""
    return sorted(row for at, rows in enumerate(folds) if at != fold for row in rows)


def can_judge(bags: Sequence[Bag]) -> bool:
    """Return whether there are enough groups of each label to pick a step."""
    return all(
        len({bag.group for bag in bags if bag.label == label}) >= MIN_GROUPS_TO_JUDGE for label in (0, 1)
    )
