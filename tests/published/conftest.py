"""A reader of all formats, and HDF5 files to read."""

from pathlib import Path

import h5py
import pytest

from vadpipe.published.containers import Containers


@pytest.fixture(scope="module")
def containers():
    with Containers() as containers:
        yield containers


@pytest.fixture
def write_hdf5(tmp_path, monkeypatch):
    """Return what makes a file whose array ``a`` is made by the given function."""
    monkeypatch.chdir(tmp_path)

    def make(fill, **options):
        with h5py.File("set.h5", "w", **options) as file:
            fill(file)
        return Path("set.h5")

    return make
