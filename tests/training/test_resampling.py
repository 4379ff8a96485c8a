"""The interval of the AUC is that of a bootstrap that copies groups and asks scikit-learn each time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from vadpipe.training.resampling import drawn_groups, drawn_in_parts, interval_of, resampled_auc


@given(
    videos=st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=1, max_size=12),
    seed=st.integers(0, 99),
)
def test_the_auc_of_a_resample_is_that_of_copied_videos(videos, seed):
    """Scores with ties, labels that may be missing, groups of any size."""
    scores, labels, groups = (np.array(column) for column in zip(*videos, strict=True))
    weights = drawn_groups(groups.tolist(), 20, seed)
    found = resampled_auc(scores / 4, labels, weights)
    for auc, row in zip(found, weights, strict=True):
        copied_scores, copied_labels = np.repeat(scores / 4, row), np.repeat(labels, row)
        if len({*copied_labels.tolist()}) < 2:
            assert np.isnan(auc)
        else:
            assert auc == pytest.approx(roc_auc_score(copied_labels, copied_scores), abs=1e-12)


def test_groups_are_drawn_whole_and_as_many_as_there_are():
    weights = drawn_groups(["hall", "a", "hall", "yard"], 300, 0)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.15)


@pytest.mark.parametrize("at_once", [1, 4, 7, 25, 10**6])
def test_resamples_in_parts_are_those_of_one_draw(at_once):
    """Drawn at once by numpy, as they were before there were parts."""
    groups = ["hall", "a", "hall", "yard"]
    draws = np.random.default_rng(3).multinomial(3, np.full(3, 1 / 3), 30)[:, [0, 1, 0, 2]]
    parts = [*drawn_in_parts(groups, 30, 3, at_once)]
    np.testing.assert_array_equal(np.concatenate(parts), draws)
    assert {len(part) for part in parts[:-1]} <= {max(1, at_once // 4)}
    np.testing.assert_array_equal(drawn_groups(groups, 30, 3), draws)


def test_the_interval_covers_what_it_should():
    """Of 95 % intervals over many samples of one kind, about that many hold the true AUC."""
    rng, hits = np.random.default_rng(5), 0
    labels = np.repeat([False, True], 30)
    for seed in range(200):
        scores = rng.normal(size=60) + labels
        interval = interval_of(resampled_auc(scores, labels, drawn_groups(list(range(60)), 200, seed)))
        hits += interval.low <= 0.7602 <= interval.high  # Phi(1 / sqrt 2)
    assert 0.88 <= hits / 200 <= 0.99
