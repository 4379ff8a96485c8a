"""I3D in int8, which vadpipe brings: close to float32, without a download, the same on every processor."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import vadpipe
from support.int8_engine import int8_engine
from support.videos import write_video
from vadpipe.errors import UsageError, WeightsError
from vadpipe.extract.backbones.loading import load_network
from vadpipe.extract.backbones.registry import BACKBONES
from vadpipe.extract.engines.engine import build_engine, choose_precision
from vadpipe.extract.engines.overlap import run_engine
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.pooling import positions
from vadpipe.extract.settings import ExtractSettings
from vadpipe.features.file import Features
from vadpipe.weights import I3D_INT8

pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install 'vadpipe[cpu]')")
CPU = torch.device("cpu")
REAL = "intel_sample_videos/bottle-detection.mp4"


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A machine on which nothing was ever fetched, without a network."""
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VADPIPE_OFFLINE", "1")


def moving(n_frames, height, width):
    """A bright square that crosses noise, (T, H, W, 3)."""
    frames = np.random.default_rng(0).integers(0, 80, (n_frames, height, width, 3), dtype=np.uint8)
    for number, frame in enumerate(frames):
        frame[40:120, 2 * number : 2 * number + 80] = (230, 180, 60)
    return frames


def cosines(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def test_a_clip_gives_nearly_the_features_of_float32(i3d_weights):
    clip = moving(16, 224, 224)
    network, _ = load_network(BACKBONES["i3d"])
    with torch.inference_mode():
        exact = network(torch.from_numpy(clip[None])).numpy()[0]
    (rounded,) = run_engine(int8_engine(clip.shape[:3]), [clip])
    assert cosines(positions(exact), positions(rounded)).min() > 0.985


@pytest.mark.slow
def test_real_footage_gives_nearly_the_features_of_float32(data, i3d_weights, tmp_path):
    """0.9908 to 0.9948 over 40 clips by examples/quantise_i3d.py."""
    of_each = []
    for precision in ("float32", "int8"):
        settings = ExtractSettings(
            precision=precision, engine="openvino", view="whole", window=16, target_fps="all", stride=400
        )
        extractor = Extractor(settings)
        path = extractor(data / REAL, tmp_path / precision)
        features = Features.load(path)
        assert f" {precision} on cpu" in features.recipe.engine
        of_each.append(features.values[:, 0])
    exact, rounded = of_each
    assert len(exact) >= 3
    assert cosines(exact, rounded).min() > 0.985


def test_a_clip_is_scored_on_a_machine_that_never_fetched_anything(empty_cache, tmp_path):
    clip = write_video(tmp_path / "a.mp4", 20)
    curve = vadpipe.Scorer(precision="int8").score(clip)
    assert len(curve.scores) == 20
    assert np.isfinite(curve.scores).all()


def test_one_head_scores_features_of_both_precisions(tmp_path):
    made, settings = "openvino 2026.4 int8 on cpu", ExtractSettings()
    recipe = settings.recipe(weights_sha256="a" * 64, decoder="decord2", engine=made)
    other = settings.recipe(weights_sha256="a" * 64, decoder="decord2", engine="torch float16 on GPU")
    assert not recipe.differences(other)
    assert not settings.differences(recipe, "a" * 64)
    asked = ExtractSettings(precision="float32").differences(recipe, "a" * 64)
    assert asked == [f"precision: float32 / {made}"]
    assert not ExtractSettings(precision="int8").differences(recipe, "a" * 64)


@pytest.mark.parametrize("shape", [(16, 224, 224), (64, 128, 224), (48, 224, 128)])
def test_any_length_that_8_divides_and_sides_that_32_divides(shape):
    (maps,) = run_engine(int8_engine(shape), [moving(*shape)])
    assert maps.shape == (shape[0] // 8, shape[1] // 32, shape[2] // 32, 1024)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() > 0.1


def test_processors_with_other_instructions_compute_the_same(tmp_path):
    """Where weights took their whole range, the sums of products could overflow in some of them."""
    np.save(tmp_path / "clip.npy", moving(16, 224, 224))
    code = (
        "import sys, numpy as np\n"
        "from support.int8_engine import int8_engine\n"
        "from vadpipe.extract.engines.overlap import run_engine\n"
        "(maps,) = run_engine(int8_engine((16, 224, 224)), [np.load(sys.argv[1])])\n"
        "np.save(sys.argv[2], maps)\n"
    )
    found = []
    for instructions in ("ALL", "AVX2"):
        to = tmp_path / f"{instructions}.npy"
        path = os.pathsep.join(filter(None, sys.path))
        environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": instructions, "PYTHONPATH": path}
        subprocess.run([sys.executable, "-c", code, tmp_path / "clip.npy", to], env=environment, check=True)
        found.append(np.load(to))
    np.testing.assert_allclose(*found, atol=1e-5 * found[0].max())


@pytest.mark.parametrize(
    ("engine", "quantised", "message"),
    [
        ("torch", I3D_INT8, "the engine torch does not compute in int8\nUse --engine openvino"),
        ("openvino", None, "no int8 version of these weights is available\nUse --precision float32"),
    ],
)
def test_int8_that_cannot_be_had_is_refused(engine, quantised, message):
    with pytest.raises(UsageError, match=message):
        choose_precision("int8", engine, quantised)
    assert choose_precision("auto", engine, quantised) == "float32"


def test_weights_that_are_named_are_not_those_that_were_quantised(tmp_path):
    with pytest.raises(UsageError, match="no int8 version of these weights is available"):
        Extractor(ExtractSettings(precision="int8", engine="openvino", weights=tmp_path / "mine")).engine  # noqa: B018


def test_a_damaged_installation_is_told_of(tmp_path):
    (tmp_path / "half.xml").write_bytes(I3D_INT8.read_bytes()[:2000])
    with pytest.raises(WeightsError, match="OpenVINO cannot read the quantised backbone\nReinstall vadpipe"):
        build_engine("openvino", None, (16, 64, 64), CPU, key="unused", quantised=tmp_path / "half.xml")


def test_a_precision_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="unknown precision 'int4'\nChoose one of: auto, float32, int8"):
        ExtractSettings(precision="int4")


def test_the_quantised_network_is_small():
    files = [I3D_INT8, I3D_INT8.with_suffix(".bin"), I3D_INT8.with_suffix(".md")]
    assert all(file.is_file() for file in files)
    assert sum(file.stat().st_size for file in files) < 13_500_000
    assert BACKBONES["i3d"].quantised == I3D_INT8
