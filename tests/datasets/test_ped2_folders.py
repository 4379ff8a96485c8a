"""The recipe of UCSD Ped2 reads the published folders of pictures and the MATLAB file beside them."""

import csv
import shutil

import numpy as np
import pytest

from support.annotation_sets import write_extracted_features, write_ped2_folders, write_ped2_table
from vadpipe.annotations.labels import read_labels
from vadpipe.annotations.truth import Truth
from vadpipe.datasets import Totals, check, write_labels
from vadpipe.datasets.ped2 import PED2
from vadpipe.errors import UsageError
from vadpipe.extract.video.discovery import find_videos

CLIPS = {
    "Train/Train001": (4, None),
    "Train/Train002": (3, None),
    "Test/Test001": (9, "4:9"),
    "Test/Test002": (6, "1:2, 4:5"),
    "Test/Test003": (5, ""),
}


@pytest.fixture
def folder(tmp_path):
    return write_ped2_folders(tmp_path / "UCSDped2", CLIPS)


@pytest.fixture(scope="module")
def real(data, tmp_path_factory):
    """The real table, and the published layout with its counts and ranges: the pictures are empty files."""
    table = data / "ucsd_ped2" / "labels.csv"
    if not table.is_file():
        pytest.skip(f"no table of UCSD Ped2 at {table}")
    clips = {}
    for row in csv.DictReader(table.read_text().splitlines()):
        part, number = row["file"].split("/")[0].title(), row["file"][-6:-4]
        start, _, stop = row["anomalous_frames_half_open"].partition(":")
        frames = f"{int(start) + 1}:{stop}" if part == "Test" else None
        clips[f"{part}/{part}0{number}"] = int(row["frames"]), frames
    root = tmp_path_factory.mktemp("published") / "UCSDped2"
    return table.parent, write_ped2_folders(root, clips)


def test_frames_are_pictures_and_ranges_become_half_open(folder):
    contents = PED2.read(folder)
    assert [(video.video, video.abnormal) for video in contents.training] == [
        ("Train/Train001", False),
        ("Train/Train002", False),
    ]
    assert contents.test == (
        Truth("Test/Test001", 9, ((3, 9),)),
        Truth("Test/Test002", 6, ((0, 2), (3, 5))),
        Truth("Test/Test003", 5, ()),
    )
    assert contents.notes == ()


def test_the_published_layout_says_what_the_table_says(real):
    table, published = (PED2.read(folder) for folder in real)
    assert published.totals == PED2.known == Totals(16, 0, 0, 12, 2_010, 1_648)
    assert [truth.frames().tolist() for truth in published.test] == [
        truth.frames().tolist() for truth in table.test
    ]
    assert published.test[0] == Truth("Test/Test001", 180, ((60, 180),))
    drawn = [PED2.splits(folder, seed=3) for folder in real]
    for by_table, by_folders in zip(*drawn, strict=True):
        assert by_table.totals == by_folders.totals
        assert [truth.anomalies for truth in by_table.test] == [truth.anomalies for truth in by_folders.test]
        assert [video.video[-6:-4] for video in by_table.training] == [
            video.video[-2:] for video in by_folders.training
        ]


def test_the_folder_its_parent_and_a_folder_of_another_name_will_do(folder, tmp_path):
    expected = PED2.read(folder)
    assert PED2.read(tmp_path) == expected
    assert PED2.read(folder / "Test") == expected
    folder.rename(tmp_path / "ped2")
    assert PED2.read(tmp_path / "ped2") == expected
    with pytest.raises(UsageError, match=r"holds no labels\.csv or Test/UCSDped2\.m or .*\n'vadpipe"):
        PED2.read(tmp_path)


def test_check_says_which_form_was_read(folder, tmp_path):
    result = check(PED2, folder)
    assert result.lines()[0] == "read: the published folders of pictures, and UCSDped2.m"
    assert result.as_json()["form"] == "the published folders of pictures, and UCSDped2.m"
    assert check(PED2, write_ped2_table(tmp_path / "table")).lines()[0] == "read: the table labels.csv"
    assert (
        check(PED2, write_ped2_table(folder)).lines()[0] == "read: the table labels.csv"
    )  # it goes before the folders


