"""The CSVs of a data set are what fit and evaluate read."""

import pytest

from support.annotation_sets import UCF_CRIME as LISTS
from support.annotation_sets import XD_VIOLENCE, import_random_features, write_lists, write_ped2_table
from vadpipe.annotations.labels import read_labels
from vadpipe.annotations.truth_sheet import read_truth
from vadpipe.datasets import get, write_labels
from vadpipe.errors import InputError, UsageError
from vadpipe.head.settings import HeadSettings
from vadpipe.training.fit import fit

QUICK = HeadSettings(hidden=8, cluster_dim=4, steps=4, batch_bags=2, checks=2, folds=2)


def test_official_names_without_features(tmp_path):
    result = write_labels(get("ucf-crime"), write_lists(tmp_path / "a", LISTS), tmp_path / "out")
    assert result.train.read_text() == (
        "video,label,class\n"
        "Abuse/Abuse001_x264.mp4,abnormal,Abuse\n"
        "RoadAccidents/RoadAccidents002_x264.mp4,abnormal,RoadAccidents\n"
        "Training_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4,normal,\n"
        "Training_Normal_Videos_Anomaly/Normal_Videos308_3_x264.mp4,normal,\n"
    )
    assert [path.name for path in (result.train, result.truth)] == [
        "ucf-crime.train.csv",
        "ucf-crime.truth.csv",
    ]
    assert read_truth(result.truth) == list(result.contents.test)
    assert result.left_out == {"train": [], "test": []}
    assert result.totals_off[0] == "train normal: 2, published 800"
    # Names of the official folders below any other are found by their endings.
    videos = [f"videos/{video.video}" for video in result.contents.training]
    assert list(read_labels(result.train, {video: video for video in videos})) == videos


def test_a_head_is_fitted_on_features_by_official_names(tmp_path):
    there = {"Train/Abuse001_x264_i3d": 3, "Train/Normal_Videos001_x264_i3d": 4, "Test/Abuse028_x264_i3d": 3}
    folder = import_random_features(tmp_path / "features", {**there, "Other": 2})
    result = write_labels(get("ucf-crime"), write_lists(tmp_path / "a", LISTS), tmp_path, features=folder)
    assert [video.video for video in result.contents.training] == [
        "feats/Train/Abuse001_x264_i3d",
        "feats/Train/Normal_Videos001_x264_i3d",
    ]
    assert [truth.video for truth in read_truth(result.truth)] == ["feats/Test/Abuse028_x264_i3d"]
    assert result.left_out == {
        "train": [
            "RoadAccidents/RoadAccidents002_x264.mp4",
            "Training_Normal_Videos_Anomaly/Normal_Videos308_3_x264.mp4",
        ],
        "test": ["Arson/Arson011_x264.mp4", "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4"],
    }
    fitted = fit(folder, labels=result.train, output=tmp_path / "head", settings=QUICK)
    assert {video: label.abnormal for video, label in fitted.labels.items()} == {
        "feats/Train/Abuse001_x264_i3d": True,
        "feats/Train/Normal_Videos001_x264_i3d": False,
    }
    assert fitted.unused == ["feats/Other", "feats/Test/Abuse028_x264_i3d"]


def test_clips_of_one_film_are_a_group(tmp_path):
    result = write_labels(get("xd-violence"), write_lists(tmp_path, XD_VIOLENCE), tmp_path, cut=True)
    assert result.train.read_text().splitlines()[:3] == [
        "video,label,group,class",
        "A.Film.2001__#00-01-45_00-02-50_label_A,normal,A.Film.2001,",
        "A.Film.2001__#01-00-00_01-01-00_label_G-B2-0,abnormal,A.Film.2001,explosion+shooting",
    ]
    assert [truth.n_frames for truth in read_truth(result.truth)] == [32, 16, 32]
    videos = [video.video for video in result.contents.training]
    assert [
        label.group for label in read_labels(result.train, {video: video for video in videos}).values()
    ] == ["A.Film.2001"] * 2 + ["v=c"]


def test_a_split_without_features_is_not_written(tmp_path):
    folder = import_random_features(tmp_path / "features", {"Abuse001": 3})
    result = write_labels(
        get("ucf-crime"), write_lists(tmp_path / "a", LISTS), tmp_path / "out", features=folder
    )
    assert result.truth is None
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["ucf-crime.train.csv"]
    other = import_random_features(tmp_path / "b" / "features", {"c": 3})
    with pytest.raises(
        InputError, match=r"features: contains no features of videos of UCF-Crime\n.*datasets check ucf"
    ):
        write_labels(get("ucf-crime"), tmp_path / "a", tmp_path / "none", features=other)
    assert not (tmp_path / "none").exists()


def test_drawn_splits_are_chosen_by_number_and_seed(tmp_path):
    annotations, recipe = write_ped2_table(tmp_path), get("ped2")
    first, second = recipe.splits(annotations)[:2]
    assert write_labels(recipe, annotations, tmp_path).contents == first
    assert write_labels(recipe, annotations, tmp_path, split=1).contents == second
    other = write_labels(recipe, annotations, tmp_path, split=1, seed=3)
    assert other.contents == recipe.splits(annotations, seed=3)[1] != second
    assert other.totals_off == []
    with pytest.raises(UsageError, match=r"unknown split 10\nChoose one from 0 to 9"):
        write_labels(recipe, annotations, tmp_path, split=10)
    with pytest.raises(UsageError, match="UCF-Crime has only one split"):
        write_labels(get("ucf-crime"), write_lists(tmp_path / "a", LISTS), tmp_path, split=0)
