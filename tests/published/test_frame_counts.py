"""Lists of frame counts are read in the forms that data sets come with, and matched to features by name."""

import pytest

from vadpipe.errors import FeatureError, UsageError
from vadpipe.published.frame_counts import FrameCounts


def listed(tmp_path, text):
    path = tmp_path / "counts.txt"
    path.write_text(text, encoding="utf-8")
    return FrameCounts(path)


@pytest.mark.parametrize(
    "text",
    [
        "Abuse028@1412\nv=S_2__#1_label_G-0-0@99\n",
        "Abuse028_x264.mp4 1412\n\nv=S_2__#1_label_G-0-0\t99",
        "Abuse/Abuse028_x264.mp4,1412\r\nv=S_2__#1_label_G-0-0.mp4,99\r\n",
        "\ufeffvideo,label,frames\nAbuse/Abuse028_x264.mp4,1,1412\nv=S_2__#1_label_G-0-0,0,99\n",
        'frames, video\n1412, "Abuse028"\n99, v=S_2__#1_label_G-0-0\n',
    ],
)
def test_every_form_names_the_same_videos(tmp_path, text):
    counts = listed(tmp_path, text)
    for video in (
        "Abuse/Abuse028_x264",
        "ucf/Abuse/Abuse028_x264_i3d",
        "Abuse028",
        "Abuse/Abuse028_x264.mp4",
    ):
        assert counts.of(video) == 1412
    assert counts.of("rgb/v=S_2__#1_label_G-0-0") == 99
    with pytest.raises(
        FeatureError, match=r"feats/Abuse02: has no number of frames in .*counts\.txt\nAdd a line"
    ):
        counts.of("feats/Abuse02")


def test_the_most_folders_that_agree_decide(tmp_path):
    counts = listed(tmp_path, "1.mp4@10\nfight/1.mp4@20\nlong/fight/1.mp4@30\nnormal/2@40\n")
    assert counts.of("feats/calm/1") == 10
    assert counts.of("feats/fight/1") == 20
    assert counts.of("long/fight/1") == 30
    with pytest.raises(FeatureError, match="has no number"):
        counts.of("feats/fight/2")


def test_two_numbers_for_one_video(tmp_path):
    counts = listed(tmp_path, "a@10\na.mp4@11\nb@3\nb.mp4@3\n")
    assert counts.of("b") == 3
    with pytest.raises(FeatureError, match="has several numbers of frames .*: 10, 11"):
        counts.of("feats/a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no video"),
        ("a@10\nabc\n", "line 2: 'abc' is not a name with a number"),
        ("a@0\n", "line 1: '0' is not a number of frames from 1 to"),
        ("a@10\nb@99999999999999999999\n", "line 2: '99999999999999999999' is not a number"),
        ("video,frames\na.mp4,\n", "line 2: '' is not a number"),
        ("video,frames\na.mp4\n", "line 2: '' is not a number"),
        ("video,frames\n", "names no video"),
    ],
)
def test_a_list_that_cannot_be_used(tmp_path, text, message):
    with pytest.raises(UsageError, match=rf"counts\.txt: {message}"):
        listed(tmp_path, text)


def test_a_list_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.txt: cannot be read: No such file"):
        FrameCounts(tmp_path / "gone.txt")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not text in UTF-8"):
        FrameCounts(tmp_path / "bytes.txt")


def test_real_lists_name_every_test_video(data):
    folder = data / "annotations"
    if not folder.is_dir():
        pytest.skip(f"no annotations at {folder}")
    ucf = FrameCounts(folder / "ucf_crime/ucf_tframes.txt")
    videos = (folder / "ucf_crime/Anomaly_Test.txt").read_text().split()
    assert sum(ucf.of(f"UCF_Test/{video.removesuffix('.mp4')}_i3d") for video in videos) == 1_111_808
    lines = (folder / "xd_violence/xdv_tframes.txt").read_text().splitlines()
    xd = FrameCounts(folder / "xd_violence/xdv_tframes.txt")
    names = [line.rpartition("@")[0] for line in lines]
    assert sum(xd.of(f"i3d-features/RGBTest/{name}") for name in names) == 2_335_801
