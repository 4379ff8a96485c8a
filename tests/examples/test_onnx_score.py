"""examples/onnx_score.py cuts, crops and spreads as vadpipe does, for every recipe."""

import importlib.util
import json

import numpy as np
import pytest
from PIL import Image

import vadpipe
from support.environment import ROOT
from support.head_settings import QUICK
from support.small_backbone import fit_small_head, small_registered
from support.videos import write_video
from vadpipe.extract.view_crops import ViewCropper
from vadpipe.features.sampling import Sampling
from vadpipe.features.views import VIEWS
from vadpipe.features.windows import Windows

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (pip install 'vadpipe[onnx]')")


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("onnx_score", ROOT / "examples/onnx_score.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("size", [(120, 160), (160, 120), (100, 250), (97, 96)])
def test_views(example, size):
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for view, expected in zip(VIEWS, ViewCropper(VIEWS, 96)(frame), strict=True):
        found = example.crop(frame, view, 96).astype(int)
        assert np.abs(found - expected).max() <= 1, view


def test_scaling_is_pillows(example):
    picture = np.random.default_rng(0).integers(0, 256, (61, 90, 3), dtype=np.uint8)
    for height, width in ((30, 40), (70, 100)):
        expected = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))
        assert np.abs(example.resize(picture, height, width).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("n_frames", [1, 5, 16, 17, 40, 163])
@pytest.mark.parametrize(
    "recipe",
    [{"target_fps": None, "fps": None}, {"target_fps": 12.5, "fps": None}, {"target_fps": None, "fps": 10.0}],
    ids=str,
)
def test_samples(example, recipe, n_frames):
    times_s = np.arange(n_frames) / 25
    sampling = Sampling(8, recipe["fps"], target_fps=recipe["target_fps"])
    samples, begins = example.sample(recipe, times_s)
    np.testing.assert_array_equal(samples, sampling.samples(times_s, n_frames / 25))
    assert len(begins) == len(samples) + 1
    assert begins[-1] == n_frames


@pytest.mark.parametrize("windows", [(48,), (16, 64)], ids=str)
@pytest.mark.parametrize("n_samples", [1, 5, 16, 48, 49, 100, 131])
def test_features_of_windows_are_shared_out_as_in_vadpipe(example, n_samples, windows):
    """A backbone whose features are the sums of the pixels of each 8 frames."""

    class Backbone:
        def run(self, _, inputs):
            frames = inputs["frames"][0].astype(np.float32)
            return [frames.reshape(len(frames) // 8, -1).mean(axis=1)[None, :, None]]

    frames = np.random.default_rng(0).integers(0, 256, (n_samples, 8, 8, 3), dtype=np.uint8)
    snippets = Sampling(8).snippets(n_samples)
    expected = np.zeros((len(snippets), len(windows)))
    for place, window in enumerate(windows):
        if window == 16:
            shown = Sampling(8).clips(np.arange(n_samples) / 25, n_samples / 25)
            expected[:, place] = frames[shown].mean(axis=(1, 2, 3, 4))
            continue
        over = Windows(n_samples, window)
        for index, numbers in enumerate(over.samples()):
            (output,) = Backbone().run(None, {"frames": frames[numbers][None]})
            expected[:, place] += (over.shares(index, window // 8, snippets) @ output[0])[:, 0]
    recipe = {"window_frames": windows if windows[1:] else windows[0], "clip_frames": 16, "input_px": 8}
    found = example.features(Backbone(), recipe, ["whole"], frames, np.arange(n_samples), snippets[:, 0])
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)


def test_frames_of_an_array_and_several_views(example, x3d_weights, tmp_path, monkeypatch, capsys):
    for kind, size in (("normal", (160, 120)), ("fight", (160, 120))):
        write_video(tmp_path / f"videos/{kind}/a.mp4", 40, size=size)
    settings = vadpipe.ExtractSettings(
        backbone="x3d_xs", weights=x3d_weights, view="left,right,right-flip", stride=16, target_fps=12.5
    )
    vadpipe.extract_features([tmp_path / "videos"], tmp_path / "features", settings=settings)
    head = vadpipe.fit(tmp_path / "features", output=tmp_path / "head", settings=QUICK).head
    vadpipe.export_model(head, tmp_path / "model", weights=x3d_weights)
    clip = write_video(tmp_path / "clip.mp4", 75)
    side = json.loads((tmp_path / "model/card.json").read_text())["decoding"]["side_px"]
    size_of = lambda width, height: (round(width * side / height / 2) * 2, side)  # noqa: E731
    np.save(tmp_path / "frames.npy", np.stack(example.decode(str(clip), "pyav", 25, size_of)[0]))
    expected = vadpipe.score(clip, head=head, weights=x3d_weights, precision="float32").scores
    for source in (clip, tmp_path / "frames.npy"):
        monkeypatch.setattr("sys.argv", ["onnx_score.py", str(tmp_path / "model"), str(source)])
        example.main()
        rows = capsys.readouterr().out.splitlines()
        assert rows[0] == "frame,time_s,score"
        found = [float(row.split(",")[2]) for row in rows[1:]]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_several_windows(example, tmp_path, monkeypatch, capsys):
    with small_registered():
        head, weights = fit_small_head(tmp_path)
        vadpipe.export_model(head, tmp_path / "model", weights=weights)
        scorer = vadpipe.Scorer(head, weights=weights, precision="float32")
        for n_frames in (12, 150):
            clip = write_video(tmp_path / "clip.mp4", n_frames)
            expected = scorer.score(clip).scores
            monkeypatch.setattr("sys.argv", ["onnx_score.py", str(tmp_path / "model"), str(clip)])
            example.main()
            found = [float(row.split(",")[2]) for row in capsys.readouterr().out.splitlines()[1:]]
            np.testing.assert_allclose(found, expected, atol=1e-4)
