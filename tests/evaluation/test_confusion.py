"""Confusion counts are those of scikit-learn, and add up."""

import numpy as np
from hypothesis import assume, given, settings
from sklearn.metrics import confusion_matrix

from support.judged_videos import judged_videos, make_judged
from vadpipe.evaluation.breakdown import by_video
from vadpipe.evaluation.confusion import Confusion
from vadpipe.evaluation.metrics import pooled


def counted_by_sklearn(marks, raised):
    tn, fp, fn, tp = confusion_matrix(marks, raised, labels=[False, True]).ravel().tolist()
    return Confusion(tp=tp, fp=fp, fn=fn, tn=tn)


@settings(max_examples=40)
@given(judged_videos())
def test_frames_are_counted_as_scikit_learn_counts_them(judged):
    assume(not any(np.isnan(video.scores).all() for video in judged))
    videos = by_video(judged, 0.5)
    for video, item in zip(judged, videos, strict=True):
        marks, scores = pooled([video])
        assert item.confusion == counted_by_sklearn(marks, scores >= 0.5)
    marks, scores = pooled(judged)
    assert Confusion.total(item.confusion for item in videos) == counted_by_sklearn(marks, scores >= 0.5)


def test_a_video_is_flagged_by_any_frame():
    beside = make_judged("beside", [0.9, 0.1, 0.1], [(1, 3)])
    calm, missed = make_judged("calm", [0.4, 0.2]), make_judged("missed", [0.4, np.nan], [(0, 1)])
    assert [video.flagged for video in by_video([beside, calm, missed], 0.5)] == [True, False, False]
    assert by_video([beside], 0.5)[0].confusion == Confusion(tp=0, fp=1, fn=2, tn=0)
