"""HDF5 files that refer to other files: no link is followed, and nothing else is ever opened."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from support.file_access import watched_file
from support.published_arrays import import_arrays
from vadpipe.errors import FeatureError
from vadpipe.published import hdf5_process


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


SECRET = "the words of a canary, as a list of users would have them:x:0:0"


@pytest.fixture
def three(tmp_path, monkeypatch):
    """Return HDF5 files that refer in three ways to two other files, which hold the same secret."""
    monkeypatch.chdir(tmp_path)
    numbers = np.frombuffer(SECRET.encode(), np.uint8).reshape(-1, 7)
    Path("secret.txt").write_text(SECRET)
    with h5py.File("secret.bin", "w") as file:
        file["secret"] = numbers
    shape = numbers.shape
    layout = h5py.VirtualLayout(shape, "u1")
    layout[:] = h5py.VirtualSource("../secret.bin", "secret", shape)
    Path("sets").mkdir()
    with h5py.File("sets/link.h5", "w") as file:
        file["v"] = h5py.ExternalLink("../secret.bin", "/secret")
    with h5py.File("sets/storage.h5", "w") as file:
        file.create_dataset("v", shape, "u1", external=[(str(Path("secret.txt").absolute()), 0, len(SECRET))])
    with h5py.File("sets/virtual.h5", "w") as file:
        file.create_virtual_dataset("v", layout)
    with h5py.File("sets/whole.h5", "w") as file:
        file["v"] = np.ones(shape, "f4")
    return Path("sets")


def test_nothing_of_another_file_reaches_the_features(three):
    result = import_arrays(three)
    assert [path.name for path in result.written] == ["whole.safetensors"]
    written = [path.read_bytes() for path in Path("features").rglob("*") if path.is_file()]
    as_floats = np.frombuffer(SECRET.encode(), np.uint8).astype("f4").tobytes()
    for secret in (SECRET.encode()[:7], as_floats[:28]):
        assert not any(secret in content for content in written)
    assert {str(failure.path): failure.error.reason for failure in result.failed} == {
        "sets/link.h5/v": "is a link to another file, which is never followed",
        "sets/storage.h5/v": "keeps its data in another file, which is never opened",
        "sets/virtual.h5/v": "is a virtual dataset: its data lie in other files, which are never opened",
    }


UNCHECKED = """
import json, os, h5py
from vadpipe.published import hdf5_child

def answer(self, asked, descriptor):
    outcome = {{}}
    for how, given in {{"descriptor": os.fdopen(descriptor, "rb"), "name": asked["path"]}}.items():
        try:
            with h5py.File(given) as file:
                outcome[how] = bytes(file["v"][:].ravel().tolist()).decode()
        except Exception as error:
            outcome[how] = "refused"
    self._tell({{"reason": json.dumps(outcome), "next_step": None}})

hdf5_child._Server.answer = answer
{seam}
hdf5_child.main()
"""


@pytest.mark.parametrize("confined", [True, False])
@pytest.mark.parametrize("name", ["link", "storage", "virtual"])
def test_without_the_checks_the_kernel_refuses_all_the_same(three, monkeypatch, name, confined):
    """The library is let follow what it will; unconfined, it reads the other file."""
    seam = "" if confined else "hdf5_child.confine_this_process = lambda *_, **__: None"
    Path("child.py").write_text(UNCHECKED.format(seam=seam))
    monkeypatch.setattr(hdf5_process, "PROGRAM", (hdf5_process.PROGRAM[0], str(Path("child.py").absolute())))
    reader, path = hdf5_process.Hdf5Process(), (three / f"{name}.h5").absolute()
    with pytest.raises(FeatureError) as caught:
        reader.listing(path, 0)
    reader.close()
    outcome = json.loads(caught.value.reason)
    if confined:
        assert SECRET not in outcome.values()
        assert outcome["name"] == "refused"
    else:
        assert outcome["name"] == SECRET
