"""HDF5 arrays that are no rows of numbers, or ask for too much, are refused with a reason and a next step."""

import pickle
import zlib

import h5py
import numpy as np
import pytest

from support.hostile_arrays import Canary
from vadpipe.errors import FeatureError
from vadpipe.published import hdf5_process
from vadpipe.published.containers import Containers


def references(file):
    file["x"] = np.ones((2, 3))
    file["a"] = np.array([[file["x"].ref]], dtype=h5py.ref_dtype)


def regions(file):
    file["x"] = np.ones((2, 3))
    file["a"] = np.array([file["x"].regionref[0, :]], dtype=h5py.regionref_dtype)


def unequal(file):
    rows = file.create_dataset("a", (2,), h5py.vlen_dtype("f4"))
    rows[0], rows[1] = [1, 2], [3]


def foreign_filter(file):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((2, 3))
    plan.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (2, 2, 4))  # Blosc, which is not installed
    h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((2, 3)), plan)


def one_chunk_of_two(file):
    dataset = file.create_dataset("a", (4, 3), "f4", chunks=(2, 3))
    dataset[:2] = 1


def bomb(file):
    """A chunk of 24 bytes that unpacks to 3 GiB."""
    dataset = file.create_dataset("a", (2, 3), "f4", chunks=(2, 3), compression="gzip")
    packer = zlib.compressobj(1)
    block = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    dataset.id.write_direct_chunk((0, 0), block + again * 191)


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda file: file.create_dataset("a", data=["x", "y"]), "holds text, not numbers"),
        (lambda file: file.create_dataset("a", data=np.array([b"x"])), "holds text, not numbers"),
        (lambda file: file.create_dataset("a", data=np.zeros((2, 3), bool)), "booleans or enums, not"),
        (lambda file: file.create_dataset("a", data=np.zeros((2, 3), "c8")), "holds .*not numbers"),
        (lambda file: file.create_dataset("a", data=np.zeros(2, [("x", "f4")])), "holds records, not"),
        (lambda file: file.create_dataset("a", data=np.zeros(2, "V8")), "holds opaque bytes"),
        (lambda file: file.create_dataset("a", (2,), np.dtype(("f4", (3,)))), "holds nested arrays"),
        (references, "holds references, not"),
        (regions, "holds references, not"),
        (unequal, "holds rows of different lengths, not"),
        (lambda file: file.create_dataset("a", data=3.0), "has no rows, only a single value"),
        (lambda file: file.create_dataset("a", data=h5py.Empty("f4")), "has no rows, only a single value"),
        (
            lambda file: file.create_dataset("a", (2, 3), "f4"),
            r"truncated: .* needs 24 bytes, but only 0 are",
        ),
        (one_chunk_of_two, r"truncated: 1 of the 2 chunks of its shape \(4, 3\) are present"),
        (
            lambda file: file.create_dataset("a", (2**40, 2**20), "f4", chunks=(8, 8)),
            "has 4294967296 GiB, above the limit of 8",
        ),
        (
            lambda file: file.create_dataset("a", (2**32, 2**31), "f4", chunks=(1, 2**29 + 1)),
            "above the limit of 8",
        ),
        (
            lambda file: file.create_dataset("a", (2, 3), "f4", chunks=(2**14, 2**15), maxshape=(None, None)),
            r"has chunks of the shape \(16384, 32768\), too large to decompress",
        ),
        (
            foreign_filter,
            "is compressed with the filter number 32001, which is not available\nUnpack it with 'h5re",
        ),
    ],
)
def test_hostile_arrays(write_hdf5, containers, fill, message):
    path = write_hdf5(fill)
    with pytest.raises(FeatureError, match=rf"set\.h5/a: .*{message}") as caught:
        containers.read(path, ("a",))
    assert caught.value.next_step
    assert len(str(caught.value).splitlines()) <= 3


def test_a_chunk_that_unpacks_to_more_than_its_reader_may_have(write_hdf5, monkeypatch):
    monkeypatch.setattr(hdf5_process, "MEMORY_BYTES", 2**30)
    path = write_hdf5(bomb)
    with Containers() as containers, pytest.raises(FeatureError, match=r"set\.h5/a: (is damaged|needs more)"):
        containers.read(path, ("a",))


def test_a_pickle_in_attributes_and_texts_is_never_loaded(write_hdf5, containers, tmp_path):
    """PyTables and pandas keep objects in this way."""
    attack = pickle.dumps(Canary(tmp_path / "hatched"), protocol=0)

    def fill(file):
        file["a"] = np.ones((2, 3))
        file["text"] = np.array([attack])
        for place in (file, file["a"]):
            for name in ("TITLE", "CLASS", "VERSION", "FILTERS", "pickled"):
                place.attrs[name] = np.void(attack) if name == "pickled" else attack

    path = write_hdf5(fill)
    assert containers.listing(path).arrays == [("a",), ("text",)]
    assert containers.read(path, ("a",)).shape == (2, 3)
    with pytest.raises(FeatureError, match="holds text, not numbers"):
        containers.read(path, ("text",))
    assert not (tmp_path / "hatched").exists()
    with h5py.File(path) as file:
        pickle.loads(file["a"].attrs["pickled"].tobytes())  # the canary is alive
    assert (tmp_path / "hatched").exists()
