"""The recipe of UCSD Ped2: its official split, and the ones that weakly supervised papers draw."""

import pytest

from support.annotation_sets import write_ped2_table
from vadpipe.datasets import Totals
from vadpipe.datasets.ped2 import PED2
from vadpipe.errors import UsageError


def test_the_official_split(tmp_path):
    contents = PED2.read(write_ped2_table(tmp_path))
    assert contents.totals == PED2.known
    assert contents.test[-1].anomalies == ((0, 100), (120, 161))
    assert contents.test[-1].video == "test/test12.mp4"


def test_drawn_splits_train_on_six_and_four_and_test_the_rest(tmp_path):
    folder = write_ped2_table(tmp_path)
    drawn = PED2.splits(folder)
    assert len(drawn) == 10
    for contents in drawn:
        totals = contents.totals
        assert (totals.train_abnormal, totals.train_normal) == (6, 4)
        assert (totals.test_abnormal, totals.test_normal) == (6, 12)
        videos = [video.video for video in (*contents.training, *contents.test)]
        assert len({*videos}) == len(videos) == 28
    assert len({contents.training for contents in drawn}) == 10
    assert PED2.splits(folder) == drawn
    assert PED2.splits(folder, seed=1) != drawn


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has no clips below its first line"),
        (["train/a.mp4,0,10,", "test/b.mp4,0,10,2:5"], "line 3: 'test/b.mp4,0,10,2:5' is not a clip"),
        (["test/b.mp4,1,10,5:2"], "line 2: 'test/b.mp4,1,10,5:2' is not a clip"),
        (["test/b.mp4,1,ten,2:5"], "line 2: 'test/b.mp4,1,ten,2:5' is not a clip"),
        (["test/b.mp4,1"], "line 2: 'test/b.mp4,1,,' is not a clip"),
        (["test/b.mp4,1,10,2:5,6"], "line 2: 'test/b.mp4,1,10,2:5' is not a clip"),
        (
            ["test/b.mp4,1,10,2:5", "test/b.mp4,1,10,2:6"],
            "line 3: contradicts an earlier line about 'test/b.mp4'",
        ),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path, rows, message):
    with pytest.raises(UsageError, match=rf"labels\.csv: {message}"):
        PED2.read(write_ped2_table(tmp_path, rows))


def test_too_few_clips_and_other_columns(tmp_path):
    with pytest.raises(
        UsageError, match=r"labels\.csv: has 1 abnormal and 1 normal clips, too few to train on 6 and 4"
    ):
        PED2.splits(write_ped2_table(tmp_path, ["train/a.mp4,0,10,", "test/b.mp4,1,10,2:5"]))
    (tmp_path / "labels.csv").write_text("video,label\na,0\n")
    with pytest.raises(UsageError, match="needs a first line file,label,frames,anomalous_frames_half_open"):
        PED2.read(tmp_path)


def test_the_real_table_adds_up(data):
    folder = data / "ucsd_ped2"
    if not folder.is_dir():
        pytest.skip(f"no UCSD Ped2 at {folder}")
    assert PED2.read(folder).totals == PED2.known == Totals(16, 0, 0, 12, 2_010, 1_648)
    assert PED2.read(folder).notes == ()
    assert len(PED2.splits(folder)) == 10
