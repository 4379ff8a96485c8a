"""Differences and their intervals are those of a bootstrap that copies videos and asks scikit-learn each time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from support.judged_videos import judged_videos, make_judged
from vadpipe.comparison.differences import NO_THRESHOLD, compared, compared_classes
from vadpipe.evaluation.alarms import tally
from vadpipe.evaluation.bootstrap import drawn

THRESHOLDS = {"a": 0.5, "b": 0.25}


@st.composite
def pairs(draw):
    """Draw videos as two candidates score them: other scores of the same frames, and none where the other has none."""
    first = draw(judged_videos())
    second = []
    for video in first:
        grades = st.sampled_from([0.0, 0.2, 0.25, 0.5, 0.9])
        n = len(video.scores)
        scores = np.array(draw(st.lists(grades, min_size=n, max_size=n)), np.float32)
        scores[np.isnan(video.scores)] = np.nan
        second.append(replace(video, scores=scores))
    return {"a": first, "b": second}


def weights_of(judged, resamples=8, seed=3):
    videos = judged["a"]
    return np.concatenate([np.ones((1, len(videos)), np.int64), drawn(videos, resamples, seed)])


def copied(videos, row):
    return [video for video, weight in zip(videos, row, strict=True) for _ in range(weight)]


def by_sklearn(videos):
    """Return AUC and AP of the frames of these videos; NaN where a kind is missing."""
    marks = np.concatenate([np.zeros(0, bool), *(video.truth.frames() for video in videos)])
    scores = np.concatenate([np.zeros(0), *(video.scores for video in videos)])
    marks, scores = marks[~np.isnan(scores)], scores[~np.isnan(scores)]
    if marks.all() or not marks.any():
        return np.nan, np.nan
    return roc_auc_score(marks, scores), average_precision_score(marks, scores)


def slow_figures(videos, threshold):
    figures = {}
    for suffix, chosen in (
        ("", videos),
        ("_abnormal", [video for video in videos if video.truth.abnormal]),
        ("_mixed", [video for video in videos if video.mixed]),
    ):
        figures[f"auc{suffix}"], figures[f"ap{suffix}"] = by_sklearn(chosen)
    alarms = tally(videos, threshold).totals() if videos else {}
    return figures | {name: np.nan if value is None else value for name, value in alarms.items()}


def expect(figure, values):
    """Compare a figure with its value and those of the resamples, (1 + R,)."""
    value, resampled = values[0], np.array(values[1:])
    if np.isnan(value):
        assert figure.value is None
        assert figure.reason
        return
    assert figure.value == pytest.approx(value)
    defined = np.sort(resampled[~np.isnan(resampled)])
    assert figure.interval.n_undefined == len(resampled) - len(defined)
    if len(defined):
        ends = np.quantile(defined, [0.025, 0.975])
        assert (figure.interval.low, figure.interval.high) == (pytest.approx(ends[0]), pytest.approx(ends[1]))


@settings(max_examples=12)
@given(pairs())
def test_differences_are_those_of_the_slow_way(judged):
    weights = weights_of(judged)
    figures, differences = compared(judged, THRESHOLDS, weights)
    slow = {
        name: [slow_figures(copied(videos, row), THRESHOLDS[name]) for row in weights]
        for name, videos in judged.items()
    }
    assert figures.keys() == {"a", "b"}
    assert differences.keys() == {"b"}
    for figure in slow["a"][0]:
        values = {name: np.array([each[figure] for each in slow[name]]) for name in slow}
        for name in values:
            expect(figures[name][figure], values[name])
        expect(differences["b"][figure], values["b"] - values["a"])


@settings(max_examples=12)
@given(pairs())
def test_classes_are_those_of_the_slow_way(judged):
    weights = weights_of(judged)
    found = {item.category: item for item in compared_classes(judged, weights)}
    named = {
        category
        for video in judged["a"]
        if video.truth.abnormal
        for category in (video.truth.category or "").split("+")
        if category
    }
    assert [*found] == sorted(named)
    for category, item in found.items():
        inside = [video.truth.abnormal and category in (video.truth.category or "") for video in judged["a"]]
        assert item.n_videos == sum(inside)
        slow = {}
        for name, videos in judged.items():
            slow[name] = {key: [] for key in ("auc", "ap", "auc_abnormal", "ap_abnormal")}
            for row in weights:
                own = copied(videos, row * np.array(inside))
                normal = copied(videos, row * np.array([not video.truth.abnormal for video in videos]))
                for suffix, chosen in (("", [*own, *normal]), ("_abnormal", own)):
                    for figure, value in zip(("auc", "ap"), by_sklearn(chosen), strict=True):
                        slow[name][f"{figure}{suffix}"].append(value)
        for figure in slow["a"]:
            expect(item.figures["a"][figure], slow["a"][figure])
            expect(item.differences["b"][figure], np.subtract(slow["b"][figure], slow["a"][figure]))


def test_the_interval_of_a_pair_is_narrower_than_of_two_apart():
    """One is a little better everywhere, on videos that are very different."""
    rng = np.random.default_rng(0)
    marks = np.isin(np.arange(20), range(5, 12))
    first, second = [], []
    for index in range(30):
        scores = rng.random(20) + marks * rng.uniform(-0.8, 1.2)
        first.append(make_judged(str(index), scores, [(5, 12)]))
        second.append(make_judged(str(index), scores + marks * 0.1, [(5, 12)]))
    judged = {"a": first, "b": second}
    figures, differences = compared(judged, THRESHOLDS, weights_of(judged, 400))

    def width(figure):
        return figure.interval.high - figure.interval.low

    apart = differences["b"]["auc"]
    assert apart.interval.low > 0
    assert width(apart) < width(figures["a"]["auc"]) / 2
    assert width(apart) < width(figures["b"]["auc"]) / 2


def test_equal_curves_do_not_differ():
    videos = [make_judged("a", [0.1, 0.9, 0.4], [(1, 2)]), make_judged("b", [0.3, 0.2])]
    judged = {"a": videos, "b": videos}
    _, differences = compared(judged, {"a": 0.5, "b": 0.5}, weights_of(judged))
    for name, figure in differences["b"].items():
        assert figure.value == 0, name
        assert (figure.interval.low, figure.interval.high) == (0, 0), name


def test_without_a_threshold_events_are_not_compared_and_frames_are():
    videos = [make_judged("a", [0.1, 0.9], [(1, 2)]), make_judged("b", [0.3, 0.2])]
    judged = {"a": videos, "b": videos}
    figures, differences = compared(judged, {"a": 0.5, "b": None}, weights_of(judged))
    assert differences["b"]["auc"].value == 0
    assert differences["b"]["recall"].value is None
    assert differences["b"]["recall"].reason == figures["b"]["recall"].reason == NO_THRESHOLD
    assert figures["a"]["recall"].value == 1


def test_without_resamples_there_are_no_intervals():
    videos = [make_judged("a", [0.1, 0.9], [(1, 2)], "Abuse"), make_judged("b", [0.3, 0.2])]
    judged = {"a": videos, "b": videos}
    weights = np.ones((1, 2), np.int64)
    figures, differences = compared(judged, THRESHOLDS, weights)
    assert figures["a"]["auc"].interval is differences["b"]["auc"].interval is None
    (item,) = compared_classes(judged, weights)
    assert item.differences["b"]["auc"].interval is None
