"""The recipe of ShanghaiTech: the JSON of the weakly supervised split, and the official masks."""

import pytest

from support.annotation_sets import write_shanghaitech
from vadpipe.datasets import Totals
from vadpipe.datasets.shanghaitech import SHANGHAITECH
from vadpipe.errors import UsageError


def test_labels_come_from_the_digits_and_truth_from_the_json(tmp_path):
    contents = SHANGHAITECH.read(write_shanghaitech(tmp_path))
    assert [(video.video, video.abnormal, video.group) for video in contents.training] == [
        ("01_0014", True, None),
        ("01_002", False, None),
    ]
    assert [(truth.video, truth.n_frames, truth.anomalies, truth.group) for truth in contents.test] == [
        ("01_001", 32, (), "01"),
        ("02_0015", 32, ((10, 32),), "02"),
        ("03_004", 16, (), "03"),
    ]
    assert contents.notes == ()


def test_masks_are_what_the_json_repeats_the_end_of(tmp_path):
    folder = write_shanghaitech(tmp_path, masks={"02_0015": [0] * 10 + [1] * 10, "01_0014": [1] * 20})
    assert SHANGHAITECH.read(folder).notes == (
        "1 of 1 masks of test clips match shanghaitech_ground_truth.testing.json, "
        "which repeats their last value up to a multiple of 16 frames",
    )


def test_differences_are_noted(tmp_path):
    folder = write_shanghaitech(tmp_path, masks={"02_0015": [0] * 11 + [1] * 9}, **{"03_004": [0, 1] * 8})
    assert SHANGHAITECH.read(folder).notes == (
        "03_004 is normal by its name, but has 8 anomalous frames",
        "0 of 1 masks of test clips match shanghaitech_ground_truth.testing.json, "
        "which repeats their last value up to a multiple of 16 frames",
        "1 masks of test clips differ from shanghaitech_ground_truth.testing.json: 02_0015 (20 and 32 frames)",
        "1 abnormal test clips have no mask: 03_004",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "is not JSON: "),
        ("[" * 100_000, "is not JSON: "),
        ("[]", "names no clips"),
        ('{"01_001": {"num_frames": 2}}', "'01_001' has no labels of 0 and 1"),
        ('{"01_001": {"num_frames": 1, "labels": [2]}}', "'01_001' has no labels of 0 and 1"),
        ('{"01_001": {"num_frames": 3, "labels": [0, 1]}}', "'01_001' has 2 labels, but 3 frames"),
        ('{"01_001": {"num_frames": 1, "labels": [0]}}', "does not name 2 of 3 videos: 02_0015, 03_004"),
    ],
)
def test_a_json_that_cannot_be_used(tmp_path, text, message):
    (write_shanghaitech(tmp_path) / "shanghaitech_ground_truth.testing.json").write_text(text)
    with pytest.raises(UsageError, match=rf"testing\.json: {message}"):
        SHANGHAITECH.read(tmp_path)


def test_lists_and_masks_that_cannot_be_used(tmp_path):
    folder = write_shanghaitech(tmp_path, masks={"02_0015": [[0], [1]]})
    with pytest.raises(UsageError, match=r"02_0015\.npy: is not a one-dimensional array of frames"):
        SHANGHAITECH.read(folder)
    (folder / "test_frame_mask" / "02_0015.npy").write_bytes(b"PK\x03\x04")
    with pytest.raises(UsageError, match=r"02_0015\.npy: is not a readable array: .*\nDownload it again"):
        SHANGHAITECH.read(folder)
    (folder / "SH_Train.txt").write_text("01_0014\n01_2\n")
    with pytest.raises(UsageError, match=r"SH_Train\.txt: line 2: '01_2' is not the name of a clip"):
        SHANGHAITECH.read(folder)


def test_the_real_lists_add_up_and_agree_with_all_masks(data):
    folder = data / "annotations" / "shanghaitech"
    if not folder.is_dir():
        pytest.skip(f"no annotations at {folder}")
    contents = SHANGHAITECH.read(folder)
    assert contents.totals == SHANGHAITECH.known == Totals(175, 63, 155, 44, 142_912, 8_028)
    assert all(truth.n_frames % 16 == 0 for truth in contents.test)
    (note,) = contents.notes
    assert note.startswith("44 of 44 masks of test clips match")
