"""The recipe of XD-Violence: labels in names, groups by film, and the ground truth as papers cut it."""

import pytest

from support.annotation_sets import FILM, write_lists
from support.annotation_sets import XD_VIOLENCE as LISTS
from vadpipe.annotations.truth import Truth
from vadpipe.datasets import Totals
from vadpipe.datasets.dataset import cut_truth
from vadpipe.datasets.xd_violence import XD_VIOLENCE
from vadpipe.errors import UsageError


def read(folder, cut=False, **changes):
    return XD_VIOLENCE.read(write_lists(folder, LISTS, **changes), cut=cut)


def test_labels_classes_and_groups_are_in_the_names(tmp_path):
    contents = read(tmp_path)
    assert [(video.abnormal, video.category, video.group) for video in contents.training] == [
        (False, None, "A.Film.2001"),
        (True, "explosion+shooting", "A.Film.2001"),
        (True, "fighting", "v=c"),
    ]
    assert [(truth.n_frames, truth.anomalies, truth.category, truth.group) for truth in contents.test] == [
        (48, ((0, 10), (20, 48)), "car accident", "v=a_b"),
        (18, ((5, 17),), "shooting+fighting", "B.Film"),
        (40, (), None, "B.Film"),
    ]
    assert contents.notes == ()


def test_the_cut_ground_truth(tmp_path):
    contents = read(tmp_path, cut=True)
    assert [(truth.n_frames, truth.anomalies) for truth in contents.test] == [
        (32, ((0, 10), (20, 32))),
        (16, ((5, 16),)),
        (32, ()),
    ]


@pytest.mark.parametrize(("n_frames", "expected"), [(1, 1), (16, 16), (17, 16), (32, 16), (33, 32)])
def test_a_cut_video_keeps_a_frame(n_frames, expected):
    truth = cut_truth(Truth("a", n_frames, ((0, n_frames),)))
    assert (truth.n_frames, truth.anomalies) == (expected, ((0, expected),))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"xdv_flist": f"{FILM}_label_A\n{FILM}\n"},
            r"train\.txt: line 2: 'A\.Film.* is not a name that ends like",
        ),
        ({"xdv_flist": f"{FILM}_label_B3-0-0\n"}, r"line 1: .* is not a name that ends like _label_A"),
        ({"xdv_tframes": "clip@20\n"}, r"xdv_tframes\.txt: line 1: 'clip' is not a name"),
        (
            {"annotations": "a__#1_label_G-0-0\n"},
            r"annotations\.txt: line 1: .* is not a video and pairs START STOP",
        ),
        ({"annotations": "a__#1_label_G-0-0 1\n"}, r"line 1: .* is not a video and pairs START STOP"),
        (
            {"annotations": "B.Film__#2_label_B2-B1-0 5 17\n"},
            r"does not name 1 of 2 videos: v=a_b__#1_label_B6-0-0",
        ),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        read(tmp_path, **changes)


def test_ranges_of_a_normal_video_are_left_out_and_noted(tmp_path):
    contents = read(tmp_path, annotations=LISTS["annotations.txt"] + "B.Film__#3_label_A.mp4 1 5\n")
    assert contents.test[2].anomalies == ()
    assert contents.notes == ("annotations.txt names 1 unexpected videos; omitted: B.Film__#3_label_A.mp4",)


def test_the_real_lists_add_up(data):
    folder = data / "annotations" / "xd_violence"
    if not folder.is_dir():
        pytest.skip(f"no annotations at {folder}")
    contents, cut = XD_VIOLENCE.read(folder), XD_VIOLENCE.read(folder, cut=True)
    assert contents.totals == XD_VIOLENCE.known == Totals(2049, 1905, 300, 500, 2_335_801, 538_324)
    assert cut.totals == XD_VIOLENCE.known_cut == Totals(2049, 1905, 300, 500, 2_330_384, 537_805)
    assert len(contents.training) == 3954
    assert len(contents.test) == 800
    assert contents.notes == ()
    groups = [{video.group for video in videos} for videos in (contents.training, contents.test)]
    assert (len(groups[0] & groups[1]), *map(len, groups)) == (184, 1630, 447)
    classes = {name for video in contents.training for name in (video.category or "").split("+")}
    assert classes == {"", "fighting", "shooting", "riot", "abuse", "car accident", "explosion"}
