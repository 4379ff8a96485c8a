"""``vadpipe datasets`` wraps the recipes."""

import json

import pytest

from support.annotation_sets import UCF_CRIME, import_random_features, write_lists, write_ped2_table
from vadpipe.errors import UsageError


def test_list_names_every_benchmark_and_tells_all_of_one(command_line):
    result = command_line("datasets", "list")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "ucf-crime", "xd-violence", "shanghaitech", "ped2"]
    assert lines[2].split()[1:5] == ["3954", "800", "frame", "AP"]
    shown = command_line("datasets", "list", "xd_violence").stdout
    assert "https://roc-ng.github.io/XD-Violence/" in shown
    assert "--cut     2,330,384 frames, 537,805 anomalous" in shown
    assert "test_frame_mask: official masks" not in shown
    assert "official masks of frames (optional)" in command_line("datasets", "list", "shanghaitech").stdout
    assert "--split   weakly supervised splits" in command_line("datasets", "list", "ped2").stdout


def test_check_has_an_exit_code_for_each_outcome(command_line, tmp_path):
    annotations = write_ped2_table(tmp_path / "annotations")
    names = [f"train/train{number:02}" for number in range(1, 17)] + [
        f"test/test{number:02}" for number in range(1, 13)
    ]
    folder = import_random_features(tmp_path / "features", dict.fromkeys(names, 11), source="ped2")
    run = command_line("datasets", "check", "ped2", "--annotations", annotations, "--features", folder)
    assert run.exit_code == 0
    assert "test: 12 of 12 videos found" in run.stdout
    next(folder.rglob("test01*")).unlink()
    run = command_line(
        "datasets", "check", "ped2", "--annotations", annotations, "--features", folder, "--json"
    )
    assert run.exit_code == 3
    assert json.loads(run.stdout)["missing"] == {"train": [], "test": ["test/test01.mp4"]}
    run = command_line("datasets", "check", "ped2", "--annotations", annotations, "--videos", annotations)
    assert run.exit_code == 4


def test_labels_prints_the_files_and_says_what_is_left_out(command_line, tmp_path):
    annotations = write_lists(tmp_path / "annotations", UCF_CRIME)
    folder = import_random_features(tmp_path / "features", {"Abuse001": 3, "Normal001": 3, "Abuse028": 3})
    run = command_line(
        "datasets", "labels", "UCF-Crime", "--annotations", annotations, "--features", folder, "-o", tmp_path
    )
    assert run.exit_code == 0
    assert run.stdout.splitlines() == [f"{tmp_path}/ucf-crime.train.csv", f"{tmp_path}/ucf-crime.truth.csv"]
    assert run.stderr.splitlines()[0] == "differs from the published totals: train normal: 2, published 800"
    assert run.stderr.splitlines()[6:] == [
        "train: 2 videos have no features of their own; omitted: RoadAccidents/RoadAccidents002_x264.mp4, "
        "Training_Normal_Videos_Anomaly/Normal_Videos308_3_x264.mp4",
        "test: 2 videos have no features of their own; omitted: Arson/Arson011_x264.mp4, "
        "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4",
        "training: 1 normal and 1 abnormal videos; test: 0 and 1, 48 frames, 8 anomalous",
    ]


def test_an_unknown_name_is_an_error(command_line, tmp_path):
    result = command_line("datasets", "check", "avenue", "--annotations", tmp_path)
    with pytest.raises(UsageError, match="unknown recipe 'avenue'"):
        raise result.exception
