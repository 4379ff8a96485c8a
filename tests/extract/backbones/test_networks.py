"""The networks are the published ones, and weights load whole or not at all."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.video import R3D_18_Weights

from vadpipe.errors import UsageError, WeightsError
from vadpipe.extract.backbones.inception_i3d import InceptionI3D, _MaxPool, _Unit, same_padding
from vadpipe.extract.backbones.loading import ClipNetwork, load_network
from vadpipe.extract.backbones.registry import BACKBONES, find_backbone
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding

KINETICS_CLASSES = R3D_18_Weights.KINETICS400_V1.meta["categories"]
X3D_S = BACKBONES["x3d_s"]
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:torch.jit.*")


@pytest.mark.parametrize(
    ("clip", "action"),
    [
        ("arm_wrestling_mmaction2_demo.mp4", "arm wrestling"),
        pytest.param("v_ZNVhz7ctTq0.mp4", "walking the dog", marks=pytest.mark.slow),
        pytest.param("v_GGSY1Qvo990.mp4", "clean and jerk", marks=pytest.mark.slow),
    ],
)
def test_i3d_recognises_kinetics_actions(data, i3d_weights, clip, action):
    of_each = []
    for decoder in ("decord", "pyav"):
        job = DecodeJob(Size(256, square=False), decoder=decoder)
        with Decoding(data / "kinetics_check_clips" / clip, job) as decoding:
            of_each.append(np.stack([frame.pixels for frame in decoding.frames()]))
    frames, same = of_each
    np.testing.assert_array_equal(same, frames)
    start, top, left = (len(frames) - 64) // 2, (frames.shape[1] - 224) // 2, (frames.shape[2] - 224) // 2
    middle = frames[start : start + 64, top : top + 224, left : left + 224]
    network, _ = load_network(BACKBONES["i3d"])
    with torch.inference_mode():
        pixels = torch.from_numpy(middle).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
        logits = network.network.logits(pixels)[0]
    assert KINETICS_CLASSES[int(logits.argmax())] == action


def test_i3d_has_the_published_layers_and_width():
    network = InceptionI3D()
    # Convolutions of the published network plus one bias for each folded BatchNorm.
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv3d)]
    assert len(convolutions) == 58
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 16, 64, 64)).shape == (2, 1024)


@pytest.mark.parametrize("size", [7, 8, 13, 56, 57, 112, 224])
@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 2), (2, 2), (3, 1), (1, 1)])
def test_same_padding_follows_its_definition(size, kernel, stride):
    before, after = same_padding(size, kernel, stride)
    assert (size + before + after - kernel) // stride + 1 == -(-size // stride)
    assert after - before in (0, 1)
    if before + after:  # no more than is needed
        assert (size + before + after - 1 - kernel) // stride + 1 < -(-size // stride)


def test_strided_convolution_pads_more_at_the_end():
    unit = _Unit(1, 1, 7, stride=2)
    nn.init.constant_(unit.weight, 1.0)
    nn.init.zeros_(unit.bias)
    x = torch.rand(1, 1, 8, 8, 8)
    expected = F.conv3d(F.pad(x, (2, 3) * 3), unit.weight, stride=2)
    torch.testing.assert_close(unit(x), expected)
    pool = _MaxPool((1, 3, 3), (1, 2, 2))
    torch.testing.assert_close(pool(x), F.max_pool3d(F.pad(x, (0, 1, 0, 1)), (1, 3, 3), (1, 2, 2)))


def stock(name):
    """The network as pytorchvideo makes it for its published weights."""
    from pytorchvideo.models import hub

    torch.manual_seed(1)
    return getattr(hub, name)(pretrained=False).eval()


STOCK_CLIPS = {  # (frames, side) for which the heads as published can pool
    "x3d_xs": (4, 160),
    "x3d_s": (13, 160),
    "x3d_m": (16, 224),
    "i3d_r50": (8, 224),
    "slow_r50": (8, 224),
    "r2plus1d_r50": (16, 224),
}


@pytest.mark.parametrize("name", STOCK_CLIPS)
def test_features_are_what_the_stock_network_shows_its_projection(name):
    frames, side = STOCK_CLIPS[name]
    network = stock(name)
    ours = find_backbone(name).build().eval()
    ours.load_state_dict(network.state_dict())  # strict: the published keys, all of them
    seen = []
    network.blocks[-1].proj.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x = torch.randn(1, 3, frames, side, side)
    with torch.inference_mode():
        network(x)
        expected = seen[0].flatten()
        torch.testing.assert_close(ours(x)[0], expected, rtol=1e-4, atol=1e-5)


def test_x3d_l_has_the_published_keys_and_shapes():
    wanted, ours = stock("x3d_l").state_dict(), find_backbone("x3d_l").build().state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: v.shape for key, v in wanted.items()}


@pytest.mark.parametrize("name", ["x3d_xs", "i3d_r50", "slow_r50", "r2plus1d_r50"])
def test_networks_take_sizes_at_which_the_stock_heads_fail(name):
    with torch.inference_mode():
        network = find_backbone(name).build().eval()
        assert network(torch.zeros(2, 3, 8, 96, 128)).shape == (2, 2048)


def test_pixels_are_normalised_inside_the_network(x3d_weights):
    network, digest = load_network(X3D_S, weights=x3d_weights)
    assert len(digest) == 64
    clip = np.random.default_rng(0).integers(0, 256, (1, 16, 64, 64, 3), dtype=np.uint8)
    pixels = torch.from_numpy(clip).permute(0, 4, 1, 2, 3)
    with torch.inference_mode():
        expected = network.network((pixels / 255 - 0.45) / 0.225)
        torch.testing.assert_close(network(torch.from_numpy(clip)), expected, rtol=1e-4, atol=1e-5)


def damaged(path, change):
    content = torch.load(path, weights_only=True)
    change(content["model_state"])
    torch.save(content, path.with_name("damaged.pyth"))
    return path.with_name("damaged.pyth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("blocks.5.proj.bias"), "1 missing, 0 unknown and 0 misshapen.*blocks.5.proj.bias"),
        (lambda s: s.update(extra=torch.zeros(1)), "0 missing, 1 unknown and 0 misshapen.*extra"),
        (lambda s: s.update({"blocks.5.proj.bias": torch.zeros(3)}), "0 missing, 0 unknown and 1 misshapen"),
    ],
)
def test_weights_that_do_not_fit_are_refused(x3d_weights, change, message):
    with pytest.raises(WeightsError, match=message) as caught:
        load_network(X3D_S, weights=damaged(x3d_weights, change))
    assert "published for x3d_s" in caught.value.next_step


class RunsAtLoad:
    def __reduce__(self):
        return (open, ("canary", "w"))


def test_weights_that_would_run_code_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pyth").write_bytes(pickle.dumps({"model_state": RunsAtLoad()}))
    torch.save({"model_state": RunsAtLoad()}, tmp_path / "worse.pyth")
    for name in ("bad.pyth", "worse.pyth"):
        with pytest.raises(WeightsError, match="loaded safely"):
            load_network(X3D_S, weights=tmp_path / name)
    assert not (tmp_path / "canary").exists()


def test_unknown_names_come_with_the_known_ones():
    with pytest.raises(UsageError, match="unknown backbone 'i4d'\nChoose one of: i3d, x3d_xs, x3d_s"):
        find_backbone("i4d")


def test_weights_that_were_never_fetched_are_named_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="x3d_s-kinetics-400(.|\n)*--weights FILE"):
        load_network(X3D_S, offline=True)


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=BACKBONES)
def test_records_are_complete_and_true(backbone):
    assert backbone.resize_px >= backbone.input_px
    assert "arXiv" in backbone.paper
    assert 16 % backbone.clip_frames == 0  # evenly chosen
    if backbone.feature_dim == 2048 and backbone.input_px <= 256:
        clip = torch.zeros(1, backbone.clip_frames, backbone.input_px // 2, backbone.input_px // 2, 3).byte()
        network = ClipNetwork(backbone, backbone.build()).eval()
        with torch.inference_mode():
            assert network(clip).shape == (1, backbone.feature_dim)
