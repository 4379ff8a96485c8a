"""The table of events: a row for each, numbered from 1."""

import csv

import numpy as np

from support.curves import event_curve
from vadpipe.output.csv_and_npy import write_events, write_score_array, write_scores


def test_events_are_numbered_from_1(tmp_path):
    write_events(event_curve(), tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = [*csv.reader(file)]
    assert [row[0] for row in rows[1:]] == ["1", "2"]
    assert [row[1] for row in rows[1:]] == [f"{event.start_s:.6f}" for event in event_curve().events]


def test_frames_are_numbered_from_0(tmp_path):
    write_scores(event_curve(), tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = [*csv.reader(file)]
    assert [int(row[0]) for row in rows[1:]] == [*range(len(event_curve()))]


def test_arrays_are_read_without_pickle(tmp_path):
    write_score_array(event_curve(), tmp_path / "a.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), event_curve().scores)
