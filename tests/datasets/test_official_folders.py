"""Data sets in the form in which they are published: pictures in folders, and what is known of them beside."""

import numpy as np
import pytest
from small_sets import ped2

from vadpipe import datasets
from vadpipe.datasets.ped2 import PED2
from vadpipe.datasets.shanghaitech import SHANGHAITECH
from vadpipe.errors import UsageError
from vadpipe.extract.videos import find_videos
from vadpipe.names import match

HEAD = "% ground truth of the test clips\nTestVideoFile = {};\n"


def official(folder, clips, entries=None):
    """Lay out Ped2 as published: ``clips`` are (frames, half-open ranges) of the test; empty pictures do."""
    for number in range(1, 17):
        images(folder / f"Train/Train{number:03d}", 120)
    for number, (n_frames, _) in enumerate(clips, 1):
        images(folder / f"Test/Test{number:03d}", n_frames)
        images(folder / f"Test/Test{number:03d}_gt", n_frames, ".bmp")
    if entries is None:
        entries = [
            "[" + ", ".join(f"{start + 1}:{stop}" for start, stop in ranges) + "]" for _, ranges in clips
        ]
    lines = [f"TestVideoFile{{end+1}}.gt_frame = {entry};\n" for entry in entries]
    (folder / "Test/UCSDped2.m").write_text(HEAD + "".join(lines))
    return folder


def images(folder, n_frames, suffix=".tif"):
    folder.mkdir(parents=True)
    for number in range(1, n_frames + 1):
        (folder / f"{number:03d}{suffix}").touch()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same clips as a table and as folders."""
    table = PED2.read(ped2(tmp_path_factory.mktemp("table")))
    clips = [(truth.n_frames, truth.anomalies) for truth in table.test]
    return table, official(tmp_path_factory.mktemp("official") / "UCSDped2", clips)


def test_the_folders_say_what_the_table_says(both):
    table, folder = both
    found = PED2.read(folder)
    assert found.totals == table.totals == PED2.known
    assert [truth.anomalies for truth in found.test] == [truth.anomalies for truth in table.test]
    assert [truth.n_frames for truth in found.test] == [truth.n_frames for truth in table.test]
    assert [truth.video for truth in found.test[:2]] == ["Test/Test001", "Test/Test002"]
    assert found.training[0].video == "Train/Train001"
    assert found.notes == ()
    for place in (folder.parent, folder / "Test"):
        assert PED2.read(place) == found
    assert len(PED2.splits(folder)) == 10


def test_the_real_ranges_come_out_of_the_folders(data, tmp_path):
    if not (data / "ucsd_ped2").is_dir():
        pytest.skip(f"no UCSD Ped2 at {data}")
    table = PED2.read(data / "ucsd_ped2")
    found = PED2.read(
        official(tmp_path / "UCSDped2", [(truth.n_frames, truth.anomalies) for truth in table.test])
    )
    assert found.totals == PED2.known
    assert [truth.anomalies for truth in found.test] == [truth.anomalies for truth in table.test]


@pytest.mark.parametrize("given", ["UCSDped2", "UCSDped2/Test"])
def test_features_of_the_folders_bear_the_names_of_the_truth(both, given):
    _, folder = both
    videos, failures = find_videos([folder.parent / given])
    assert failures == []
    truths = [truth.video for truth in PED2.read(folder).test]
    matched = match(truths, [video.name for video in videos])
    assert matched.missing == []
    assert {name.rpartition("/")[2]: found.rpartition("/")[2] for name, found in matched.found.items()} == {
        f"Test{number:03d}": f"Test{number:03d}" for number in range(1, 13)
    }


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["[61:180]", "[1:2]", "[1:2]"], "has 3 entries for the 2 test clips beside it"),
        (["[61:180]", "[zeros(5)]"], r"line 4: .* is not an entry such as TestVideoFile\{end\+1\}"),
        (["[180:61]", "[1:2]"], "line 3: "),
        (["[0:61]", "[1:2]"], "line 3: "),
        (["[1:2]; system('rm -rf /')", "[1:2]"], "line 3: "),
        ([], "holds no line that is an entry"),
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path, entries, message):
    folder = official(tmp_path / "UCSDped2", [(5, ()), (5, ())], entries)
    with pytest.raises(UsageError, match=rf"UCSDped2\.m: {message}"):
        PED2.read(folder)


def test_the_forms_that_matlab_takes(tmp_path):
    entries = ["[ 2 : 4 ]".replace(" : ", ":"), "[1, 3:4 6] % a note"]
    folder = official(tmp_path / "UCSDped2", [(5, ()), (5, ())], entries)
    contents = PED2.read(folder)
    assert contents.test[0].anomalies == ((1, 4),)
    assert contents.test[1].anomalies == ((0, 1), (2, 4))
    assert contents.notes == ("Test/Test002: 5 to 6 ends after its 5 frames; left out",)


def test_missing_folders_are_named(tmp_path):
    folder = official(tmp_path / "UCSDped2", [(5, ((1, 2),))])
    for path in (folder / "Train").iterdir():
        for picture in path.iterdir():
            picture.unlink()
        path.rmdir()
    with pytest.raises(UsageError, match=r"Train: holds no folders Train001"):
        PED2.read(folder)
    (folder / "Train").rmdir()
    with pytest.raises(UsageError, match=r"Train: cannot be searched") as caught:
        PED2.read(folder)
    assert "Train and Test beside each other" in caught.value.next_step


def test_pictures_of_shanghaitech_are_the_videos_of_its_lists(data, tmp_path):
    """Its JSON counts up to a multiple of 16; the folders hold the true number of pictures, as the masks do."""
    lists = data / "annotations/shanghaitech"
    if not lists.is_dir():
        pytest.skip(f"no lists of ShanghaiTech at {lists}")
    truths = {truth.video: truth for truth in SHANGHAITECH.read(lists).test if truth.abnormal}
    folder, lengths = tmp_path / "testing/frames", {}
    for video in sorted(truths)[:3]:
        lengths[video] = len(np.load(lists / f"test_frame_mask/{video}.npy"))
        images(folder / video, lengths[video], ".jpg")
    names = [video.name for video in find_videos([tmp_path / "testing"])[0]]
    found = match(sorted(truths)[:3], names).found
    assert found == {video: f"testing/frames/{video}" for video in lengths}
    for video, n_frames in lengths.items():
        assert 0 <= truths[video].n_frames - n_frames < 16  # which 'evaluate' takes for the same video


def test_check_takes_folders_of_pictures_for_videos(both):
    _, folder = both
    found = datasets.check(datasets.get("ped2"), folder, videos=folder)
    assert found.n_found == found.n_listed == {"train": 16, "test": 12}
    assert found.superfluous == []  # the masks are no videos
    assert found.exit_code == 0
