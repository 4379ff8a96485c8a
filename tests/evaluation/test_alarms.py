"""What a threshold makes of curves, counted by hand and by slow loops."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given

from support.judged_videos import FPS, judged_videos, make_judged, scored_frames
from vadpipe.curves.events import find_events
from vadpipe.evaluation.alarms import IOUS, AlarmCounts, tally

# An event each: found well, found in part, missed; and two alarms for nothing.
WATCHED = make_judged(
    "watched", [0] * 8 + [1] * 8 + [0] * 8 + [1] * 2 + [0] * 14, [(8, 16), (25, 33), (38, 40)]
)
QUIET = make_judged("quiet", [0] * 4 + [0.9] * 2 + [0] * 8 + [0.5] + [0] * 3)


def test_a_small_case_counted_by_hand():
    found = tally([WATCHED, QUIET], 0.5).totals()
    assert found["recall"] == 9 / 18
    assert found["precision"] == 9 / 13
    assert found["false_positive_rate"] == 4 / 40
    assert found["false_alarm_rate"] == 3 / 18
    assert found["false_alarms_per_hour_of_normal_videos"] == pytest.approx(2 / (18 / FPS / 3600))
    assert found["false_alarms_per_hour"] == pytest.approx(2 / (40 / FPS / 3600))
    # Four events, three true ones; the second of each share one frame of nine.
    assert [found[f"event_precision@{iou}"] for iou in IOUS] == [2 / 4, 1 / 4, 1 / 4]
    assert [found[f"event_recall@{iou}"] for iou in IOUS] == [2 / 3, 1 / 3, 1 / 3]
    assert [found[f"event_f1@{iou}"] for iou in IOUS] == pytest.approx([4 / 7, 2 / 7, 2 / 7])


def test_an_alarm_that_touches_an_anomaly_is_not_false():
    touching = make_judged("a", [0, 1, 1, 1, 0, 0], [(3, 6)])
    assert tally([touching], 0.5).totals()["false_alarms_per_hour"] == 0
    beside = make_judged("a", [0, 1, 1, 0, 0, 0], [(3, 6)])
    assert tally([beside], 0.5).totals()["false_alarms_per_hour"] == pytest.approx(3600 / (3 / FPS))


def test_time_without_a_score_is_not_watched():
    half = make_judged("a", [1, 0, np.nan, np.nan])
    assert tally([half], 0.5).totals()["false_alarms_per_hour"] == pytest.approx(3600 / (2 / FPS))


def test_what_does_not_divide_is_none():
    found = tally([make_judged("a", [0.1, 0.2])], 0.5).totals()
    assert found["recall"] is found["precision"] is found["event_f1@0.1"] is None
    assert found["false_alarm_rate"] == 0
    whole = tally([make_judged("a", [0.1, 0.2], [(0, 2)])], 0.5).totals()
    assert whole["false_alarm_rate"] is whole["false_alarms_per_hour"] is whole["event_precision@0.5"] is None
    assert whole["recall"] == whole["event_recall@0.5"] == whole["event_f1@0.5"] == 0


@given(judged_videos())
def test_rates_are_those_of_a_slow_count(judged):
    found = tally(judged, 0.5).totals()
    anomalous, normal = scored_frames(judged)
    quiet = [video for video in judged if not video.truth.anomalies]
    _, quiet_frames = scored_frames(quiet)

    def share(scores):
        return sum(score >= 0.5 for score in scores) / len(scores) if scores else None

    assert found["recall"] == share(anomalous)
    assert found["false_positive_rate"] == share(normal)
    assert found["false_alarm_rate"] == share(quiet_frames)
    n_alarms = sum(len(find_events(video.scores, video.times_s, video.end_s, 0.5)) for video in quiet)
    hours = len(quiet_frames) / FPS / 3600
    per_hour = found["false_alarms_per_hour_of_normal_videos"]
    assert per_hour == (pytest.approx(n_alarms / hours) if hours else None)
    for name, value in found.items():
        assert value is None or value >= 0
        assert value is None or "hour" in name or value <= 1


def test_sums_are_those_of_copies():
    judged, weights = [WATCHED, QUIET], np.array([[2, 1], [0, 3]])
    sums = tally(judged, 0.5).summed(weights)
    copies = [tally([WATCHED, WATCHED, QUIET], 0.5), tally([QUIET] * 3, 0.5)]
    for field in fields(AlarmCounts):
        expected = [getattr(counts, field.name).sum(axis=0) for counts in copies]
        np.testing.assert_array_equal(getattr(sums, field.name), expected)
