"""Times in seconds become frames by the times of the frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.sheet import read_sheet
from vadpipe.annotations.sheet_writing import write_annotations
from vadpipe.annotations.truth import Truth
from vadpipe.errors import FeatureError, UsageError


def seconds(*ranges):
    return Annotation("a", True, None, ranges, "seconds")


@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from([10, 12.5, 25, 29.97]), st.floats(-0.49, 0.49))
def test_rounded_times_of_frames_give_these_frames(start, length, fps, off):
    times_s = np.arange(90) / fps
    span = ((start + max(off, 0)) / fps, (start + length + off) / fps)
    truth = seconds(span).truth(times_s, 90 / fps)
    assert truth == Truth("a", 90, ((start, start + length),))


def test_boundaries_are_found_among_uneven_times_as_a_slow_search_does():
    rng = np.random.default_rng(0)
    times_s = np.cumsum(rng.uniform(0.01, 0.2, 50)) - 0.01
    end_s = float(times_s[-1]) + 0.04
    edges = [*times_s.tolist(), end_s]
    for start, stop in np.sort(rng.uniform(0, end_s - 0.2, (200, 2)), axis=1).tolist():
        slow = [min(range(51), key=lambda edge, at=at: abs(edges[edge] - at)) for at in (start, stop)]
        if slow[0] < slow[1]:
            assert seconds((start, stop)).truth(times_s, end_s).anomalies == (tuple(slow),)


def test_a_short_range_has_a_frame_and_neighbours_do_not_overlap():
    times_s = np.arange(10) / 10
    assert seconds((0.31, 0.32)).truth(times_s, 1.0).anomalies == ((3, 4),)
    assert seconds((0.31, 0.32), (0.32, 0.5)).truth(times_s, 1.0).anomalies == ((3, 4), (4, 5))
    assert seconds((0.97, 0.99)).truth(times_s, 1.0).anomalies == ()  # nearer to the end than to any frame


def test_a_range_may_exceed_the_end_by_a_second():
    times_s = np.arange(10) / 10
    assert seconds((0.5, 2.0)).truth(times_s, 1.0).anomalies == ((5, 10),)
    with pytest.raises(
        FeatureError, match=r"the range 0\.5 s to 2\.1 s of 'a' ends after its 1\.00 s\nCorrect the"
    ):
        seconds((0.5, 2.1)).truth(times_s, 1.0)
    with pytest.raises(FeatureError, match=r"the range 1 s to 1\.5 s of 'a' ends after its 1\.00 s"):
        seconds((1.0, 1.5)).truth(times_s, 1.0)


def test_frames_stay_as_they_are_and_their_number_is_known_from_the_video():
    times_s = np.arange(10) / 10
    ranges = ((2, 4),)
    assert Annotation("a", True, ranges=ranges).truth(times_s, 1.0) == Truth("a", 10, ranges)
    assert Annotation("a", True, 12, ranges).truth(times_s, 1.0) == Truth("a", 12, ranges)
    # As many frames as the last range needs: that the video has fewer is found where lengths are compared.
    assert Annotation("a", True, ranges=((2, 14),)).truth(times_s, 1.0) == Truth("a", 14, ((2, 14),))


def test_what_needs_the_video_says_so():
    with pytest.raises(
        UsageError, match="line 7: 'a' needs the features or the video, to know its frames\n'vadpipe"
    ):
        Annotation("a", True, None, ((1, 2),), line=7).stated_truth()
    assert Annotation("a", True, 9, ((1, 2),)).stated_truth() == Truth("a", 9, ((1, 2),))


@st.composite
def annotations(draw, name):
    unit = draw(st.sampled_from(["frames", "seconds"]))
    edges = sorted(draw(st.sets(st.integers(0, 10**5), max_size=6)))
    edges = [edge if unit == "frames" else edge / 1000 for edge in edges]
    ranges = tuple(zip(edges[:-1:2], edges[1::2], strict=True)) if len(edges) % 2 == 0 else ()
    word = st.none() | st.sampled_from(["hall", "a, b", "x+y"])
    return Annotation(
        name, bool(ranges), draw(st.none() | st.just(10**5)), ranges, unit, draw(word), draw(word)
    )


@given(st.data())
def test_our_own_form_is_read_again(tmp_path_factory, data):
    unit = data.draw(st.sampled_from(["frames", "seconds"]))
    items = [
        data.draw(annotations(name).filter(lambda item: item.unit == unit)) for name in ("a.mp4", "b, c")
    ]
    path = tmp_path_factory.getbasetemp() / "own.csv"
    write_annotations(path, items)
    again = read_sheet(path)
    assert again.problems == []
    for item, found in zip(items, again.annotations, strict=True):
        assert (found.video, found.abnormal, found.n_frames) == (item.video, item.abnormal, item.n_frames)
        assert (found.category, found.group) == (item.category, item.group)
        assert found.ranges == item.ranges
        assert found.unit == item.unit or not item.ranges


def test_our_own_form_is_what_a_person_would_write(tmp_path):
    items = [seconds((3.4, 5.9), (7, 8)), Annotation("b", False, group="g", unit="seconds")]
    write_annotations(tmp_path / "own.csv", items)
    assert (tmp_path / "own.csv").read_text() == (
        "video,label,anomalies,group\na,abnormal,3.4s:5.9s 7s:8s,\nb,normal,,g\n"
    )
