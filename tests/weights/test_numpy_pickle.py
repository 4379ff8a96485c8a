"""Only arrays of numbers come out of a weights file, whatever lies in it."""

import os
import pickle

import numpy as np
import pytest

from support.weights_files import Runs
from vadpipe.errors import WeightsError
from vadpipe.weights import numpy_pickle


def test_nested_arrays_come_out_as_they_went_in():
    tree = {"params": {"Conv_0": {"kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4)}}}
    loaded = numpy_pickle.load(pickle.dumps(tree))
    np.testing.assert_array_equal(loaded["params"]["Conv_0"]["kernel"], tree["params"]["Conv_0"]["kernel"])


@pytest.mark.parametrize(
    "attack",
    [
        Runs(os.system, "touch canary"),
        Runs(eval, "open('canary', 'w')"),
        {"params": {"x": Runs(open, "canary", "w")}},
        Runs(np.load, "anything.npy"),
    ],
    ids=["system", "eval", "nested", "numpy function"],
)
def test_nothing_is_run(tmp_path, monkeypatch, attack):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match="not a plain pickle of arrays: it refers to"):
        numpy_pickle.load(pickle.dumps(attack))
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "content",
    [{"a": np.array([object()])}, {"a": [1, 2]}, {"a": "text"}, {"a": np.array(["text"])}],
    ids=["objects", "list", "string", "text array"],
)
def test_anything_but_numbers_is_refused(content):
    with pytest.raises(WeightsError, match="something other than numeric|refers to"):
        numpy_pickle.load(pickle.dumps(content))


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps({"a": np.zeros(9)})[:-20]])
def test_damaged_bytes_are_refused(data):
    with pytest.raises(WeightsError, match="not a plain pickle of arrays"):
        numpy_pickle.load(data)