def test_names_are_those_of_extracted_folders(folder):
    root = folder.parent
    for given in ([folder], [folder / "Train", folder / "Test"]):
        videos, failures = find_videos(given)
        there = write_extracted_features(root / f"features{len(given)}", {video.name: 16 for video in videos})
        result = check(PED2, folder, features=there)
        assert failures == []
        assert (result.n_found, result.missing) == ({"train": 2, "test": 3}, {"train": [], "test": []})
        assert (result.ambiguous, result.superfluous) == ({}, [])


def test_check_takes_folders_of_pictures_for_videos(real):
    _, published = real
    result = check(PED2, published, videos=published)
    assert (result.n_found, result.superfluous) == ({"train": 16, "test": 12}, [])
    assert result.exit_code == 0


def test_the_folder_may_be_named_relative_to_the_current_one(folder, monkeypatch):
    expected = PED2.read(folder)
    for inside in (folder, folder / "Test"):
        monkeypatch.chdir(inside)
        assert PED2.read(".") == expected


def test_labels_name_the_features_and_are_found_without_them(real, tmp_path):
    _, published = real
    names = [
        f"{part}/{part}{number:03}" for part, n in (("Train", 16), ("Test", 12)) for number in range(1, n + 1)
    ]
    there = write_extracted_features(tmp_path / "features", {f"UCSDped2/{name}": 16 for name in names})
    result = write_labels(PED2, published, tmp_path, features=there)
    assert result.left_out == {"train": [], "test": []}
    assert all(truth.video.startswith("UCSDped2/T") for truth in result.contents.test)
    assert result.contents.form.startswith("the published folders")
    plain = write_labels(PED2, published, tmp_path / "plain")
    for below in ("", "UCSDped2/"):
        found = read_labels(plain.train, {f"{below}{name}": name for name in names})
        assert sum(label.abnormal for label in found.values()) == 6
        assert len(found) == 10


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ("1:2,4:5", [0, 1, 3, 4]),
        (" 1 : 2   4:5 ", [0, 1, 3, 4]),
        ("5, 1:2", [0, 1, 4]),
        ("2 3\t4", [1, 2, 3]),
        ("1:4, 3:6", [0, 1, 2, 3, 4, 5]),
        ("1:6", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_lists_of_frames(tmp_path, frames, expected):
    clips = {"Train/Train001": (2, None), "Test/Test001": (6, frames)}
    (truth,) = PED2.read(write_ped2_folders(tmp_path, clips)).test
    assert np.flatnonzero(truth.frames()).tolist() == expected
    assert all(
        stop < start for (_, stop), (start, _) in zip(truth.anomalies, truth.anomalies[1:], strict=False)
    )


def test_comments_and_blanks_do_not_count(folder):
    (folder / "Test" / "UCSDped2.m").write_text(
        "% ranges [1:2];\n\nTestVideoFile={};% begin\n  TestVideoFile{ end + 1 } . gt_frame=[4:9]\n"
        "% TestVideoFile{end+1}.gt_frame = [1:1];\nTestVideoFile{end+1}.gt_frame = [1:2 4:5]; % two\n"
        "TestVideoFile{end+1}.gt_frame = [ ];"
    )
    assert [truth.anomalies for truth in PED2.read(folder).test] == [((3, 9),), ((0, 2), (3, 5)), ()]


def entries(*lists):
    return "\n".join(
        ["TestVideoFile = {};", *(f"TestVideoFile{{end+1}}.gt_frame = {text};" for text in lists)]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("% nothing\n", "has no ranges, only comments"),
        ("TestVideoFile = {};\n", "has no ranges\n"),
        ("PK\x03\x04", "line 1: 'PK.*' is not TestVideoFile = {};"),
        (
            entries("[1:2]").partition("\n")[2],
            "line 1: .* is not TestVideoFile = {};, with which",
        ),
        (entries("[1:numel(x)]"), r"line 2: .*numel\(x\).* is not an entry such as TestVideoFile\{end\+1\}"),
        (entries("[1:2]", "[1:2]+1"), "line 3: .* is not an entry"),
        (entries("[1:2:9]"), "line 2: .* is not an entry"),
        (entries("[1:2; 4:5]"), "line 2: .* is not an entry"),
        (entries("[1:2,, 4]"), "line 2: .* is not an entry"),
        (entries("[0:5]"), "line 2: .* is not an entry"),
        (entries("[5:2]"), "line 2: .* is not an entry"),
        (entries("[1.5:2]"), "line 2: .* is not an entry"),
        (entries("[-1]"), "line 2: .* is not an entry"),
        (entries("[1:2]; system('x')"), "line 2: .* is not an entry"),
        (entries("[1:2, ..."), "line 2: .* is not an entry"),
        (entries("[1:2]") + "\n%{\n%}", "line 3: '%{' is not a comment on one line"),
        (entries("[1:2]") + "\nTestVideoFile = {};", "line 3: .* is not an entry"),
        (entries("[1:9]", "[1:6]"), "has 2 entries, but none for Test003\nUnpack"),
        (
            entries("[1]", "[1]", "[1]", "[1]", "[1]"),
            "has 5 entries, .* no folder of pictures for Test004, Test005\n",
        ),
        (entries("[1:9]", "[2:7]", "[]"), "line 3: 2:7 ends after the 6 pictures of Test002\nUnpack"),
        (
            entries("[1:9]", "[1:2, 999999999999999]", "[]"),
            "line 3: 999999999999999:999999999999999 ends after",
        ),
    ],
)
def test_a_file_of_ranges_that_cannot_be_used(folder, text, message):
    (folder / "Test" / "UCSDped2.m").write_text(text)
    with pytest.raises(UsageError, match=rf"Test/UCSDped2\.m: {message}"):
        PED2.read(folder)


