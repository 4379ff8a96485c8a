"""Data frames and dictionaries in place of CSV files say what the file would say."""

from pathlib import Path, PurePosixPath

import numpy as np
import pandas
import pytest

from vadpipe.annotations.label_dictionary import dictionary_labels
from vadpipe.annotations.labels import read_labels
from vadpipe.annotations.table import read_tables
from vadpipe.annotations.truth_sheet import read_truth
from vadpipe.errors import UsageError
from vadpipe.files.tables_from_memory import given_labels, given_table

CONTENTS = {"cam1/a.mp4": "1" * 64, "cam1/b.mp4": "2" * 64, "cam2/a.mp4": "3" * 64}


def test_labels_are_those_of_a_file(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("video,label,group\ncam1/a,0,x\nb,1,\ncam2/a.mp4,abnormal,x\n")
    expected = read_labels(path, CONTENTS)
    frame = pandas.read_csv(path)
    indexed = frame.set_index("video")
    for given in (path, str(path), frame, indexed):
        found = read_labels(given_labels(given), CONTENTS)
        assert {name: (item.abnormal, item.group) for name, item in found.items()} == {
            name: (item.abnormal, item.group) for name, item in expected.items()
        }


@pytest.mark.parametrize("yes", [1, 1.0, True, np.bool_(True), np.int64(1), np.float32(1), "1", "abnormal"])
def test_a_dictionary_of_labels(yes):
    found = dictionary_labels(given_labels({"cam1/a.mp4": yes, PurePosixPath("b.mp4"): 0}), CONTENTS)
    assert {name: item.abnormal for name, item in found.items()} == {"cam1/a.mp4": True, "cam1/b.mp4": False}


def test_truth_is_that_of_a_file(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("video,frames,anomalies,class\na,300,60:180 200:240,Abuse\nb,200,,\n")
    expected = read_truth(path)
    assert read_truth(given_table(pandas.read_csv(path), "truth")) == expected
    pairs = [[(60, 180), (200, 240)], []]
    for anomalies in (pairs, [np.array(pairs[0]), None]):
        frame = pandas.DataFrame(
            {
                "video": ["a", "b"],
                "frames": [300.0, 200.0],
                "anomalies": anomalies,
                "class": ["Abuse", np.nan],
            }
        )
        assert read_truth(given_table(frame, "truth")) == expected


def test_rows_count_from_1():
    table = given_table(pandas.DataFrame({"video": ["a", None], "n": [2.5, 3]}, index=[7, 7]), "truth")
    (read,) = read_tables(table)
    assert read.header == ("video", "n")
    assert read.rows == [(1, ("a", "2.5")), (2, ("", "3"))]


def test_mistakes_name_the_table_and_the_row():
    frame = pandas.DataFrame({"video": ["a", "b"], "frames": [300, 200], "anomalies": ["10:20", "20:10"]})
    with pytest.raises(UsageError, match=r"truth \(data frame\): line 2: the range 20:10 is empty"):
        read_truth(given_table(frame, "truth"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"b": 0, "z": 1}, "'z' matches no feature file\nCorrect the name, or leave it out; one that is there "
         "is 'cam1/a.mp4'."),
        ({"b": 2}, "'b' has the unknown label '2'\nUse 1, yes, true or abnormal, "),
        ({"a": 1}, "'a' matches 2 feature files\nGive more of the path: cam1/a.mp4, cam2/a.mp4."),
        ({"cam1/b": 1, "cam1/b.mp4": 1}, "'cam1/b' and another name both mean cam1/b.mp4\nKeep one of the two."),
        ({"b": [1]}, "the label of 'b' is of type list\nPass 0 or 1, or a word such as normal or abnormal."),
        ({"b": None}, "the label of 'b' is None\nPass 0 or 1"),
    ],
)  # fmt: skip
def test_mistakes_in_a_dictionary_name_the_video(given, message):
    with pytest.raises(UsageError) as caught:
        dictionary_labels(given_labels(given), CONTENTS)
    assert str(caught.value).startswith(f"labels (dictionary): {message}")


@pytest.mark.parametrize("value", [5, ["a.csv"], {"a": 1}, b"a.csv", None])
def test_what_is_no_table_is_refused(value):
    with pytest.raises(UsageError, match=r"truth is .*\nPass a path or a data frame of pandas as truth"):
        given_table(value, "truth")


def test_what_are_no_labels_is_refused():
    assert given_labels(None) is None
    assert given_labels("labels.csv") == Path("labels.csv")
    with pytest.raises(
        UsageError, match=r"labels is of type list\nPass a path, a data frame of pandas or a dict"
    ):
        given_labels(["a"])
    with pytest.raises(UsageError, match=r"labels \(dictionary\): has no labels\nPass \{video: label\}"):
        given_labels({})
