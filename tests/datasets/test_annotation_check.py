"""A folder of videos or features is compared with the lists of a data set."""

import json
from dataclasses import replace

import pytest

from support.annotation_sets import UCF_CRIME as LISTS
from support.annotation_sets import import_random_features, write_lists, write_ped2_table
from vadpipe.datasets import check
from vadpipe.datasets.ped2 import PED2
from vadpipe.datasets.ucf_crime import UCF_CRIME
from vadpipe.errors import UsageError

ALL = {
    "Train/Abuse001_x264_i3d": 3,
    "Train/RoadAccidents002_x264_i3d": 3,
    "Train/Normal_Videos001_x264_i3d": 3,
    "Train/Normal_Videos308_3_x264_i3d": 3,
    "Test/Abuse028_x264_i3d": 3,
    "Test/Arson011_x264_i3d": 5,
    "Test/Normal_Videos_003_x264_i3d": 5,
}


@pytest.fixture
def annotations(tmp_path):
    return write_lists(tmp_path / "annotations", LISTS)


@pytest.fixture
def small(annotations):
    """The recipe, for which the small lists are the published ones."""
    return replace(UCF_CRIME, known=UCF_CRIME.read(annotations).totals)


def test_lists_alone(small, annotations):
    result = check(small, annotations)
    assert result.exit_code == 0
    assert result.lines() == [
        "training: 2 normal and 2 abnormal videos",
        "test: 1 normal and 2 abnormal videos, 194 frames, 54 anomalous",
        "these match the published totals",
        "note: Arson/Arson011_x264.mp4: 30 to 67 ends after its 66 frames; cut there",
    ]
    result = check(UCF_CRIME, annotations)
    assert result.exit_code == 3
    assert "not as published: anomalous frames: 54, published 84,182" in result.lines()


def test_all_features_are_there(small, annotations, tmp_path):
    result = check(small, annotations, features=import_random_features(tmp_path / "features", ALL))
    assert result.exit_code == 0
    assert result.lines()[4:] == [
        "train: 4 of 4 videos found",
        "test: 3 of 3 videos found",
        "frame counts differ, within a snippet: 1: Arson/Arson011_x264.mp4 (80 of 66)",
    ]


def test_what_is_not_as_it_should_be(small, annotations, tmp_path):
    there = {name: rows for name, rows in ALL.items() if "Abuse001" not in name and "003" not in name}
    there |= {"Test/Abuse028_x264_i3d": 9, "Test/Other": 1, "More/Arson011": 5}
    folder = import_random_features(tmp_path / "features", there)
    (folder / "broken.safetensors").write_bytes(b"no")
    result = check(small, annotations, features=folder)
    assert result.exit_code == 3
    assert result.lines()[4:] == [
        "train: 3 of 4 videos found",
        "train, missing: 1: Abuse/Abuse001_x264.mp4",
        "test: 1 of 3 videos found",
        "test, missing: 1: Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4",
        "ambiguous: 1: Arson/Arson011_x264.mp4 (feats/More/Arson011 or feats/Test/Arson011_x264_i3d)",
        "in neither split: 1: feats/Test/Other",
        "frame counts differ, beyond a snippet: 1: Abuse/Abuse028_x264.mp4 (144 of 48)",
        result.lines()[-1],
    ]
    assert result.lines()[-1].startswith("unreadable: 1: ")
    assert "broken.safetensors: is not a readable feature file" in result.lines()[-1]
    record = json.loads(json.dumps(result.as_json()))
    assert record["missing"]["train"] == ["Abuse/Abuse001_x264.mp4"]
    assert record["lengths"] == [{"video": "Abuse/Abuse028_x264.mp4", "n_listed": 48, "n_there": 144}]
    assert record["totals"]["frames"] == 194


def test_nothing_matches_and_lists_are_shortened(small, annotations, tmp_path):
    folder = import_random_features(tmp_path / "features", {"a": 1})
    result = check(small, annotations, features=folder)
    assert result.exit_code == 4
    missing = next(line for line in result.lines() if line.startswith("train, missing"))
    assert missing.endswith("Normal_Videos001_x264.mp4 and 1 more")
    assert len(result.missing["train"]) == 4


def test_videos_are_found_by_name_in_any_folder(tmp_path):
    annotations, folder = write_ped2_table(tmp_path / "annotations"), tmp_path / "clips"
    for video in [clip.video for clip in (*PED2.read(annotations).training, *PED2.read(annotations).test)]:
        path = folder / video
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    result = check(PED2, annotations, videos=folder)
    assert (result.exit_code, result.n_found, result.lengths) == (0, {"train": 16, "test": 12}, [])
    (folder / "test/test12.mp4").unlink()
    assert check(PED2, annotations, videos=folder).missing == {"train": [], "test": ["test/test12.mp4"]}


def test_folders_that_cannot_be_used(small, annotations, tmp_path):
    with pytest.raises(UsageError, match="takes videos or features, not both"):
        check(small, annotations, videos=tmp_path, features=tmp_path)
    for kind in ("videos", "features"):
        with pytest.raises(UsageError, match="gone: is not a folder"):
            check(small, annotations, **{kind: tmp_path / "gone"})
    (tmp_path / "empty").mkdir()
    result = check(small, annotations, videos=tmp_path / "empty")
    assert result.exit_code == 4
    assert result.lines()[-1].endswith("empty: contains no video")
