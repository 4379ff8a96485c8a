"""A figure that is not defined says why, and a head that detects nothing is told of."""

import pytest

from support.judged_videos import make_judged
from vadpipe.evaluation.alarms import tally
from vadpipe.evaluation.bootstrap import Interval
from vadpipe.evaluation.breakdown import by_class, by_video
from vadpipe.evaluation.metrics import frame_metrics
from vadpipe.evaluation.reasons import class_reason, reason, remarks
from vadpipe.evaluation.results import Figure

CALM = make_judged("calm", [0.1, 0.4])
LOUD = make_judged("loud", [0.8, 0.4])
WHOLE = make_judged("whole", [0.2, 0.3], [(0, 2)], "Abuse")
MIXED = make_judged("mixed", [0.2, 0.7, 0.3, 0.1], [(1, 2)], "Arson")
UNSCORED = make_judged("unscored", [0.2, float("nan")], [(1, 2)], "Riot")


def reasons(judged, threshold=0.9):
    frames = frame_metrics(judged)
    values = frames.figures | tally(judged, threshold).totals()
    return {name: reason(name, frames) for name, value in values.items() if value is None}


@pytest.mark.parametrize(
    ("judged", "name", "expected"),
    [
        ([CALM], "auc", "no video is abnormal"),
        ([CALM], "ap_abnormal", "no video is abnormal"),
        ([CALM], "recall", "no anomalous frame has a score"),
        ([CALM], "event_recall@0.1", "the truth has no event"),
        ([CALM], "event_f1@0.5", "the truth has no event, and no frame reaches the threshold"),
        ([WHOLE], "auc", "no normal frame has a score"),
        ([WHOLE], "false_alarms_per_hour", "no normal frame has a score"),
        ([WHOLE], "false_alarm_rate", "no video is normal"),
        ([WHOLE], "false_alarms_per_hour_of_normal_videos", "no video is normal"),
        ([WHOLE, CALM], "auc_abnormal", "the abnormal videos have no normal frames"),
        ([WHOLE, CALM], "ap_mixed", "no video has both kinds of frames"),
        ([WHOLE, CALM], "precision", "no frame reaches the threshold"),
        ([WHOLE, CALM], "event_precision@0.3", "no frame reaches the threshold"),
        ([UNSCORED, CALM], "auc", "no anomalous frame has a score"),
        ([UNSCORED, CALM], "auc_mixed", "no anomalous frame has a score"),
    ],
)
def test_what_is_not_defined_says_why(judged, name, expected):
    assert reasons(judged)[name] == expected


def test_what_is_defined_needs_no_reason():
    assert reasons([CALM, MIXED], threshold=0.5) == {}


def test_a_class_says_why():
    classes = {item.category: class_reason(item) for item in by_class([WHOLE, MIXED, UNSCORED])}
    assert classes == {
        "Abuse": "its videos have no normal frames, and no video is normal",
        "Arson": "",
        "Riot": "no anomalous frame has a score",
    }
    assert [class_reason(item) for item in by_class([WHOLE, CALM])] == ["its videos have no normal frames"]


def said(judged, threshold, auc=None):
    return remarks({"auc": Figure(0.5, auc)}, by_video(judged, threshold), threshold)


def test_a_threshold_that_no_score_reaches_is_told_with_the_highest():
    assert said([MIXED, CALM], 0.9) == [
        "no score reaches the threshold 0.900; the highest is 0.700, so nothing is detected. --threshold sets a lower one"
    ]
    assert said([MIXED, CALM], 0.7) == []


def test_a_score_just_below_the_threshold_is_told_from_it():
    (text,) = said([MIXED], 0.70001)
    assert "threshold 0.700010; the highest is 0.700000," in text


def test_abnormal_videos_that_all_stay_below_are_told():
    assert said([MIXED, LOUD], 0.75) == [
        "none of the 1 abnormal videos reaches the threshold 0.750; the highest is 0.700. --threshold sets a lower one"
    ]
    assert said([LOUD], 0.75) == []


def test_an_interval_that_contains_chance_is_put_into_words():
    assert said([MIXED], 0.5, Interval(0.44, 0.81, 0)) == [
        "the interval of the frame ROC-AUC, 0.440 to 0.810, contains 0.5: these videos do not show that it is better "
        "than chance"
    ]
    assert said([MIXED], 0.5, Interval(0.51, 0.81, 0)) == []
    assert said([MIXED], 0.5, Interval(None, None, 9)) == []
    (text,) = said([MIXED], 0.5, Interval(0.2, 0.49, 0))
    assert "lies below 0.5: anomalous frames score lower than normal ones" in text
