"""The truth about frames, and the file that it is kept in."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.annotations.truth_sheet import read_truth
from vadpipe.errors import OutputError, UsageError


def written(tmp_path, text):
    path = tmp_path / "truth.csv"
    path.write_text(text, encoding="utf-8")
    return path


@st.composite
def truths(draw, name):
    n_frames = draw(st.integers(1, 60))
    edges = sorted(draw(st.sets(st.integers(0, n_frames), max_size=8)))
    anomalies = tuple(zip(edges[:-1:2], edges[1::2], strict=True)) if len(edges) % 2 == 0 else ()
    word = st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1).map(
        str.strip
    ).filter(bool)
    return Truth(name, n_frames, anomalies, draw(word), draw(word))


def test_frames_are_those_that_a_range_holds():
    truth = Truth("a", 10, ((0, 2), (4, 5), (5, 10)))
    slow = [any(start <= frame < stop for start, stop in truth.anomalies) for frame in range(10)]
    np.testing.assert_array_equal(truth.frames(), slow)
    assert truth.frames().dtype == bool
    assert truth.abnormal
    assert not Truth("a", 10, ()).abnormal


@given(truths("a"), st.data())
def test_of_the_first_frames_the_rest_is_cut_off(truth, data):
    n_frames = data.draw(st.integers(1, truth.n_frames))
    first = truth.first(n_frames)
    np.testing.assert_array_equal(first.frames(), truth.frames()[:n_frames])
    assert (first.video, first.category, first.group) == (truth.video, truth.category, truth.group)


@given(st.data())
def test_what_was_written_is_read_again(tmp_path_factory, data):
    names = data.draw(
        st.lists(st.sampled_from(["a", "x/b.mp4", "with, comma", 'a "quote"', "ünï"]),
                 min_size=1, unique=True)
    )  # fmt: skip
    expected = [data.draw(truths(name)) for name in names]
    path = tmp_path_factory.getbasetemp() / "again" / "truth.csv"
    write_truth(path, expected)
    assert read_truth(path) == expected


def test_the_file_is_what_a_person_would_write(tmp_path):
    path = tmp_path / "truth.csv"
    write_truth(path, [Truth("a/b.mp4", 300, ((60, 180), (200, 240))), Truth("c.mp4", 9, ())])
    assert path.read_text() == "video,frames,anomalies\na/b.mp4,300,60:180 200:240\nc.mp4,9,\n"
    write_truth(path, [Truth("a", 3, (), "Abuse"), Truth("b", 3, ((0, 3),), group="hall")])
    assert path.read_text() == "video,frames,anomalies,class,group\na,3,,Abuse,\nb,3,0:3,,hall\n"


def test_columns_come_in_any_order_and_blanks_do_not_matter(tmp_path):
    path = written(tmp_path, "\ufeffgroup, anomalies,frames,video\n g , 0:1  2:3 ,4, a \n,,4,b\n\n")
    assert read_truth(path) == [Truth("a", 4, ((0, 1), (2, 3)), group="g"), Truth("b", 4, ())]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,frames\na,3\n", "its first line has no column for when something happens (anomalies, or start_s and end_s): 'video', 'frames'"),
        ("video,label\na,1\n", "its first line has no column for when something happens (anomalies, or start_s and end_s)"),
        ("video,frames,anomalies,frames\na,3,,1\n", "its first line has two columns named 'frames'"),
        ("video,frames,anomalies\n", "has no videos below its first line"),
        ("video,frames,anomalies\na,3,,Abuse\n", "line 2: has 4 fields, more than the 3 of the first line"),
        ("video,frames,anomalies\na,3,\na,3,\n", "line 3: 'a' occurs twice, first in line 2"),
        ("video,frames,anomalies\n ,3,\n", "line 2: a video has no name"),
        ('video,frames,anomalies\n"a\nb",3,\n', "line 3: 'a\\nb' contains a line break"),
        ("video,frames,anomalies\na,0,\n", "line 2: 'a' has 0 frames"),
        ("video,frames,anomalies\na,-3,\n", "line 2: 'a' has '-3' frames"),
        ("video,frames,anomalies\na,²,\n", "line 2: 'a' has '²' frames"),
        ("video,frames,anomalies\na,,1:2\n", "line 2: 'a' needs the features or the video, to know its frames"),
        ("video,frames,anomalies\na,99,1.0-2.0\n", "line 2: 'a' needs the features or the video, to know its frames"),
        ("video,frames,anomalies\na,3,1\n", "line 2: '1' in '1' is not a range"),
        ("video,frames,anomalies\na,3,1:x\n", "line 2: '1:x' in '1:x' is not a range"),
        ("video,frames,anomalies\nb,3,\na,3,2:2\n", "line 3: the range 2:2 is empty"),
        ("video,frames,anomalies\na,3,2:1\n", "line 2: the range 2:1 is empty"),
        ("video,frames,anomalies\na,3,1:4\n", "line 2: the range 1:4 of 'a' ends after its 3 frames"),
        ("video,frames,anomalies\na,9,1:4 3:5\n", "line 2: the range 3:5 of 'a' begins before the previous one"),
        ("video,frames,anomalies\na,9,4:5 1:2\n", "line 2: the range 1:2 of 'a' begins before the previous one"),
        ("video,frames,label,anomalies\na,9,normal,1:2\n", "line 2: 'a' is labelled 'normal', and has times of anomalies"),
        ('video,frames,anomalies\n"a,9,4:5\n', "is not a CSV file"),
    ],
)  # fmt: skip
def test_errors_name_file_and_line(tmp_path, text, message):
    with pytest.raises(UsageError, match=re.escape(f"truth.csv: {message}")):
        read_truth(written(tmp_path, text))


def test_an_abnormal_video_without_a_time_is_left_out_with_a_warning(tmp_path, caplog):
    text = "video,frames,label,anomalies\na,9,fight,\nb,9,fight,2:3\nc,9,normal,\n"
    found = read_truth(written(tmp_path, text))
    assert [truth.video for truth in found] == ["b", "c"]
    assert "abnormal videos whose time is not given, left out: 1 (a)" in caplog.text


def test_ranges_that_are_off_are_explained(tmp_path):
    with pytest.raises(
        UsageError, match="0:03.4-0:05.9 or 3.4s:5.9s for seconds, 60:180 for frames 60 to 179"
    ):
        read_truth(written(tmp_path, "video,frames,anomalies\na,3,12\n"))


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(UsageError, match="gone: cannot be read: No such file"):
        read_truth(tmp_path / "gone")


def test_where_nothing_can_be_written_nothing_is_left(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_truth(tmp_path / "file" / "truth.csv", [Truth("a", 3, ())])
    assert [path.name for path in Path(tmp_path).iterdir()] == ["file"]


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_truth_of_frames_says_of_each_what_was_said(marks):
    truth = Truth.of_frames("a.mp4", marks, category="Fight", group="g")
    assert truth.frames().tolist() == marks
    assert all(marks[start:stop] == [True] * (stop - start) for start, stop in truth.anomalies)
    assert (truth.n_frames, truth.category, truth.group) == (len(marks), "Fight", "g")
    assert Truth.of_frames("a.mp4", [int(mark) for mark in marks]).anomalies == truth.anomalies


def test_a_truth_of_no_frames_is_refused():
    with pytest.raises(UsageError, match="'a.mp4' has 0 frames"):
        Truth.of_frames("a.mp4", [])