def test_bytes_that_are_no_text(folder):
    (folder / "Test" / "UCSDped2.m").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"UCSDped2\.m: is not text in UTF-8"):
        PED2.read(folder)


def test_folders_that_are_missing(folder):
    shutil.rmtree(folder / "Test" / "Test002")
    with pytest.raises(UsageError, match=r"has 3 entries, but no folder of pictures for Test002\n"):
        PED2.read(folder)
    shutil.rmtree(folder / "Test" / "Test001")
    shutil.rmtree(folder / "Test" / "Test003")
    with pytest.raises(
        UsageError, match=r"UCSDped2/Test: has no folder Test001\nUnpack the published archive"
    ):
        PED2.read(folder)


def test_training_folders_are_needed(folder):
    shutil.rmtree(folder / "Train")
    with pytest.raises(
        UsageError, match=r"UCSDped2/Train: cannot be searched: No such file or directory\nUnpack"
    ):
        PED2.read(folder)


def test_pictures_that_are_missing_or_broken(folder):
    (folder / "Test" / "Test001" / "004.tif").unlink()
    with pytest.raises(UsageError, match=r"Test/Test001: has 005\.tif instead of picture 4\nUnpack"):
        PED2.read(folder)
    for picture in (folder / "Test" / "Test001").iterdir():
        picture.unlink()
    with pytest.raises(
        UsageError, match=r"Test/Test001: is not an image sequence: it contains no pictures\nUnpack"
    ):
        PED2.read(folder)


def test_masks_and_hidden_files_do_not_count_and_other_folders_are_told(folder):
    masks = folder / "Test" / "Test001_gt"
    masks.mkdir()
    for number in range(1, 10):
        (masks / f"{number:03}.bmp").touch()
    (folder / "Test" / "Test001" / "._001.tif").touch()
    (folder / "Train" / ".hidden").mkdir()
    assert PED2.read(folder).notes == ()
    assert check(PED2, folder, videos=folder).superfluous == []
    (folder / "Test" / "Test001 copy").mkdir()
    contents = PED2.read(folder)
    assert contents.notes == ("Test has 1 folders that are not clips; omitted: Test001 copy",)
    assert len(contents.test) == 3
