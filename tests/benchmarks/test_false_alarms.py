"""The benchmark of false alarms: which footage is ordinary, what is counted on it, and the interval."""

import csv
import math
from functools import partial

import numpy as np
import pytest

import vadpipe
from support.decoding import forbid_decoding, player
from support.videos import write_video
from vadpipe.curves.curve import Curve


def slow_at_most(count, mean):
    """Return the probability that a Poisson variable is so large at most, term by term."""
    return math.fsum(math.exp(-mean) * mean**value / math.factorial(value) for value in range(count + 1))


@pytest.mark.parametrize("count", [0, 1, 2, 11, 40])
def test_each_end_of_the_interval_leaves_two_and_a_half_percent(count):
    from false_alarms import poisson_interval

    low, high = poisson_interval(count)
    assert slow_at_most(count, high) == pytest.approx(0.025, abs=1e-9)
    if count:
        assert 1 - slow_at_most(count - 1, low) == pytest.approx(0.025, abs=1e-9)
    else:
        assert low == 0


def curve(n_seconds, *alarms_s):
    """Return a curve of four frames per second that lies above its threshold in some seconds."""
    scores = np.full(4 * n_seconds, 0.1, np.float32)
    for start_s, stop_s in alarms_s:
        scores[4 * start_s : 4 * stop_s] = 0.9
    return Curve("a.mp4", scores, np.arange(len(scores)) / 4, float(n_seconds), threshold=0.5)


def test_the_table_counts_events_and_their_time():
    from false_alarms import table

    street = [curve(900, (0, 9), (100, 118)), curve(900)]
    text = table({"a street": street, "a yard": [curve(1800, (10, 19))]})
    assert text.splitlines() == [
        "| footage | videos | minutes | events | an hour (95 %) | time in alarm |",
        "| --- | --- | --- | --- | --- | --- |",
        "| a street | 2 | 30.0 | 2 | 4 (0 to 14) | 1.5 % |",
        "| a yard | 1 | 30.0 | 1 | 2 (0 to 11) | 0.5 % |",
        "| **all** | **3** | **60.0** | **3** | **3 (1 to 9)** | **1.0 %** |",
    ]


@pytest.fixture
def collections(tmp_path):
    """Return a folder of all collections, with videos of 20 frames of which some are not normal."""
    data = tmp_path / "data"
    tables = {
        "ucsd_ped2/labels.csv": ("file,label", ["train/a.mp4,0", "test/b.mp4,1"]),
        "urfall/clips.csv": ("file,label", ["adl-01.mp4,normal", "fall-01.mp4,fall"]),
        "vioperu/scene_groups.csv": (
            "file,label,scene_group",
            ["f1.mp4,1,4", "n2.mp4,0,4", "n1.mp4,0,4", "f2.mp4,1,7", "n3.mp4,0,11"],
        ),
    }
    for name, (head, rows) in tables.items():
        for row in rows:
            write_video((data / name).parent / row.split(",")[0], 20)
        (data / name).write_text("\n".join([head, *rows]) + "\n")
    for name in ("intel_sample_videos/car.mp4", "kinetics_check_clips/dog.mp4"):
        write_video(data / name, 20)
    return data


def test_ordinary_footage_is_normal_and_untrimmed(collections, tmp_path):
    from false_alarms import ordinary_footage

    street = tmp_path / "street.mp4"
    found = ordinary_footage(collections, tmp_path / "work", street)
    assert [[video.name for video in videos] for videos in found.values()] == [
        ["street.mp4"], ["car.mp4"], ["a.mp4"], ["004.mp4", "011.mp4"], ["adl-01.mp4"], ["dog.mp4"],
    ]  # fmt: skip
    both, one = (len(player(video)[0]) for video in found["VioPeru, normal"])
    assert both == 2 * one
    before = [video.stat().st_mtime_ns for video in found["VioPeru, normal"]]
    again = ordinary_footage(collections, tmp_path / "work", None)
    assert again == {name: videos for name, videos in found.items() if videos != [street]}
    assert [video.stat().st_mtime_ns for video in again["VioPeru, normal"]] == before


def test_from_videos_to_the_table(collections, tmp_path, x3d_head, x3d_weights, monkeypatch, capsys):
    import false_alarms

    monkeypatch.setattr(false_alarms, "Scorer", partial(vadpipe.Scorer, weights=x3d_weights))
    words = ["x", collections, tmp_path / "work", "--head", x3d_head, "--to", tmp_path / "table.md"]
    monkeypatch.setattr("sys.argv", [str(word) for word in words])
    false_alarms.main()
    text = (tmp_path / "table.md").read_text()
    rows = list(csv.reader(text.splitlines(), delimiter="|"))
    assert [row[2].strip(" *") for row in rows[2:]] == ["1", "1", "2", "1", "1", "6"]
    printed = capsys.readouterr().out
    threshold = vadpipe.Scorer(x3d_head, weights=x3d_weights).threshold
    assert printed.endswith(f"threshold {threshold:.3f}\n\n{text}")
    # The second time, everything is there.
    forbid_decoding(monkeypatch)
    false_alarms.main()
    assert capsys.readouterr().out == printed
