"""HDF5 files: what lies in them comes out bit for bit, and damage is told."""

import os

import h5py
import numpy as np
import pytest

from vadpipe.errors import FeatureError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", "<i2", "u1", ">i8"])
def test_numbers_of_every_type_are_read_as_they_are(write_hdf5, containers, libver, dtype):
    wanted = RNG.integers(0, 100, (7, 5)).astype(dtype)
    path = write_hdf5(lambda file: file.create_dataset("a", data=wanted), libver=libver)
    array = containers.read(path, ("a",))
    assert array.dtype == wanted.dtype
    np.testing.assert_array_equal(array, wanted)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (3, 2)},
        {"chunks": (3, 2), "maxshape": (None, None)},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"compression": "lzf", "chunks": (7, 1)},
        {"chunks": (100, 100), "maxshape": (None, None), "compression": "gzip"},
    ],
)
def test_chunks_and_filters(write_hdf5, containers, options):
    wanted = RNG.normal(size=(7, 5)).astype(np.float32)
    path = write_hdf5(lambda file: file.create_dataset("a", data=wanted, **options))
    np.testing.assert_array_equal(containers.read(path, ("a",)), wanted)


def test_an_array_that_comes_in_pieces(write_hdf5, containers):
    wanted = np.arange(2**23 + 2**12, dtype=np.float64).reshape(-1, 4)  # one piece is of 64 MiB
    path = write_hdf5(lambda file: file.create_dataset("a", data=wanted))
    np.testing.assert_array_equal(containers.read(path, ("a",)), wanted)


def test_what_a_file_holds(write_hdf5, containers):
    def fill(file):
        file["b/é/features"] = file["a"] = np.ones((2, 3))
        file["b/again"] = file["a"]
        file["b/back"] = file["/"]
        file["type"] = np.dtype("f4")
        file["empty/group"] = file.create_group("c")

    listing = containers.listing(write_hdf5(fill))
    assert (listing.arrays, listing.left_out) == ([("a",), ("b", "again"), ("b", "é", "features")], [])


def test_names_that_are_no_utf8_are_read_all_the_same(write_hdf5, containers):
    def fill(file):
        space = h5py.h5s.create_simple((4,))
        h5py.Dataset(h5py.h5d.create(file.id, b"a\xff", h5py.h5t.IEEE_F64LE, space))[:] = 1

    path = write_hdf5(fill)
    assert containers.listing(path).arrays == [("a\udcff",)]
    np.testing.assert_array_equal(containers.read(path, ("a\udcff",)), np.ones(4))


def deep(file):
    group = file
    for _ in range(40):
        group = group.create_group("g")
    group["a"] = np.ones((2, 3))


def test_groups_in_groups_without_end(write_hdf5, containers):
    listing = containers.listing(write_hdf5(deep))
    assert listing.arrays == []
    assert [reason for _, reason, _ in listing.left_out] == ["lies below more than 32 groups"]


def test_broken_files(write_hdf5, containers, tmp_path):
    path = write_hdf5(lambda file: file.create_dataset("a", data=np.ones((50, 50)), compression="gzip"))
    whole = path.read_bytes()
    for n_bytes in (8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(FeatureError, match=r"^set\.h5: is damaged: .*\nDownload the file again"):
            containers.listing(path)
    start = whole.index(b"\x78\x5e") if b"\x78\x5e" in whole else whole.index(b"\x78\x01")
    path.write_bytes(whole[: start + 8] + bytes(20) + whole[start + 28 :])
    assert containers.listing(path).arrays == [("a",)]
    with pytest.raises(FeatureError, match=r"^set\.h5/a: is damaged: "):
        containers.read(path, ("a",))
    path.unlink()
    with pytest.raises(FeatureError, match=r"set\.h5: cannot be read: No such file"):
        containers.read(path, ("a",))


def test_a_file_that_changes_is_opened_anew(write_hdf5, containers):
    for number in range(3):
        path = write_hdf5(lambda file, number=number: file.create_dataset("a", data=np.full((2, 3), number)))
        path = path.rename("renamed.h5")
        os.utime(path, ns=(0, 0))
        np.testing.assert_array_equal(containers.read(path, ("a",)), np.full((2, 3), number))
