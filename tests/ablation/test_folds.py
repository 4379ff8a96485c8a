"""Folds part no group, test every video once, and spread each kind evenly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.labelled_features import make_truth
from vadpipe.ablation.folds import make_test_folds
from vadpipe.errors import UsageError


def make_truths(normal, mixed, full):
    counts = {"normal": normal, "mixed": mixed, "full": full}
    return [make_truth(kind, index) for kind, count in counts.items() for index in range(count)]


@given(st.integers(0, 9), st.integers(4, 20), st.integers(0, 9), st.integers(2, 4), st.integers(0, 3))
def test_single_videos_go_round_by_kind(normal, mixed, full, n_folds, partition):
    truths = make_truths(normal + n_folds, mixed, full)
    folds = make_test_folds(truths, n_folds, partition)
    assert sorted(name for fold in folds for name in fold) == sorted(truth.video for truth in truths)
    for kind in ("normal", "mixed", "full"):
        sizes = [sum(name.startswith(kind) for name in fold) for fold in folds]
        assert max(sizes) - min(sizes) <= 1
    sizes = [len(fold) for fold in folds]
    assert max(sizes) - min(sizes) <= 1


@given(st.lists(st.integers(0, 11), min_size=30, max_size=40), st.integers(0, 5))
def test_groups_stay_whole(groups, partition):
    truths = [
        make_truth(("normal", "mixed")[index % 2], index, f"scene{group}")
        for index, group in enumerate(groups)
    ]
    try:
        folds = make_test_folds(truths, 2, partition)
    except UsageError:
        return
    fold_of = {name: at for at, fold in enumerate(folds) for name in fold}
    assert len(fold_of) == len(truths)
    for truth in truths:
        assert {fold_of[other.video] for other in truths if other.group == truth.group} == {
            fold_of[truth.video]
        }


def test_a_few_large_groups_do_not_fill_one_fold():
    sizes = {"a": 12, "b": 11, "c": 4, "d": 4, "e": 3}
    truths = [
        make_truth("normal" if index % 2 else "mixed", f"{group}{index}", group)
        for group, size in sizes.items()
        for index in range(size)
    ]
    assert sorted(len(fold) for fold in make_test_folds(truths, 2)) == [16, 18]


def test_folds_do_not_depend_on_the_order_of_groups():
    truths = make_truths(8, 8, 4)
    folds = make_test_folds(truths, 4, 2)
    assert folds == make_test_folds(truths, 4, 2)
    assert [set(fold) for fold in folds] == [set(fold) for fold in make_test_folds(truths[::-1], 4, 2)]
    assert folds != make_test_folds(truths, 4, 3)


@pytest.mark.parametrize(
    ("counts", "n_folds", "message"),
    [
        ((4, 4, 0), 1, "1 folds leave nothing to train on"),
        ((6, 2, 0), 3, r"fold 3 of 3 would have no anomalous frames to test: of 8 groups, 2 have anomalies"),
        ((0, 3, 4), 2, "fold 1 of 2 would have no normal videos to train on: of 7 groups, 7 have"),
        ((2, 0, 9), 3, "would have no normal frames to test"),
        ((1, 3, 0), 2, "fold 1 of 2 would have no normal videos to train on"),
    ],
)
def test_too_few_videos_for_the_folds_are_refused(counts, n_folds, message):
    with pytest.raises(UsageError, match=message) as caught:
        make_test_folds(make_truths(*counts), n_folds)
    assert caught.value.next_step.startswith("Use ")
