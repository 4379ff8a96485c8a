"""HDF5 files that refer to other files: no link is followed, and nothing else is ever opened."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from support.file_access import watched_file
from vadpipe.errors import FeatureError


def links(file):
    file.create_group("inner")["a"] = np.ones((2, 3))
    file["a"] = np.ones((2, 3))
    file["away"] = h5py.ExternalLink("canary.h5", "/a")
    file["far"] = h5py.ExternalLink(str(Path("canary.h5").absolute()), "/a")
    file["group"] = h5py.ExternalLink("canary.h5", "/")
    file["through"] = h5py.SoftLink("/group/a")
    file["inside"] = h5py.SoftLink("/a")
    file["loop"] = h5py.SoftLink("/loop")
    file["nowhere"] = h5py.SoftLink("/gone")


def virtual(file):
    layout = h5py.VirtualLayout((2, 3), "f8")
    layout[:] = h5py.VirtualSource("canary.h5", "a", (2, 3))
    file.create_virtual_dataset("a", layout)


def growing_virtual(file):
    layout = h5py.VirtualLayout((2, 3), "f8", maxshape=(None, 3))
    source = h5py.VirtualSource("canary.h5", "a", (2, 3), maxshape=(None, 3))
    layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    file.create_virtual_dataset("a", layout)


def external(file):
    file.create_dataset("a", (2, 3), "f8", external=[("canary.h5", 0, h5py.h5f.UNLIMITED)])


@pytest.fixture
def canary(tmp_path):
    with h5py.File(tmp_path / "canary.h5", "w") as file:
        file.create_dataset("a", data=np.full((2, 3), 7.0), maxshape=(None, 3))
    return tmp_path / "canary.h5"


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (virtual, "is a virtual dataset: its data lie in other files, which are never opened"),
        (growing_virtual, "is a virtual dataset: .*"),
        (external, "keeps its data in another file, which is never opened"),
    ],
)
def test_numbers_in_other_files_are_never_read(write_hdf5, canary, containers, fill, message):
    path = write_hdf5(fill)
    with watched_file(canary) as opened:
        assert containers.listing(path).arrays == [("a",)]
        with pytest.raises(FeatureError, match=rf"set\.h5/a: {message}\nSave it again"):
            containers.read(path, ("a",))
        assert not opened()
        with h5py.File(path) as file:
            assert file["a"][:].any()
        assert opened()  # the canary is alive


def test_links_are_never_followed(write_hdf5, canary, containers):
    path = write_hdf5(links)
    with watched_file(canary) as opened:
        listing = containers.listing(path)
        assert listing.arrays == [("a",), ("inner", "a")]
        assert {"/".join(address): reason for address, reason, _ in listing.left_out} == {
            "away": "is a link to another file, which is never followed",
            "far": "is a link to another file, which is never followed",
            "group": "is a link to another file, which is never followed",
            "inside": "is a soft link, which is never followed",
            "loop": "is a soft link, which is never followed",
            "nowhere": "is a soft link, which is never followed",
            "through": "is a soft link, which is never followed",
        }
        for address in (("away",), ("far",), ("group", "a"), ("through",), ("inside",), ("loop",)):
            with pytest.raises(FeatureError, match=r"link.*, which is never followed\nImport its target"):
                containers.read(path, address)
        assert not opened()
        with h5py.File(path) as file:
            assert file["through"][:].any()
        assert opened()


def test_a_name_that_is_a_path_is_not_followed(write_hdf5, canary, containers):
    def fill(file):
        file["away"] = h5py.ExternalLink("canary.h5", "/")
        file["away+a"] = file["inner+a"] = file["+a+a+"] = np.ones((2, 3))
        file["inner"] = h5py.SoftLink("/away")

    path = write_hdf5(fill, libver="earliest")
    path.write_bytes(path.read_bytes().replace(b"+a", b"/a"))
    with watched_file(canary) as opened:
        listing = containers.listing(path)
        assert listing.arrays == []
        reasons = {"/".join(address): reason for address, reason, _ in listing.left_out}
        assert reasons["away/a"] == reasons["inner/a"] == "has a name that HDF5 does not allow"
        for address in (("away/a",), ("inner/a",)):
            with pytest.raises(FeatureError, match="has a name that HDF5 does not allow"):
                containers.read(path, address)
        assert not opened()
        with h5py.File(path) as file:
            assert file["away/a"][:].any()
        assert opened()


def test_what_is_no_array_of_the_file(write_hdf5, containers):
    path = write_hdf5(links)
    with pytest.raises(FeatureError, match=r"set\.h5/inner: is not an array"):
        containers.read(path, ("inner",))
    with pytest.raises(FeatureError, match=r"set\.h5/gone: is damaged: .*doesn't exist"):
        containers.read(path, ("gone",))
