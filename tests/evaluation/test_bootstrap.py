"""Intervals are those of a bootstrap that copies videos and starts anew each time."""

import numpy as np
import pytest
from hypothesis import given, settings

from support.judged_videos import judged_videos, make_judged
from vadpipe.evaluation.alarms import tally
from vadpipe.evaluation.bootstrap import Interval, drawn, interval_of, intervals
from vadpipe.evaluation.metrics import frame_metrics

THRESHOLD = 0.5


def naive(judged, resamples, seed):
    """Copy the videos of each resample, and compute every figure from the start."""
    values = {}
    for weights in drawn(judged, resamples, seed):
        copies = [video for video, weight in zip(judged, weights, strict=True) for _ in range(weight)]
        figures = frame_metrics(copies).figures | tally(copies, THRESHOLD).totals()
        for name, value in figures.items():
            values.setdefault(name, []).append(np.nan if value is None else value)
    return {name: interval_of(np.array(resampled)) for name, resampled in values.items()}


@settings(max_examples=25)
@given(judged_videos())
def test_the_fast_intervals_are_the_naive_ones(judged):
    found = intervals(judged, tally(judged, THRESHOLD), resamples=30, seed=7)
    expected = naive(judged, 30, 7)
    assert found.keys() == expected.keys()
    for name, interval in expected.items():
        assert found[name].n_undefined == interval.n_undefined, name
        assert found[name].low == pytest.approx(interval.low), name
        assert found[name].high == pytest.approx(interval.high), name


def test_a_seed_decides_the_draws():
    judged = [make_judged(str(index), [0.1]) for index in range(20)]
    np.testing.assert_array_equal(drawn(judged, 50, 1), drawn(judged, 50, 1))
    assert (drawn(judged, 50, 1) != drawn(judged, 50, 2)).any()
    assert (drawn(judged, 50, 1).sum(axis=1) == 20).all()


def test_groups_are_drawn_whole():
    groups = ["hall", None, "hall", "yard", None]
    judged = [make_judged(str(index), [0.1], group=group) for index, group in enumerate(groups)]
    weights = drawn(judged, 200, 0)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    assert (weights[:, [0, 1, 3, 4]].sum(axis=1) == 4).all()  # as many groups as there are
    assert (weights[:, 1] != weights[:, 4]).any()


def test_a_group_that_is_called_like_a_video_is_not_this_video():
    judged = [make_judged("a", [0.1]), make_judged("b", [0.1], group="a")]
    weights = drawn(judged, 50, 0)
    assert (weights.sum(axis=1) == 2).all()
    assert (weights[:, 0] != weights[:, 1]).any()


def test_every_group_is_drawn_as_often_as_any_other():
    judged = [make_judged(str(index), [0.1]) for index in range(5)]
    np.testing.assert_allclose(drawn(judged, 20_000, 0).mean(axis=0), 1, atol=0.03)


def test_resamples_without_a_kind_are_counted():
    judged = [make_judged("normal", [0.2, 0.1]), make_judged("whole", [0.4, 0.6], [(0, 2)])]
    found = intervals(judged, tally(judged, THRESHOLD), resamples=400, seed=0)
    weights = drawn(judged, 400, 0)
    assert found["auc"] == Interval(1.0, 1.0, int((weights == 0).any(axis=1).sum()))
    assert 150 < found["auc"].n_undefined < 250  # half of the draws take one video twice
    assert found["auc_mixed"] == Interval(None, None, 400)


def test_the_interval_is_the_middle_95_percent():
    found = interval_of(np.arange(1001.0))
    assert (found.low, found.high) == (pytest.approx(25), pytest.approx(975))
    assert interval_of(np.array([np.nan, 3.0, np.nan])) == Interval(3.0, 3.0, 2)


def test_no_resamples_no_intervals():
    judged = [make_judged("a", [0.1])]
    assert intervals(judged, tally(judged, THRESHOLD), resamples=0, seed=0) == {}
