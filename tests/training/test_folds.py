"""Folds: groups stay whole, every bag judges once, and what is left always holds both labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.bags import bag_of_values
from vadpipe.training.folds import MIN_GROUPS_TO_JUDGE, all_but, can_judge, make_folds


def bags_of(pairs):
    """Bags of these labels and groups."""
    values = np.zeros((1, 1, 1), np.float32)
    return [bag_of_values(values, label, str(i), f"scene{group}") for i, (label, group) in enumerate(pairs)]


pairs = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 11)), min_size=2, max_size=40)


@given(pairs=pairs, n_folds=st.integers(2, 6), seed=st.integers(0, 2**63 - 1))
def test_folds_keep_their_promises(pairs, n_folds, seed):
    bags = bags_of(pairs)
    folds = make_folds(bags, n_folds, seed)
    assert folds == make_folds(bags, n_folds, seed)
    assert len(folds) <= n_folds
    assert all(folds)
    if folds:
        assert sorted(row for fold in folds for row in fold) == list(range(len(bags)))
    for number, fold in enumerate(folds):
        rest = all_but(folds, number)
        assert sorted([*fold, *rest]) == list(range(len(bags)))
        assert not {bags[row].group for row in fold} & {bags[row].group for row in rest}
        assert {bags[row].label for row in rest} == {0, 1}


@given(pairs=pairs, seed=st.integers(0, 99))
def test_two_groups_of_each_label_alone_are_always_enough(pairs, seed):
    pairs = [*pairs, (0, "a"), (0, "b"), (1, "c"), (1, "d")]
    assert len(make_folds(bags_of(pairs), 4, seed)) >= 2


def test_another_seed_gives_other_folds():
    bags = bags_of([(i % 2, i) for i in range(24)])
    splits = {tuple(map(tuple, make_folds(bags, 4, seed))) for seed in range(5)}
    assert len(splits) == 5


def test_labels_go_round_evenly():
    bags = bags_of([(1, i) for i in range(10)] + [(0, 100 + i) for i in range(22)])
    for seed in range(5):
        folds = make_folds(bags, 4, seed)
        assert sorted(sum(bags[row].label for row in fold) for fold in folds) == [2, 2, 3, 3]
        assert sorted(map(len, folds)) == [8, 8, 8, 8]


@pytest.mark.parametrize(
    "pairs",
    [
        [(0, 0), (1, 1)],  # without either one nothing is left of its label
        [(0, 0), (0, 1), (0, 2), (1, 3)],
        [(0, 0), (1, 1), (1, 2), (1, 3)],
        [(0, 0), (1, 0)],
        [(0, 0), (1, 0), (0, 1), (0, 2)],
    ],
    ids=str,
)
def test_too_few_groups_give_no_folds(pairs):
    assert make_folds(bags_of(pairs), 4, seed=0) == []


def test_fewer_groups_than_folds_make_as_many_folds_as_they_can():
    assert len(make_folds(bags_of([(0, 0), (1, 0), (0, 1), (1, 1)]), 4, 0)) == 2  # a scene with both each
    assert len(make_folds(bags_of([(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]), 4, 0)) == 3


def test_too_few_groups_pick_no_step():
    n = MIN_GROUPS_TO_JUDGE
    calm, fights = [(0, i) for i in range(20)], [(1, 100 + i) for i in range(n)]
    assert can_judge(bags_of(calm + fights))
    assert not can_judge(bags_of(calm + fights[1:]))
    assert not can_judge(bags_of(calm + fights[1:] + fights[1:]))  # more videos, no more scenes
    assert not can_judge(bags_of(calm[: n - 1] + fights))
