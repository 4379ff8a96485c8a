"""Events are what a patient reader of a curve would mark."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.curves.events import (
    DEFAULT_RULE,
    EventRule,
    at_or_above,
    check_threshold,
    find_events,
)
from vadpipe.errors import UsageError
from vadpipe.features.ranges import runs_of_true

NAN = np.nan
SCORES = st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0, NAN]), min_size=1, max_size=40)
STEPS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0])


def events_of(scores, threshold=0.5, times_s=None, end_s=None, **rule):
    scores = np.array(scores, np.float32)
    times_s = np.arange(len(scores)) / 4 if times_s is None else np.array(times_s, float)
    end_s = len(scores) / 4 if end_s is None else end_s
    return find_events(scores, times_s, end_s, threshold, EventRule(**{"hysteresis": 0.0} | rule))


def spans_of(*arguments, **options):
    return [(event.start, event.stop) for event in events_of(*arguments, **options)]


def slow_events(scores, edges_s, threshold, rule):
    """Walk over the frames one by one, as a person with a pencil would."""
    low = np.float32(threshold * (1 - rule.hysteresis))
    runs = []
    for frame, score in enumerate(scores):
        if score >= low:
            if runs and runs[-1][-1] == frame - 1:
                runs[-1].append(frame)
            else:
                runs.append([frame])
    found = []
    for run in runs:
        if not any(scores[frame] >= np.float32(threshold) for frame in run):
            continue
        if found and round(edges_s[run[0]] - edges_s[found[-1][1]], 6) < rule.merge_gap_s:
            found[-1][1] = run[-1] + 1
        else:
            found.append([run[0], run[-1] + 1])
    return [
        (start, stop)
        for start, stop in found
        if round(edges_s[stop] - edges_s[start], 6) >= rule.min_length_s
    ]


def test_runs_are_frames_and_seconds_and_have_a_peak():
    first, second = events_of([0, 0.5, 0.9, 0.9, 0.9, 0.4, 0, 0, 0, 0, 0.6])
    assert (first.start, first.stop, first.start_s, first.end_s) == (1, 5, 0.25, 1.25)
    assert (first.peak, first.peak_frame, first.peak_s) == (np.float32(0.9), 3, 0.75)
    assert first.mean == pytest.approx((0.5 + 3 * 0.9) / 4)
    assert (second.start_s, second.end_s, second.length_s, second.peak_s) == (2.5, 2.75, 0.25, 2.5)
    assert events_of([0.1, 0.2]) == []
    assert spans_of([1, 1]) == [(0, 2)]


def test_an_event_goes_on_until_it_falls_below_the_lower_threshold():
    scores = [0.4, 0.45, 0.6, 0.45, 0.4, 0.2, 0, 0, 0, 0.45, 0.45]
    assert spans_of(scores) == [(2, 3)]
    assert spans_of(scores, hysteresis=0.2) == [(0, 5)]  # what never reaches the threshold begins none
    assert spans_of(scores, hysteresis=0.1) == [(1, 4)]
    assert spans_of(scores, hysteresis=1) == [(0, 11)]


@pytest.mark.parametrize("rate", [10, 24, 25, 30, 30000 / 1001])
def test_a_length_is_reached_whatever_the_rate_makes_of_it(rate):
    """Times are multiples of 1 / rate, and their differences rarely exact."""
    for first in range(0, 400, 7):
        scores = np.zeros(first + 150)
        scores[first : first + 10] = scores[first + 50 : first + 60] = 1
        times_s = np.arange(len(scores)) / rate
        spans = [(first, first + 10), (first + 50, first + 60)]
        rule = {"merge_gap_s": 40 / rate, "min_length_s": 10 / rate}
        assert spans_of(scores, times_s=times_s, end_s=len(scores) / rate, **rule) == spans


def test_hysteresis_looks_both_ways():
    assert spans_of([0, 0.45, 0.45, 0.6, 0.45, 0.1], hysteresis=0.2) == [(1, 5)]


def test_the_middle_of_an_even_run_is_the_one_before_it():
    assert events_of([0, 0.9, 0.9, 0.9, 0.9, 0])[0].peak_frame == 2


def test_short_events_are_left_out_when_all_are_joined():
    scores = [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert spans_of(scores) == [(0, 3), (9, 10)]
    assert spans_of(scores, min_length_s=0.75) == [(0, 3)]
    assert spans_of(scores, min_length_s=0.75, merge_gap_s=0) == []


def test_runs_less_than_a_second_apart_are_one():
    three_apart, four_apart = [1, 0, 0, 0, 1], [1, 0, 0, 0, 0, 1]
    assert spans_of(three_apart) == [(0, 5)]
    assert spans_of(four_apart) == [(0, 1), (5, 6)]
    assert len(events_of(three_apart, merge_gap_s=0)) == 2
    assert len(events_of(four_apart, merge_gap_s=1.01)) == 1


def test_the_gap_is_a_time_not_a_number_of_frames():
    scores = [1, 0, 1]
    assert len(events_of(scores, times_s=[0, 1, 5], end_s=6)) == 2
    assert len(events_of(scores, times_s=[0, 1, 1.5], end_s=6)) == 1


def test_frames_without_a_score_count_as_below():
    assert events_of([NAN, NAN]) == []
    assert spans_of([NAN, 1, NAN, 1, NAN]) == [(1, 4)]
    assert events_of([1, NAN, 0.5])[0].mean == 0.75
    long = [1, *[NAN] * 4, 0.5]
    assert spans_of(long) == [(0, 1), (5, 6)]
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
    threshold = data.draw(st.sampled_from([0.3, 0.5, 2.0]))
    rule = EventRule(data.draw(st.sampled_from([0.0, 0.2, 0.5])), data.draw(STEPS), data.draw(STEPS))
    values = np.array(scores, np.float32)
    found = find_events(values, edges_s[:-1], edges_s[-1], threshold, rule)
    expected = slow_events(values, edges_s, threshold, rule)
    assert [(event.start, event.stop) for event in found] == expected
    for event in found:
        assert (event.start_s, event.end_s) == (edges_s[event.start], edges_s[event.stop])
        inside = values[event.start : event.stop]
        assert event.peak == np.nanmax(inside) == values[event.peak_frame] >= np.float32(threshold)
        assert event.peak_s == edges_s[event.peak_frame]
        assert event.mean == pytest.approx(np.nanmean(inside))
        for edge in (event.start, event.stop - 1):
            assert values[edge] >= np.float32(rule.low(threshold))


@given(st.lists(st.booleans(), max_size=60))
def test_runs_part_the_true_values(marks):
    runs = runs_of_true(np.array(marks, bool)).tolist()
    inside = [frame for start, stop in runs for frame in range(start, stop)]
    assert inside == [frame for frame, mark in enumerate(marks) if mark]
    assert all(stop < start for (_, stop), (start, _) in pairwise(runs))


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="2 scores do not match 3 frame times"):
        events_of([0, 1], times_s=[0, 1, 2])
    with pytest.raises(UsageError, match="the threshold nan is not a number"):
        events_of([0, 1], threshold=NAN)
    for name in ("merge_gap_s", "hysteresis", "min_length_s"):
        for value in (-1.0, NAN):
            with pytest.raises(
                UsageError, match=rf"{name.replace('_', ' ')} {value} is out of range\nGive 0"
            ):
                events_of([0, 1], **{name: value})
    with pytest.raises(UsageError, match=r"hysteresis 1.5 is out of range\nGive 0 to 1"):
        events_of([0, 1], hysteresis=1.5)


def test_by_default_an_event_goes_on_down_to_half_the_threshold():
    assert vars(DEFAULT_RULE) == {"hysteresis": 0.5, "merge_gap_s": 1.0, "min_length_s": 0.0}
    assert spans_of([0.39, 0.4, 0.8, 0.41, 0.3], threshold=0.8, hysteresis=DEFAULT_RULE.hysteresis) == [
        (1, 4)
    ]
    tiny = [0.0009, 0.002, 0.0011, 0.0]  # a head whose scores are all low
    assert spans_of(tiny, threshold=0.002, hysteresis=DEFAULT_RULE.hysteresis) == [(1, 3)]


@given(SCORES, st.sampled_from([0.3, 0.5, 0.7]), st.sampled_from([0.2, 0.5, 1.0]))
def test_hysteresis_makes_no_more_events_and_none_shorter(scores, threshold, hysteresis):
    with_it, without = (spans_of(scores, threshold, hysteresis=own) for own in (hysteresis, 0.0))
    assert len(with_it) <= len(without)
    assert bool(with_it) == bool(without)
    for start, stop in without:
        assert any(first <= start and stop <= last for first, last in with_it)


@pytest.mark.parametrize("name", ["hysteresis", "merge_gap_s", "min_length_s"])
@pytest.mark.parametrize("value", ["1", None, True, [1.0]])
def test_what_is_no_number_is_no_part_of_a_rule(name, value):
    with pytest.raises(UsageError, match=name):
        EventRule(**{name: value})


@pytest.mark.parametrize("threshold", [0, 0.0, 1, 1.0, 0.5])
def test_any_score_may_be_the_threshold(threshold):
    check_threshold(threshold)


@pytest.mark.parametrize("threshold", [-1e-9, 1 + 1e-9, NAN, 1e9])
def test_what_is_no_score_may_not(threshold):
    with pytest.raises(UsageError, match=r"threshold .* is out of range") as caught:
        check_threshold(threshold)
    assert caught.value.next_step == "Scores lie in [0, 1]."


def test_an_event_in_words_that_others_read():
    (event,) = events_of([0.0, 0.5, 0.75, 0.75, 0.0])
    assert event.to_dict() == {
        "start_s": 0.25, "end_s": 1.0, "start_frame": 1, "stop_frame": 4, "peak": 0.75, "peak_s": 0.5, "peak_frame": 2,
        "mean": pytest.approx(2 / 3),
    }  # fmt: skip
    assert event.length_s == 0.75
    assert {type(value) for value in event.to_dict().values()} == {int, float}


@pytest.mark.parametrize("threshold", [NAN, np.inf, -np.inf])
def test_a_threshold_that_is_no_number_finds_nothing_quietly_never(threshold):
    with pytest.raises(UsageError, match="is not a number"):
        events_of([0.5], threshold)
