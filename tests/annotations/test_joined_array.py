"""A joined array is parted by the list of its videos, and the lengths that it or the features give."""

import numpy as np
import pytest

from support.feature_files import make_features
from support.hostile_arrays import Canary, claiming
from vadpipe.annotations.truth_sheet import read_annotations
from vadpipe.errors import UsageError

MARKS = {"x/a.mp4": [0] * 10 + [1] * 6, "b": [0] * 20, "c_x264.npy": [1] * 3 + [0] * 30}


def write(folder, marks=None, names=None):
    marks = np.concatenate([*MARKS.values()]) if marks is None else marks
    np.save(folder / "gt.npy", marks)
    (folder / "gt.txt").write_text("\n".join(names or MARKS) + "\n")
    return folder / "gt.npy"


def save_features(folder, cut=0):
    for video, marks in MARKS.items():
        name = video.removesuffix(".npy")
        make_features(len(marks) - cut, f"feats/{name}").save(
            folder / f"{name.replace('/', '_')}.safetensors"
        )


def check_equal(found):
    assert [item.video for item in found] == ["x/a.mp4", "b", "c_x264"]
    for item, marks in zip(found, MARKS.values(), strict=True):
        assert item.stated_truth().frames().astype(int).tolist() == marks


@pytest.mark.parametrize("kind", [float, int, bool, np.uint8])
def test_lengths_come_from_the_list(tmp_path, kind):
    names = [f"{name}@{len(marks)}" for name, marks in MARKS.items()]
    names[2] = "c_x264.npy@33"
    path = write(tmp_path, np.concatenate([*MARKS.values()]).astype(kind)[None], names)
    found = read_annotations(path)
    assert [len(item.stated_truth().frames()) for item in found] == [16, 20, 33]
    for item, marks in zip(found, MARKS.values(), strict=True):
        assert item.stated_truth().frames().astype(int).tolist() == marks


def test_lengths_come_from_the_features(tmp_path):
    save_features(tmp_path / "features")
    check_equal(read_annotations(write(tmp_path), tmp_path / "features"))


@pytest.mark.parametrize(("n_frames", "n_marks"), [([30, 40], [16, 32]), ([30, 40], [32, 48])])
def test_arrays_of_whole_snippets_are_recognised(tmp_path, n_frames, n_marks):
    for name, count in zip("ab", n_frames, strict=True):
        make_features(count, f"{name}.mp4").save(tmp_path / "features" / f"{name}.safetensors")
    path = write(tmp_path, np.zeros(sum(n_marks)), ["a", "b"])
    assert [item.n_frames for item in read_annotations(path, tmp_path / "features")] == n_marks


def test_what_does_not_add_up_is_refused(tmp_path):
    save_features(tmp_path / "features")
    path = write(tmp_path, np.zeros(70))
    with pytest.raises(UsageError) as caught:
        read_annotations(path, tmp_path / "features")
    assert str(caught.value) == (
        f"{path}: has 70 frames, but its 3 videos have 69, 64 rounded down to snippets, 96 rounded up to snippets\n"
        "Check the order and number of the names, or write NAME@FRAMES in their list."
    )
    with pytest.raises(
        UsageError, match="cannot be parted: x/a.mp4, b, c_x264 have no features to tell their length"
    ):
        read_annotations(path)


@pytest.mark.parametrize(
    ("marks", "names", "message"),
    [
        (np.array([0, 2]), ["a"], "holds int64 of shape (2,), not a row of 0 and 1 per frame"),
        (np.zeros((2, 3)), ["a"], "holds float64 of shape (2, 3), not a row"),
        (np.array([np.nan]), ["a"], "holds float64 of shape (1,), not a row"),
        (np.array(["x"]), ["a"], "not a row of 0 and 1 per frame"),
        (np.array([None]), ["a"], "is not a readable array: Array can't be memory-mapped: Python objects"),
        (np.zeros(2), ["a@1", "a@1"], "gt.txt: names 'a' twice"),
        (np.zeros(2), [""], "gt.txt: is empty\nWrite the name of one video per line."),
    ],
)
def test_files_that_are_something_else_are_refused(tmp_path, marks, names, message):
    with pytest.raises(UsageError) as caught:
        read_annotations(write(tmp_path, marks, names))
    assert message in str(caught.value)


def test_without_a_list_its_name_is_told(tmp_path):
    np.save(tmp_path / "gt.npy", np.zeros(3))
    with pytest.raises(
        UsageError, match=r"gt\.npy: has no list of its videos beside it\nWrite .* to gt\.txt beside it"
    ):
        read_annotations(tmp_path / "gt.npy")
    with pytest.raises(UsageError, match=r"gone\.npy: is not a readable array"):
        read_annotations(tmp_path / "gone.npy")


@pytest.mark.parametrize("n_numbers", [10**9, 10**15, 10**18, 10**20])
def test_no_memory_is_taken_for_what_a_file_claims(tmp_path, n_numbers):
    path = write(tmp_path)
    path.write_bytes(claiming(n_numbers))
    with pytest.raises(UsageError, match=r"gt\.npy: is not a readable array: "):
        read_annotations(path)


def test_a_pickle_is_never_loaded(tmp_path):
    path = write(tmp_path)
    np.save(path, np.array([Canary(tmp_path / "hatched")]), allow_pickle=True)
    with pytest.raises(UsageError, match=r"gt\.npy: is not a readable array: "):
        read_annotations(path)
    assert not (tmp_path / "hatched").exists()
    np.load(path, allow_pickle=True)  # the canary is alive
    assert (tmp_path / "hatched").exists()
