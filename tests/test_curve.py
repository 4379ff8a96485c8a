"""Exactly one score a frame, and the peaks that a picture shows."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.curve import Curve, spread
from vadpipe.errors import FeatureError


@given(n_frames=st.integers(1, 3000), stride=st.sampled_from([1, 8, 16]))
def test_each_frame_has_the_score_of_its_own_snippet(n_frames, stride):
    scores = np.arange(-(-n_frames // stride), dtype=np.float32)
    expected = [scores[frame // stride] for frame in range(n_frames)]
    np.testing.assert_array_equal(spread(scores, stride, n_frames), expected)


@pytest.mark.parametrize("n_snippets", [2, 4])
def test_snippets_that_do_not_cover_the_frames_are_refused(n_snippets):
    with pytest.raises(FeatureError, match=f"{n_snippets} snippets of 16 frames cannot cover 40 frames"):
        spread(np.zeros(n_snippets, np.float32), 16, 40)


def make_curve(scores, rate=10.0, **fields) -> Curve:
    scores = np.asarray(scores, np.float32)
    times = np.arange(len(scores)) / rate
    return Curve("videos/clip.mp4", scores, times, len(scores) / rate, **fields)


def test_csv_has_a_line_a_frame(tmp_path):
    make_curve([0, 0.25, 1]).to_csv(tmp_path / "clip.scores.csv")
    with (tmp_path / "clip.scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"frame": "0", "time_s": "0.000000", "score": "0.000000"},
        {"frame": "1", "time_s": "0.100000", "score": "0.250000"},
        {"frame": "2", "time_s": "0.200000", "score": "1.000000"},
    ]


def test_peaks_are_the_middles_of_the_highest_runs_apart_from_each_other():
    curve = make_curve([0.1] * 16 + [0.9] * 16 + [0.8] * 16 + [0.2] * 32 + [0.7] * 16)
    assert curve.peaks(2, apart_s=3.0) == [23, 87]
    assert curve.peaks(2, apart_s=0.0) == [23, 39]


def test_a_flat_or_one_frame_curve_has_one_peak():
    assert make_curve([0.5] * 10).peaks(3) == [4]
    assert make_curve([0.5]).peaks(3) == [0]
