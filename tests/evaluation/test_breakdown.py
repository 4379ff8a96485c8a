"""Figures by class and by video are those of the videos that they name."""

import numpy as np
import pytest
from hypothesis import given

from support.judged_videos import judged_videos, make_judged
from vadpipe.evaluation.breakdown import by_class, by_video
from vadpipe.evaluation.metrics import frame_metrics


@given(judged_videos(min_size=2))
def test_a_class_is_told_apart_from_all_normal_videos(judged):
    normal = [video for video in judged if not video.truth.abnormal]
    found = {item.category: item for item in by_class(judged)}
    named = "+".join(video.truth.category or "" for video in judged if video.truth.abnormal)
    assert list(found) == [category for category in ("Abuse", "Arson") if category in named]
    for category, item in found.items():
        inside = [
            video for video in judged if video.truth.abnormal and category in (video.truth.category or "")
        ]
        own, against = frame_metrics(inside), frame_metrics(inside + normal)
        assert (item.n_videos, item.n_frames, item.n_anomalous) == (
            len(inside),
            own.n_frames,
            own.n_anomalous,
        )
        assert (item.auc, item.ap) == (pytest.approx(against.auc), pytest.approx(against.ap))
        assert (item.auc_abnormal, item.ap_abnormal) == (pytest.approx(own.auc), pytest.approx(own.ap))


def test_the_class_of_a_normal_video_is_no_class():
    judged = [make_judged("a", [0.1], category="Normal"), make_judged("b", [0.2], [(0, 1)], "Abuse")]
    assert [item.category for item in by_class(judged)] == ["Abuse"]


def test_a_video_is_described():
    video = make_judged("a", [np.nan, 0.5, 0.9, 0.2, 0.1], [(2, 4)], "Abuse", "hall")
    found = by_video([video], 0.5)[0]
    assert (found.video, found.category, found.group) == ("a", "Abuse", "hall")
    assert (found.n_frames, found.n_anomalous, found.n_unscored) == (5, 2, 1)
    assert found.auc == 3 / 4
    assert found.raised == 2 / 4
    assert found.peak == pytest.approx(0.9)
    assert [(event.start, event.stop) for event in found.events] == [(1, 3)]
    assert by_video([make_judged("b", [0.1])], 0.5)[0].auc is None
