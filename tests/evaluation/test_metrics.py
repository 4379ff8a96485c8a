"""Figures of frames are those of a slow count over pairs and thresholds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from support.judged_videos import judged_videos, make_judged, scored_frames, slow_ap, slow_auc
from vadpipe.annotations.truth import Truth
from vadpipe.errors import UsageError
from vadpipe.evaluation.metrics import JudgedVideo, frame_metrics


@given(judged_videos())
def test_figures_are_those_of_a_slow_count(judged):
    found = frame_metrics(judged)
    abnormal = [video for video in judged if video.truth.anomalies]
    mixed = [video for video in abnormal if not video.truth.frames().all()]
    for suffix, videos in (("", judged), ("_abnormal", abnormal), ("_mixed", mixed)):
        frames = scored_frames(videos)
        assert found.figures[f"auc{suffix}"] == pytest.approx(slow_auc(*frames))
        assert found.figures[f"ap{suffix}"] == pytest.approx(slow_ap(*frames))
    anomalous, normal = scored_frames(judged)
    n_all = sum(len(video.scores) for video in judged)
    assert (found.n_videos, found.n_abnormal, found.n_mixed) == (len(judged), len(abnormal), len(mixed))
    assert (found.n_frames, found.n_anomalous) == (len(anomalous) + len(normal), len(anomalous))
    assert found.n_unscored == n_all - found.n_frames


@given(judged_videos(), st.sampled_from([lambda x: x**3, lambda x: np.exp(x) / 9, lambda x: 2 * x - 7]))
def test_only_the_order_of_scores_matters(judged, rising):
    changed = [replace(video, scores=rising(video.scores).astype(np.float32)) for video in judged]
    assert frame_metrics(changed) == frame_metrics(judged)


@given(judged_videos())
def test_scores_turned_round_turn_the_auc_round(judged):
    auc = frame_metrics(judged).auc
    assume(auc is not None)
    turned = [replace(video, scores=-video.scores) for video in judged]
    assert frame_metrics(turned).auc == pytest.approx(1 - auc)


def test_an_all_anomalous_video_counts_among_the_abnormal_and_not_among_the_mixed():
    both = make_judged("both", [0.1, 0.9, 0.2, 0.6], [(1, 3)])
    whole = make_judged("whole", [0.05, 0.05], [(0, 2)])
    found = frame_metrics([both, whole])
    assert found.auc_mixed == 0.75
    assert found.auc_abnormal == 0.375
    assert (found.n_abnormal, found.n_mixed) == (2, 1)


def test_what_lacks_a_kind_of_frame_has_no_figure():
    normal, whole = make_judged("normal", [0.1, 0.2]), make_judged("whole", [0.3, 0.3], [(0, 2)])
    assert set(frame_metrics([]).figures.values()) == {None}
    assert set(frame_metrics([normal]).figures.values()) == {None}
    assert set(frame_metrics([whole]).figures.values()) == {None}
    assert frame_metrics([normal, whole]).auc == 1
    assert frame_metrics([normal, whole]).auc_abnormal is None
    unseen = make_judged("unseen", [np.nan, 0.3], [(0, 1)])  # nobody saw the anomaly
    assert frame_metrics([unseen]).auc is None
    assert frame_metrics([unseen]).n_unscored == 1


def test_a_curve_and_a_truth_of_different_lengths_are_refused():
    with pytest.raises(UsageError, match="a: has 3 frames in the truth, 2 scores and 2 frame times"):
        JudgedVideo(Truth("a", 3, ()), np.zeros(2, np.float32), np.zeros(2), 1.0)
