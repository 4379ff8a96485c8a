"""The networks are the published ones, and weights load whole or not at all."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.video import R3D_18_Weights
from vadpipe.extract.backbone import BACKBONES, find_backbone
from vadpipe.extract.frames import decord_frames
from vadpipe.extract.inception_i3d import InceptionI3D, _MaxPool, _Unit, same_padding
from vadpipe.extract.network import load_backbone
from vadpipe.extract.timeline import read_timeline

from vadpipe.errors import UsageError, WeightsError

KINETICS_CLASSES = R3D_18_Weights.KINETICS400_V1.meta["categories"]


@pytest.mark.parametrize(
    ("clip", "action"),
    [
        ("arm_wrestling_mmaction2_demo.mp4", "arm wrestling"),
        ("v_ZNVhz7ctTq0.mp4", "walking the dog"),
        ("v_GGSY1Qvo990.mp4", "clean and jerk"),
    ],
)
def test_i3d_recognises_kinetics_actions(data, i3d_weights, clip, action):
    path = data / "kinetics_check_clips" / clip
    timeline = read_timeline(path)
    frames = np.stack([f.pixels for f in decord_frames(path, timeline, timeline.scaled_to(256))])
    start, top, left = (len(frames) - 64) // 2, (frames.shape[1] - 224) // 2, (frames.shape[2] - 224) // 2
    middle = frames[start : start + 64, top : top + 224, left : left + 224]
    network = load_backbone("i3d")._network
    with torch.inference_mode():
        pixels = torch.from_numpy(middle).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
        logits = network.logits(pixels)[0]
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


def test_x3d_has_the_published_keys_and_gives_the_stock_network_its_features(x3d_weights):
    from pytorchvideo.models.x3d import create_x3d

    stock = create_x3d(input_clip_length=16, input_crop_size=182, depth_factor=2.2).eval()
    stock.load_state_dict(torch.load(x3d_weights, weights_only=True)["model_state"])
    stock.blocks[-1].dropout = stock.blocks[-1].proj = nn.Identity()
    stock.blocks[-1].activation = None
    loaded = load_backbone("x3d_s", weights=x3d_weights)
    snippet = np.random.default_rng(0).integers(0, 256, (16, 182, 182, 3), dtype=np.uint8)
    pixels = torch.from_numpy(snippet).permute(3, 0, 1, 2)[None].float()
    with torch.inference_mode():
        pool = stock.blocks[-1].pool
        x = (pixels / 255 - 0.45) / 0.225
        for block in stock.blocks[:-1]:
            x = block(x)
        expected = pool(x).flatten(1)
    np.testing.assert_allclose(loaded(snippet), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_the_centre_view_cuts_the_middle_square(x3d_weights):
    loaded = load_backbone("x3d_s", view="centre", weights=x3d_weights)
    wide = np.random.default_rng(0).integers(0, 256, (16, 182, 322, 3), dtype=np.uint8)
    np.testing.assert_array_equal(loaded(wide), loaded(wide[:, :, 70 : 70 + 182]))


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
    with pytest.raises(WeightsError, match=message):
        load_backbone("x3d_s", weights=damaged(x3d_weights, change))


class RunsAtLoad:
    def __reduce__(self):
        return (open, ("canary", "w"))


def test_weights_that_would_run_code_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pyth").write_bytes(pickle.dumps({"model_state": RunsAtLoad()}))
    torch.save({"model_state": RunsAtLoad()}, tmp_path / "worse.pyth")
    for name in ("bad.pyth", "worse.pyth"):
        with pytest.raises(WeightsError, match="cannot be loaded safely|can be loaded safely"):
            load_backbone("x3d_s", weights=tmp_path / name)
    assert not (tmp_path / "canary").exists()


def test_unknown_names_and_missing_weights_come_with_the_way_out():
    with pytest.raises(UsageError, match="there is no backbone 'i4d'\nChoose one of: i3d, x3d_s"):
        find_backbone("i4d")
    with pytest.raises(UsageError, match="there is no view 'corner'"):
        load_backbone(view="corner")
    with pytest.raises(WeightsError, match="x3d_s has no weights.*\n.*--weights FILE"):
        load_backbone("x3d_s")


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=BACKBONES)
def test_records_are_complete(backbone):
    assert backbone.resize_px >= backbone.input_px
    assert "arXiv" in backbone.paper
    recipe = backbone.recipe(view="centre", weights_sha256="a" * 64, decoder="", engine="")
    assert (recipe.feature_dim, recipe.resize_px) == (backbone.feature_dim, backbone.resize_px)
