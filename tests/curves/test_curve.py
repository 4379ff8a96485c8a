"""Exactly one score per frame, and the peaks that a picture shows."""

import csv
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.curves import slow_spread
from vadpipe import Curve
from vadpipe.curves.curve import leading_places, snippets_to_frames
from vadpipe.curves.events import EventRule
from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.sampling import Sampling
from vadpipe.features.views import Place

NAN = float("nan")


@given(
    n_frames=st.integers(1, 300),
    stride=st.sampled_from([1, 5, 8, 16, 40]),
    fps=st.sampled_from([None, 10.0, 50.0]),
    lost=st.integers(0, 3),
    seed=st.integers(0, 999),
)
def test_each_frame_has_the_mean_of_its_snippets(n_frames, stride, fps, lost, seed):
    rng = np.random.default_rng(seed)
    times_s, end_s = np.arange(n_frames) / 25, n_frames / 25
    spans = Sampling(stride=stride, fps=fps).spans(times_s, end_s)
    scores = rng.random(len(spans), dtype=np.float32)
    scores[rng.integers(0, len(spans), lost)] = NAN
    curve = snippets_to_frames(scores, spans, n_frames)
    assert (curve.shape, curve.dtype) == ((n_frames,), np.float32)
    np.testing.assert_allclose(curve, slow_spread(scores.tolist(), spans.tolist(), n_frames), rtol=1e-6)


@given(
    n_frames=st.integers(1, 200),
    stride=st.sampled_from([5, 8, 16]),
    n_places=st.integers(2, 8),
    levels=st.sampled_from([2, 1000]),
    seed=st.integers(0, 999),
)
def test_the_place_that_leads_is_that_of_a_slow_loop(n_frames, stride, n_places, levels, seed):
    """Of each frame and place by itself; of equal ones it is the first."""
    rng = np.random.default_rng(seed)
    spans = Sampling(stride=stride).spans(np.arange(n_frames) / 25, n_frames / 25)
    scores = (rng.integers(0, levels, (len(spans), n_places)) / levels).astype(np.float32)
    scores[rng.integers(0, len(spans))] = NAN
    alone = [slow_spread(scores[:, place].tolist(), spans.tolist(), n_frames) for place in range(n_places)]
    leading = leading_places(scores, spans, n_frames)
    assert (leading.shape, leading.dtype) == ((n_frames,), np.uint8)
    for frame in range(n_frames):
        best = 0
        for place in range(n_places):
            if np.float32(alone[place][frame]) > np.float32(alone[best][frame]):
                best = place
        assert leading[frame] == best


LEFT, RIGHT = Place("left", (0.0, 0.0, 0.6, 1.0)), Place("right", (0.4, 0.0, 1.0, 1.0))


def test_an_event_is_where_the_score_of_its_peak_is_highest():
    scores, leading = [0.1, 0.6, 0.9, 0.7, 0.1, 0.8, 0.1], np.array([0, 0, 1, 0, 1, 0, 1], np.uint8)
    curve = make_curve(scores, threshold=0.5, places=(LEFT, RIGHT), leading=leading)
    assert [curve.place(event) for event in curve.events] == [RIGHT]
    apart = curve.at(0.65, EventRule(merge_gap_s=0.0))
    assert [curve.place(event) for event in apart.events] == [RIGHT, LEFT]
    unscored = make_curve([NAN, 0.5], threshold=0.5, places=(LEFT, RIGHT), leading=np.ones(2, np.uint8))
    assert (unscored.place_at(0), unscored.place_at(1)) == (None, RIGHT)


def test_without_places_an_event_has_none():
    curve = make_curve([0.1, 0.9], threshold=0.5)
    assert (curve.place(curve.events[0]), curve.places, len(curve.leading)) == (None, (), 0)


@pytest.mark.parametrize("leading", [[], [0], [0, 2], [0, 1, 1]])
def test_places_that_do_not_belong_to_the_frames_are_refused(leading):
    with pytest.raises(
        FeatureError, match=r"clip\.mp4: leading does not assign one of 2 places to each of 2 frames"
    ):
        make_curve([0.1, 0.9], places=(LEFT, RIGHT), leading=np.array(leading, np.uint8))


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (LEFT, "left"),
        (RIGHT, "right"),
        (Place("left", (0.0, 0.0, 1.0, 0.6)), "top"),
        (Place("right", (0.0, 0.4, 1.0, 1.0)), "bottom"),
        (Place("left", (0.0, 0.0, 1.0, 1.0)), "whole frame"),
        (Place("whole", (0.0, 0.0, 1.0, 1.0)), "whole frame"),
        (Place("bottom-right", (0.1, 0.1, 1.0, 1.0)), "bottom right"),
        (Place("centre", (0.1, 0.1, 0.9, 0.9)), "centre"),
        (Place("left"), "view left"),  # which may be the top
    ],
)
def test_places_are_called_what_they_are(place, name):
    assert place.name == name


def test_a_frame_of_lost_snippets_alone_has_no_score():
    overlapping = Sampling(stride=8).spans(np.arange(40) / 25, 1.6)
    curve = snippets_to_frames(np.array([0.5, NAN, NAN, 0.9], np.float32), overlapping, 40)
    np.testing.assert_allclose(curve[:16], 0.5)
    assert np.isnan(curve[16:24]).all()
    np.testing.assert_allclose(curve[24:], 0.9)


