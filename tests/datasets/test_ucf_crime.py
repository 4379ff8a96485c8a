"""The recipe of UCF-Crime: its lists as they are published, and what is wrong with them."""

import numpy as np
import pytest

from support.annotation_sets import UCF_CRIME as LISTS
from support.annotation_sets import write_lists
from vadpipe import datasets
from vadpipe.datasets import Totals
from vadpipe.datasets.ucf_crime import UCF_CRIME
from vadpipe.errors import UsageError


def read(folder, **changes):
    return UCF_CRIME.read(write_lists(folder, LISTS, **changes))


def test_splits_classes_and_frames(tmp_path):
    contents = read(tmp_path)
    assert [(video.video, video.abnormal, video.category) for video in contents.training] == [
        ("Abuse/Abuse001_x264.mp4", True, "Abuse"),
        ("RoadAccidents/RoadAccidents002_x264.mp4", True, "RoadAccidents"),
        ("Training_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4", False, None),
        ("Training_Normal_Videos_Anomaly/Normal_Videos308_3_x264.mp4", False, None),
    ]
    assert [(truth.n_frames, truth.anomalies, truth.category) for truth in contents.test] == [
        (48, ((16, 24),), "Abuse"),
        (66, ((10, 20), (30, 66)), "Arson"),
        (80, (), None),
    ]
    assert contents.notes == ("Arson/Arson011_x264.mp4: 30 to 67 ends after its 66 frames; cut there",)
    assert contents.totals == Totals(2, 2, 1, 2, 194, 54)
    assert UCF_CRIME.totals_off(contents)[:2] == [
        "train normal: 2, published 800",
        "train abnormal: 2, published 810",
    ]


def test_line_ends_marks_and_blanks_do_not_matter(tmp_path):
    plain = read(tmp_path / "plain")
    windows = {
        name: b"\xef\xbb\xbf" + text.replace("\n", " \t\r\n\r\n").encode() for name, text in LISTS.items()
    }
    assert UCF_CRIME.read(write_lists(tmp_path / "windows", windows)) == plain


def test_the_shorter_name_of_the_ranges_is_taken_too(tmp_path):
    folder = write_lists(tmp_path, LISTS)
    (folder / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt").rename(
        folder / "Temporal_Anomaly_Annotation.txt"
    )
    assert UCF_CRIME.read(folder).totals.frames == 194


def test_what_is_settled_by_rule_is_noted(tmp_path):
    ranges = (
        "Abuse028_x264.mp4 Abuse 20 30 10 24\n"
        "Abuse028_x264.mp4 Abuse 20 30 10 24\n"
        "Arson011_x264.mp4 Arson -1 -1 66 70\n"
        "Normal_Videos_003_x264.mp4 Normal 1 2 -1 -1\n"
        "Abuse099_x264.mp4 Abuse 1 2 -1 -1\n"
    )
    contents = read(tmp_path, Temporal=ranges)
    assert [truth.anomalies for truth in contents.test] == [((10, 30),), (), ((1, 2),)]
    assert contents.notes == (
        "Temporal_Anomaly_Annotation_for_Testing_Videos.txt names Abuse028_x264.mp4 again on line 2; used "
        "once",
        "Temporal_Anomaly_Annotation_for_Testing_Videos.txt names 1 unexpected videos; omitted: "
        "Abuse099_x264.mp4",
        "Abuse/Abuse028_x264.mp4: 20 to 30 overlaps the range before it; joined",
        "Arson/Arson011_x264.mp4: 66 to 70 ends after its 66 frames; left out",
        "Arson/Arson011_x264.mp4 is of class Arson, but has 0 annotated ranges",
        "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4 is of class Normal, but has 1 annotated "
        "ranges",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"Anomaly_Train": "Abuse/Abuse001_x264.mp4\nParty/Party1.mp4\n"},
            r"Train\.txt: line 2: 'Party/Party1",
        ),
        ({"Anomaly_Train": " \n"}, r"Anomaly_Train\.txt: is empty\nDownload it again"),
        ({"Anomaly_Train": b"\xff\xfe"}, r"Anomaly_Train\.txt: is not text in UTF-8"),
        (
            {"Anomaly_Test": None},
            r"holds no Anomaly_Test\.txt, the names of the test videos of UCF-Crime\n.*list ucf",
        ),
        (
            {"Temporal": "\nAbuse028_x264.mp4 Abuse 16\n"},
            r"Videos\.txt: line 2: 'Abuse028_x264.mp4 Abuse 16' is not",
        ),
        (
            {"Temporal": "Abuse028_x264.mp4 Abuse 24 16 -1 -1\n"},
            r"line 1: .* is not a video, its class and pairs",
        ),
        ({"Temporal": "Abuse028_x264.mp4 Abuse 5 -1\n"}, r"line 1: .* is not a video, its class and pairs"),
        ({"Temporal": "Abuse028_x264.mp4 Arson 5 6\n"}, r"line 1: .* is not a video, its class and pairs"),
        (
            {"Temporal": "Abuse028_x264.mp4 Abuse 5 6\n"},
            r"does not name 2 of 3 videos: Arson/Arson011_x264\.mp4, Te",
        ),
        (
            {"Temporal": "Abuse028.mp4 Abuse 5 6\nAbuse028.mp4 Abuse 5 7\n"},
            r"line 2: contradicts an earlier line",
        ),
        (
            {"ucf_": "Abuse028@48\nArson011@no\n"},
            r"ucf_tframes\.txt: line 2: 'Arson011@no' is not a name with a number",
        ),
        (
            {"ucf_": "Abuse028@1\nAbuse028_c3d@2\nArson011@1\nNormal003@1\n"},
            r"has several names that may mean 'Abuse/Abuse028_x264\.mp4'",
        ),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        read(tmp_path, **changes)


