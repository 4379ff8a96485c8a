"""How far apart curves lie is a matter of ranks, counted here frame by frame."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.judged_videos import judged_videos, make_judged
from vadpipe.comparison.curve_distance import apart


def slow_ranks(videos):
    """Return the rank of each scored frame of each video: how many score lower, and half of those alike."""
    everything = [score for video in videos for score in video.scores.tolist() if score == score]
    return [
        [
            (sum(other < score for other in everything) + sum(other == score for other in everything) / 2)
            / len(everything)
            for score in video.scores.tolist()
            if score == score
        ]
        for video in videos
    ]


@settings(max_examples=30)
@given(judged_videos(), st.randoms(use_true_random=False))
def test_distances_are_those_of_counting(judged, random):
    assume(not any(np.isnan(video.scores).all() for video in judged))
    versions = [judged]
    for _ in range(2):
        shuffled = [
            make_judged(
                str(index), [score if score != score else random.random() for score in video.scores.tolist()]
            )
            for index, video in enumerate(judged)
        ]
        versions.append(shuffled)
    ranks = [slow_ranks(videos) for videos in versions]
    expected = [
        np.mean([max(frame) - min(frame) for frame in zip(*own, strict=True)])
        for own in zip(*ranks, strict=True)
    ]
    assert apart(versions) == pytest.approx(expected)


def test_a_stretched_scale_changes_nothing():
    videos = [make_judged("a", [0.1, 0.5, 0.3]), make_judged("b", [0.2, 0.9])]
    stretched = [make_judged("a", [0.01, 0.25, 0.09]), make_judged("b", [0.04, 0.81])]
    assert apart([videos, stretched]) == [0, 0]


def test_a_swap_is_as_far_as_it_goes():
    low, high = make_judged("a", [0.1]), make_judged("b", [0.9])
    other_low, other_high = make_judged("a", [0.7]), make_judged("b", [0.3])
    assert apart([[low, high], [other_low, other_high]]) == [0.5, 0.5]