@pytest.mark.parametrize("n_scores", [2, 4])
def test_scores_that_are_not_one_for_each_snippet_are_refused(n_scores):
    spans = np.array([[0, 16], [16, 32], [32, 40]])
    with pytest.raises(FeatureError, match=f"{n_scores} scores of 3 snippets cannot cover 40 frames"):
        snippets_to_frames(np.zeros(n_scores, np.float32), spans, 40)


def test_snippets_that_do_not_reach_the_last_frame_are_refused():
    with pytest.raises(FeatureError, match="2 scores of 2 snippets cannot cover 40 frames"):
        snippets_to_frames(np.zeros(2, np.float32), np.array([[0, 16], [16, 32]]), 40)


def make_curve(scores, rate=10.0, **fields) -> Curve:
    scores = np.asarray(scores, np.float32)
    times = np.arange(len(scores)) / rate
    return Curve("videos/clip.mp4", scores, times, len(scores) / rate, **fields)


def test_csv_has_a_line_a_frame(tmp_path):
    make_curve([0, 0.25, 1]).to_csv(tmp_path / "clip.scores.csv")
    with (tmp_path / "clip.scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"frame": "0", "time_s": "0.000000", "score": "0.0"},
        {"frame": "1", "time_s": "0.100000", "score": "0.25"},
        {"frame": "2", "time_s": "0.200000", "score": "1.0"},
    ]


def test_paths_may_be_text_and_thresholds_numpys_own(tmp_path):
    curve = make_curve([0.1, 0.9], threshold=np.float32(0.5))
    curve.to_json(str(tmp_path / "a.json"))
    curve.to_csv(str(tmp_path / "a.csv"))
    again = Curve.from_json(str(tmp_path / "a.json"))
    assert (again.threshold, type(curve.threshold)) == (0.5, float)


def test_peaks_are_the_middles_of_the_highest_runs_apart_from_each_other():
    curve = make_curve([0.1] * 16 + [0.9] * 16 + [0.8] * 16 + [0.2] * 32 + [0.7] * 16)
    assert curve.peaks(2, apart_s=3.0) == [23, 87]
    assert curve.peaks(2, apart_s=0.0) == [23, 39]
    apart_s = float(curve.times_s[39] - curve.times_s[23])
    assert curve.peaks(2, apart_s=apart_s) == [23, 39]
    assert curve.peaks(2, apart_s=np.nextafter(apart_s, 9)) == [23, 87]


def test_frames_without_a_score_are_empty_fields(tmp_path):
    make_curve([0.5, NAN, 0.25]).to_csv(tmp_path / "clip.scores.csv")
    lines = (tmp_path / "clip.scores.csv").read_text().splitlines()
    assert lines == ["frame,time_s,score", "0,0.000000,0.5", "1,0.100000,", "2,0.200000,0.25"]


def test_frames_without_a_score_are_no_peaks():
    curve = make_curve([NAN] * 16 + [0.3] * 16 + [NAN] * 16 + [0.6] * 16)
    assert curve.peaks(5, apart_s=0.0) == [55, 23]
    assert make_curve([NAN] * 5).peaks(3) == []


def test_a_flat_or_one_frame_curve_has_one_peak():
    assert make_curve([0.5] * 10).peaks(3) == [4]
    assert make_curve([0.5]).peaks(3) == [0]


def test_a_curve_without_a_score_has_no_peaks():
    curve = Curve("a.mp4", np.full(5, np.nan, np.float32), np.arange(5) / 25, 0.2)
    assert curve.peaks() == []


def test_a_curve_writes_itself_whatever_has_been_imported(tmp_path):
    program = """
import sys
import numpy as np
from vadpipe.curves.curve import Curve

assert "vadpipe.output" not in sys.modules
curve = Curve("clip.mp4", np.array([0.5, 0.25], np.float32), np.array([0.0, 0.04]), 0.08)
curve.to_csv(sys.argv[1])
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "scores.csv")], check=True)
    assert "0.5" in (tmp_path / "scores.csv").read_text()


@pytest.mark.parametrize(
    ("method", "arguments", "name"),
    [
        *((method, (3,), "path") for method in ("to_csv", "to_events_csv", "to_npy", "to_json", "to_srt")),
        *((method, (3,), "path") for method in ("to_vtt", "to_edl", "to_fiftyone", "to_label_studio")),
        *((method, (3,), "path") for method in ("to_picture", "from_json")),
        *((method, (3, "a.mp4"), "path") for method in ("to_cvat", "to_report", "to_video")),
        *((method, ("out", 3), "video") for method in ("to_cvat", "to_report", "to_video", "to_clips")),
        ("to_picture", ("a.png", 3), "video"),
        ("to_clips", (3, "a.mp4"), "folder"),
    ],
)
def test_what_is_no_path_is_refused_by_name(tmp_path, monkeypatch, method, arguments, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"{name} is 3\nPass a path as {name}"):
        getattr(make_curve([0.5] * 3), method)(*arguments)
    assert [*tmp_path.iterdir()] == []
