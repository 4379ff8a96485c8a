"""Files with bytes changed at random end in features or in an error of ours, whatever the libraries do."""

import random

import h5py
import numpy as np
import pytest
import torch

from vadpipe.errors import FeatureError
from vadpipe.published.containers import Containers

ARRAY = np.arange(60, dtype=np.float32).reshape(6, 10)


def hdf5_seed(path, libver):
    with h5py.File(path, "w", libver=libver) as file:
        group = file.create_group("Abuse/Abuse001")
        group.create_dataset("features", data=ARRAY, chunks=(4, 10), compression="gzip", shuffle=True)
        file.create_dataset("lzf", data=ARRAY, chunks=(3, 5), compression="lzf", fletcher32=True)
        file.create_dataset("growing", data=ARRAY, chunks=(3, 5), maxshape=(None, None))
        file["plain"] = ARRAY.astype(np.float16)
        file["away"] = h5py.ExternalLink("other.h5", "/a")


def torch_seed(path, zipped):
    tensor = torch.from_numpy(ARRAY)
    content = {"a": tensor, "b": tensor.bfloat16(), "c": {"features": tensor.half()}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)


SEEDS = {
    "old.h5": lambda path: hdf5_seed(path, "earliest"),
    "new.h5": lambda path: hdf5_seed(path, "latest"),
    "old.pt": lambda path: torch_seed(path, zipped=False),
    "new.pt": lambda path: torch_seed(path, zipped=True),
}


@pytest.mark.parametrize("n_files", [60, pytest.param(4000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_but_features_and_errors_of_ours(tmp_path, seed, n_files):
    path = tmp_path / seed
    SEEDS[seed](path)
    whole = path.read_bytes()
    n_read = n_refused = 0
    with Containers() as containers:
        for number in range(n_files):
            rng = random.Random(number)
            content = bytearray(whole)
            for _ in range(rng.choice([1, 1, 2, 4, 16])):
                where = rng.randrange(len(content))
                content[where] = rng.choice(
                    [0, 255, rng.randrange(256), content[where] ^ (1 << rng.randrange(8))]
                )
            if rng.random() < 0.1:
                del content[rng.randrange(len(content)) :]
            mutant = path.with_stem(f"{number}")
            mutant.write_bytes(content)
            try:
                listing = containers.listing(mutant)
            except FeatureError as error:
                assert_is_told_well(error, mutant)
                n_refused += 1
                listing = None
            for address in listing.arrays if listing else ():
                try:
                    array = containers.read(mutant, address)
                    assert array.dtype.kind in "fiu"
                    n_read += 1
                except FeatureError as error:
                    assert_is_told_well(error, mutant)
                    n_refused += 1
            mutant.unlink()
    assert n_read
    assert n_refused


def assert_is_told_well(error, path):
    assert error.file.startswith(str(path))
    assert len(str(error).splitlines()) <= 3
    assert len(error.reason) <= 500
    assert str(error).isprintable() or str(error).count("\n") == 1
