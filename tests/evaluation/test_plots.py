"""The videos whose curves are shown."""

from support.judged_videos import make_judged
from vadpipe.evaluation.breakdown import VideoMetrics, by_video
from vadpipe.evaluation.confusion import Confusion
from vadpipe.evaluation.plots import chosen_videos


def described(aucs):
    return [
        VideoMetrics(str(index), None, None, 2, 1, 0, auc, 0.5, 0.5, Confusion(1, 0, 0, 1), [])
        for index, auc in enumerate(aucs)
    ]


def test_the_best_and_the_worst_are_shown():
    videos = described([0.5, 0.9, 0.1, 0.7, 0.3])
    assert chosen_videos(videos, 5) == [1, 3, 0, 4, 2]
    assert chosen_videos(videos, 4) == [1, 3, 4, 2]
    assert chosen_videos(videos, 3) == [1, 3, 2]
    assert chosen_videos(videos, 1) == [1]


def test_videos_of_one_kind_fill_up_by_how_wrong_they_are():
    calm, loud = make_judged("calm", [0.1, 0.2]), make_judged("loud", [0.9, 0.2])
    missed, both = make_judged("missed", [0.1, 0.1], [(0, 2)]), make_judged("both", [0.1, 0.9], [(0, 1)])
    videos = by_video([calm, loud, missed, both], 0.5)
    assert chosen_videos(videos) == [3, 2, 1, 0]
    assert chosen_videos(videos, 2) == [3, 2]
