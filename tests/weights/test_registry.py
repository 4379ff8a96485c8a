"""The registry says what pytorchvideo itself says, and a file with its keys and shapes goes all the way."""

import importlib

import pytest
import torch
from safetensors.torch import load_file

from support.weights_files import saved
from support.weights_server import Server
from vadpipe.errors import UsageError
from vadpipe.weights import cache
from vadpipe.weights.registry import I3D_KINETICS, WEIGHTS, X3D_XS, UrlWeights, find_weights

# pytorchvideo imports fvcore, which compiles a function at import.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")

HUB = {
    "x3d": ["x3d_xs", "x3d_s", "x3d_m", "x3d_l"],
    "resnet": ["i3d_r50", "slow_r50"],
    "r2plus1d": ["r2plus1d_r50"],
}


@pytest.mark.parametrize(("module", "names"), HUB.items())
def test_the_addresses_are_those_of_pytorchvideo(module, names):
    paths = importlib.import_module(f"pytorchvideo.models.hub.{module}").checkpoint_paths
    for name in names:
        record = find_weights(f"{name}-kinetics-400")
        assert record.url == paths[name]
        assert record.url.endswith(f"/{record.file_name}")


def test_every_name_is_that_of_its_record():
    assert all(record.name == name for name, record in WEIGHTS.items())
    assert WEIGHTS["i3d-kinetics-400"] is I3D_KINETICS
    assert len(WEIGHTS) == 1 + sum(map(len, HUB.values()))
    by_url = [record for record in WEIGHTS.values() if isinstance(record, UrlWeights)]
    assert len({record.file_name for record in by_url}) == len(by_url)  # each has its own place in the cache
    with pytest.raises(UsageError, match="unknown weights 'x3d'\nChoose one of: i3d-kinetics-400, x3d_xs"):
        find_weights("x3d")


def build_x3d_xs():
    from pytorchvideo.models.x3d import create_x3d

    return create_x3d(input_clip_length=4, input_crop_size=160)  # as pytorchvideo.models.hub.x3d has it


def test_the_published_keys_and_shapes_come_through(tmp_path, monkeypatch):
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = build_x3d_xs().state_dict()
    with Server(saved({"model_state": state, "epoch": 300})) as server:
        record = server.record(name=X3D_XS.name, file_name=X3D_XS.file_name)
        loaded = load_file(cache.ready(record).path)
    assert loaded.keys() == state.keys()
    for name, value in state.items():
        assert loaded[name].dtype == value.dtype
        assert torch.equal(loaded[name], value), name
    build_x3d_xs().load_state_dict(loaded, strict=True)
