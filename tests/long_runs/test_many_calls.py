"""A program that calls the Python API again and again holds no more after thousands of calls."""

import numpy as np
import pytest

import vadpipe
from support.held_resources import HeldResources
from support.processes import children_left
from support.videos import write_video

pytestmark = pytest.mark.slow


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / "clip.mp4", 8, size=(64, 64))


def held_after_each(n_calls, call):
    """Call it so often, with the same result each time, and return what was held after each call."""
    held, first = HeldResources(), call()
    for _ in range(n_calls):
        assert np.array_equal(call().scores, first.scores)
        held.note()
    assert children_left() == set()
    return held


def test_one_scorer(clip, scorer):
    held_after_each(2000, lambda: scorer.score(clip)).check_flat(below_mb=10)


def test_a_scorer_for_each_call(clip, x3d_head, x3d_weights):
    call = lambda: vadpipe.score(clip, head=x3d_head, weights=x3d_weights)  # noqa: E731
    held_after_each(200, call).check_flat(below_mb=10)
