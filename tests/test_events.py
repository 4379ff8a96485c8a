"""Events are what a patient reader of a curve would mark."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.errors import UsageError
from vadpipe.events import Event, at_or_above, find_events, runs_of

NAN = np.nan
SCORES = st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0, NAN]), min_size=1, max_size=40)
STEPS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0])


def events_of(scores, threshold=0.5, join_s=1.0, times_s=None, end_s=None):
    scores = np.array(scores, np.float32)
    times_s = np.arange(len(scores)) / 4 if times_s is None else np.array(times_s, float)
    return find_events(scores, times_s, len(scores) / 4 if end_s is None else end_s, threshold, join_s)


def slow_events(scores, edges_s, threshold, join_s):
    """Walk over the frames one by one; carry an event on while the time since it is short."""
    found = []
    for frame, score in enumerate(scores):
        if not score >= threshold:
            continue
        if found and (found[-1][1] == frame or edges_s[frame] - edges_s[found[-1][1]] < join_s):
            found[-1][1] = frame + 1
        else:
            found.append([frame, frame + 1])
    return [(start, stop) for start, stop in found]


def test_runs_are_frames_and_seconds_and_have_a_peak():
    assert events_of([0, 0.5, 0.9, 0.4, 0, 0, 0, 0, 0.6]) == [
        Event(1, 3, 0.25, 0.75, pytest.approx(0.9)),
        Event(8, 9, 2.0, 2.25, pytest.approx(0.6)),
    ]
    assert events_of([0.1, 0.2]) == []
    assert [(event.start, event.stop) for event in events_of([1, 1])] == [(0, 2)]


def test_runs_less_than_a_second_apart_are_one():
    three_apart, four_apart = [1, 0, 0, 0, 1], [1, 0, 0, 0, 0, 1]
    assert [(event.start, event.stop) for event in events_of(three_apart)] == [(0, 5)]
    assert [(event.start, event.stop) for event in events_of(four_apart)] == [(0, 1), (5, 6)]
    assert len(events_of(three_apart, join_s=0)) == 2
    assert len(events_of(four_apart, join_s=1.01)) == 1


def test_the_gap_is_a_time_not_a_number_of_frames():
    scores = [1, 0, 1]
    assert len(events_of(scores, times_s=[0, 1, 5], end_s=6)) == 2
    assert len(events_of(scores, times_s=[0, 1, 1.5], end_s=6)) == 1


def test_frames_without_a_score_count_as_below():
    assert events_of([NAN, NAN]) == []
    assert [(event.start, event.stop) for event in events_of([NAN, 1, NAN, 1, NAN])] == [(1, 4)]
    long = [1, *[NAN] * 4, 0.5]
    assert [(event.start, event.stop) for event in events_of(long)] == [(0, 1), (5, 6)]
    assert events_of([1, NAN, 1])[0].peak == 1


def test_a_score_reaches_itself_whatever_its_precision():
    scores = np.array([0.7, 0.1], np.float32)  # a little less than the 0.7 of a float64
    assert float(scores[0]) < 0.7
    for threshold in (0.7, np.float64(0.7), float(scores[0])):
        np.testing.assert_array_equal(at_or_above(scores, threshold), [True, False])


@given(SCORES, st.data())
def test_events_are_those_of_a_slow_walk(scores, data):
    steps = data.draw(st.lists(STEPS, min_size=len(scores), max_size=len(scores)))
    edges_s = np.concatenate([[0.0], np.cumsum(steps)])
    threshold, join_s = data.draw(st.sampled_from([0.3, 0.5, 2.0])), data.draw(STEPS)
    values = np.array(scores, np.float32)
    found = find_events(values, edges_s[:-1], edges_s[-1], threshold, join_s)
    expected = slow_events(values, edges_s, np.float32(threshold), join_s)
    assert [(event.start, event.stop) for event in found] == expected
    for event in found:
        assert (event.start_s, event.end_s) == (edges_s[event.start], edges_s[event.stop])
        assert event.peak == np.nanmax(values[event.start : event.stop])
        for edge in (event.start, event.stop - 1):
            assert values[edge] >= np.float32(threshold)


@given(st.lists(st.booleans(), max_size=60))
def test_runs_part_the_true_values(marks):
    runs = runs_of(np.array(marks, bool)).tolist()
    inside = [frame for start, stop in runs for frame in range(start, stop)]
    assert inside == [frame for frame, mark in enumerate(marks) if mark]
    assert all(stop < start for (_, stop), (start, _) in pairwise(runs))


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="2 scores do not belong to 3 frame times"):
        events_of([0, 1], times_s=[0, 1, 2])
    for options in ({"threshold": NAN}, {"join_s": -1.0}, {"join_s": NAN}):
        with pytest.raises(UsageError, match="no events can be found at threshold"):
            events_of([0, 1], **options)
