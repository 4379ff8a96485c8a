"""A file of weights becomes safetensors as it was, or is refused; nothing in it is ever run."""

import os
import pickle
import warnings
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import load, save_file

from support.weights_files import Runs, flip, make_state, published_file, saved
from vadpipe.errors import WeightsError
from vadpipe.weights import convert


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype
        assert torch.equal(value, other[name])


@pytest.mark.parametrize(
    "content",
    [{"model_state": make_state(), "cfg": "text", "epoch": 1}, make_state(), OrderedDict(make_state())],
    ids=["model_state", "bare", "ordered"],
)
def test_each_entry_comes_out_as_it_went_in(content):
    assert_same(load(convert.to_safetensors(saved(content), origin="net.pyth")), make_state())


def test_tensors_that_share_memory_or_lie_across_it_are_taken():
    whole = torch.arange(24.0).reshape(4, 6)
    content = {"whole": whole, "part": whole[1], "turned": whole.T, "leaf": torch.nn.Parameter(whole)}
    assert_same(
        load(convert.to_safetensors(saved(content), origin="net.pyth")),
        {name: value.detach() for name, value in content.items()},
    )


def test_the_same_weights_give_the_same_bytes():
    forwards, backwards = make_state(), dict(reversed(make_state().items()))
    assert convert.to_safetensors(saved(forwards), origin="a") == convert.to_safetensors(
        saved({"model_state": backwards}), origin="b"
    )


@pytest.mark.parametrize(
    "attack",
    [
        pickle.dumps(Runs(os.system, "touch canary")),
        saved(Runs(os.system, "touch canary")),
        saved({"model_state": {"weight": Runs(eval, "open('canary', 'w')")}}),
        saved({"model_state": make_state(), "cfg": Runs(open, "canary", "w")}),
        saved(torch.nn.Linear(2, 2)),
    ],
    ids=["pickle", "system", "in the state", "beside the state", "module"],
)
def test_nothing_is_run(tmp_path, monkeypatch, attack):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"^net\.pyth: is not a weights file that can be loaded safely"):
        convert.to_safetensors(attack, origin="net.pyth")
    assert not (tmp_path / "canary").exists()


def test_an_archive_of_code_is_refused_without_a_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to give this form up
        torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "code.pyth")
    with pytest.raises(WeightsError, match="can be loaded safely"):
        convert.to_safetensors((tmp_path / "code.pyth").read_bytes(), origin="code.pyth")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([torch.zeros(1)], "has no state dict"),
        (torch.zeros(1), "has no state dict"),
        ({}, "has no state dict"),
        ({"model_state": {}}, "has no state dict"),
        ({"model_state": [torch.zeros(1)]}, "has no state dict"),
        ({"weight": torch.zeros(1), "epoch": 3}, "contains something other than a plain tensor: 'epoch'"),
        ({"state_dict": make_state()}, "contains something other than a plain tensor: 'state_dict'"),
        ({1: torch.zeros(1)}, "contains something other than a plain tensor: '1'"),
        ({"weight": torch.eye(2).to_sparse()}, "contains something other than a plain tensor: 'weight'"),
        ({"weight": torch.empty(2, device="meta")}, "contains something other than a plain tensor: 'weight'"),
    ],
)
def test_anything_but_a_state_dict_is_refused(content, reason):
    with pytest.raises(WeightsError, match=reason) as caught:
        convert.to_safetensors(saved(content), origin="net.pyth")
    assert str(caught.value).startswith("net.pyth: ")
    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize(
    "data", [b"", b"<html>Please log in</html>", published_file()[:-40], published_file()[:100]], ids=range(4)
)
def test_damaged_bytes_are_refused(data):
    with pytest.raises(WeightsError, match="is not a weights file"):
        convert.to_safetensors(data, origin="net.pyth")


def test_a_safetensors_file_has_to_be_whole(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file(make_state(), path)
    convert.check_safetensors(path)
    good = path.read_bytes()
    for bad in (good[:-1], good + b"x", flip(good, 3), b""):
        path.write_bytes(bad)
        with pytest.raises(WeightsError, match=r"net\.safetensors: is not a whole safetensors file"):
            convert.check_safetensors(path)
    save_file({}, path)
    with pytest.raises(WeightsError, match="has no state dict"):
        convert.check_safetensors(path)