def test_no_folder_no_cut_and_one_split(tmp_path):
    with pytest.raises(UsageError, match="gone: is not a folder of annotations"):
        UCF_CRIME.read(tmp_path / "gone")
    with pytest.raises(UsageError, match=r"papers do not cut the ground truth of UCF-Crime\nOmit --cut"):
        UCF_CRIME.read(tmp_path, cut=True)
    with pytest.raises(UsageError, match=r"UCF-Crime has only one split\nOmit --split"):
        UCF_CRIME.splits(tmp_path)


def test_recipes_are_found_by_name():
    assert list(datasets.DATASETS) == ["ucf-crime", "xd-violence", "shanghaitech", "ped2"]
    assert datasets.get("UCF_Crime") is UCF_CRIME
    with pytest.raises(UsageError, match=r"unknown recipe 'avenue'\nChoose one of: ucf-crime, xd-violence"):
        datasets.get("avenue")


def test_the_real_lists_add_up(data):
    folder = data / "annotations" / "ucf_crime"
    if not folder.is_dir():
        pytest.skip(f"no annotations at {folder}")
    contents = UCF_CRIME.read(folder)
    assert contents.totals == UCF_CRIME.known == Totals(800, 810, 150, 140, 1_111_808, 84_182)
    assert len(contents.training) == 1610
    assert len(contents.test) == 290
    assert sum(int(truth.frames().sum()) for truth in contents.test) == 84_182
    assert len({truth.category for truth in contents.test}) == 14  # 13 and None
    assert [note.partition(":")[0] for note in contents.notes] == [
        "Arson/Arson011_x264.mp4",
        "Arson/Arson016_x264.mp4",
        "Explosion/Explosion033_x264.mp4",
        "Fighting/Fighting003_x264.mp4",
        "Shooting/Shooting015_x264.mp4",
    ]
    # Counted again, line by line and without the recipe.
    counts = dict(line.split("@") for line in (folder / "ucf_tframes.txt").read_text().split())
    total = 0
    for line in (folder / "Temporal_Anomaly_Annotation.txt").read_text().splitlines():
        name, _, *numbers = line.split()
        frames = np.zeros(
            int(counts[name.replace("_x264.mp4", "").replace("Normal_Videos_", "Normal")]), bool
        )
        for start, stop in zip(numbers[::2], numbers[1::2], strict=True):
            frames[int(start) : int(stop)] |= int(start) >= 0
        total += int(frames.sum())
    assert total == 84_182
