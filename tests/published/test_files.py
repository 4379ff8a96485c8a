"""Which files are published features, and which of them are about one video."""

import numpy as np
import pytest

from support.published_arrays import import_arrays, only_error, random_array, save_array
from vadpipe.errors import UsageError
from vadpipe.features.file import Features


@pytest.fixture
def feats(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "feats"


@pytest.mark.parametrize("count", [5, 10])
def test_one_file_a_crop_is_joined_in_the_order_of_the_numbers(feats, count):
    values = random_array(crops=count)
    for crop in reversed(range(count)):
        save_array(feats / f"v=S_2__#1_label_A__{crop}.npy", values[:, crop])
    (path,) = import_arrays(feats).written
    loaded = Features.load(path)
    assert loaded.source.video == "feats/v=S_2__#1_label_A"
    np.testing.assert_array_equal(loaded.values, values)
    assert loaded.source.n_bytes == sum(file.stat().st_size for file in feats.iterdir())


def test_crops_that_do_not_make_a_set(feats):
    values = random_array(crops=10)
    for crop in (0, 1, 3, 4):
        save_array(feats / f"a__{crop}.npy", values[:, crop])
    error = only_error(import_arrays(feats))
    assert (
        "a__0.npy: is one of 5 crops by its name, but number 2 is missing (found: a__0.npy, a__1.npy,"
        in error
    )
    save_array(feats / "a__2.npy", values[1:, 2])
    assert "a__2.npy: is a crop with 5 rows of 8 values, but a__0.npy has 6 rows of 8" in only_error(
        import_arrays(feats)
    )
    save_array(feats / "a__2.npy", values[:, 2])
    assert "is one of 5 crops by its name, not 10" in only_error(import_arrays(feats, crops=10))
    save_array(feats / "a__7.npy", values[:, 7])
    assert "is one of 10 crops by its name" in only_error(import_arrays(feats))
    assert "numbers 5, 6, 8, 9 are missing (found: a__0.npy" in only_error(import_arrays(feats))


def test_numbered_files_can_be_videos_by_themselves(feats):
    for index in range(3):
        save_array(feats / f"cam__{index}.npy", random_array(crops=10))
    assert len(import_arrays(feats, layout="tcd").written) == 3
    save_array(feats / "one__0.npy", random_array())
    assert [path.name for path in import_arrays(feats / "one__0.npy", crops=1).written] == [
        "one__0.safetensors"
    ]


def test_two_files_about_one_video(feats):
    save_array(feats / "a.npy", random_array())
    np.savetxt(feats / "a.txt", random_array())
    assert "a.npy: is about the same video as a.txt\nImport only one of them." in only_error(
        import_arrays(feats)
    )
    assert len(import_arrays(feats / "a.txt").written) == 1


def test_folders_are_searched_for_arrays_alone(feats):
    save_array(feats / "a.npy", random_array())
    save_array(feats / ".hidden/b.npy", random_array())
    save_array(feats / ".c.npy", random_array())
    (feats / "README.md").write_text("text")
    (feats / "loop").symlink_to(feats)
    assert [path.name for path in import_arrays(feats).written] == ["a.safetensors"]
    (feats.parent / "empty").mkdir()
    assert (
        "empty: contains no features\nLooked for files ending in .npy .npz .txt .h5 .hdf5 .pt .pth."
        in only_error(import_arrays("empty"))
    )
    with pytest.raises(UsageError, match="an empty name"):
        import_arrays("")
