"""A model of a backbone that shows each snippet by itself and in a longer window."""

import json

import numpy as np
import pytest

import vadpipe
from support.small_backbone import FEATURE_DIM, fit_small_head, small_registered
from support.videos import write_video

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (pip install 'vadpipe[onnx]')")
pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install 'vadpipe[cpu]')")


@pytest.fixture(scope="module")
def windows_model(tmp_path_factory):
    """A model, and what scores with the head and the backbone that it was made of."""
    folder = tmp_path_factory.mktemp("windows")
    with small_registered():
        head, weights = fit_small_head(folder, smoothing=0.7, window_smoothing=1.5)
        model = vadpipe.export_model(head, folder / "model", weights=weights)
        yield model, vadpipe.Scorer(head, weights=weights, engine="torch")


def test_the_backbone_is_written_once_for_clips_of_any_length(windows_model):
    model, _ = windows_model
    names = {path.name for path in model.folder.iterdir()}
    graphs = {f"{stem}{suffix}" for stem in ("backbone", "head") for suffix in (".onnx", ".xml", ".bin")}
    assert names == graphs | {"card.json", "parity.json"}
    assert model.parity.worst.score_error < 1e-5
    assert max(one.feature_error or 0 for one in model.parity.agreements) < 1e-5


def test_the_card_says_what_clips_the_graph_takes(windows_model):
    model, _ = windows_model
    card = json.loads((model.folder / "card.json").read_text())
    assert card["backbone"]["input"] == {"frames": ["clips", "frames", 32, 32, 3]}
    assert card["backbone"]["outputs"] == {"features": ["clips", "positions", FEATURE_DIM]}
    assert card["head"]["input"] == {"features": ["snippets", "views", 2 * FEATURE_DIM]}
    assert [part["frames"] for part in card["windows"]] == [16, 64]
    assert "mean of the positions" in card["windows"][0]["how"]
    assert card["record"]["recipe"]["window_frames"] == [16, 64]
    assert card["cut"]["reach_snippets"] == 1 + 6 + 3  # the network, 4 times 1.5 and 4 times 0.7


@pytest.mark.parametrize("n_frames", [10, 61, 200])
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_score_gives_the_same_curve(engine, n_frames, windows_model, tmp_path):
    model, scorer = windows_model
    clip = write_video(tmp_path / "a.mp4", n_frames)
    curve = vadpipe.score(clip, head=model.folder, engine=engine)
    np.testing.assert_allclose(curve.scores, scorer.score(clip).scores, atol=1e-5)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_explains_as_the_head_does(engine, windows_model, tmp_path):
    model, scorer = windows_model
    clip = write_video(tmp_path / "a.mp4", 80)
    _, reasons = scorer.explain(clip, threshold=0.0)
    _, others = vadpipe.Scorer(model.folder, engine=engine).explain(clip, threshold=0.0)
    assert np.abs(reasons[0].heat).max() > 1e-4
    np.testing.assert_allclose(others[0].heat, reasons[0].heat, atol=1e-5)
