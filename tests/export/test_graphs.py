"""The graph of every head gives the scores of that head, for any number of snippets and views."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from support.bags import D
from support.exported_models import cbcg, exported, trained
from support.feature_files import make_features
from support.int8_engine import int8_engine
from support.peer_heads import PEERS, small_head
from support.small_backbone import SMALL, small_network
from vadpipe.export.clip_shape import ClipShape
from vadpipe.export.graphs import BackboneGraph
from vadpipe.export.onnx_files import write_backbone
from vadpipe.export.openvino_files import convert, write_quantised
from vadpipe.exported.runtimes import open_graph
from vadpipe.extract.backbones.loading import ClipNetwork
from vadpipe.extract.backbones.registry import find_backbone
from vadpipe.extract.engines.openvino_engine import OpenVINOEngine, read_network
from vadpipe.head.ensemble import Ensemble
from vadpipe.weights import I3D_INT8

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (pip install 'vadpipe[onnx]')")
pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install 'vadpipe[cpu]')")

RUNTIMES = ("onnxruntime", "openvino")


def features(n_snippets, gaps=()):
    made = make_features(16 * n_snippets, feature_dim=D, crops=2, view="left,right", seed=n_snippets)
    made.values[n_snippets // 2 :, 1] += 2
    return replace(made, source=made.source.model_copy(update={"gaps": gaps}))


def assert_same_scores(head, graph, *lengths):
    for length in lengths:
        for given in (features(length), features(length).of_views(["right"])):
            np.testing.assert_allclose(graph.snippet_scores(given), head.snippet_scores(given), atol=2e-6)
            np.testing.assert_allclose(graph.view_scores(given), head.view_scores(given), atol=2e-6)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("join", ["mean", "max"])
@pytest.mark.parametrize("method", PEERS)
def test_published_methods(method, join, runtime, tmp_path):
    head = trained(small_head(method, view_join=join, smoothing=0.7 if join == "max" else 0.0))
    # OpenVINO takes seconds for each length that is new to it; 16 and more it once got wrong.
    lengths = (1, 7, 40, 300) if runtime == "onnxruntime" else (40,)
    assert_same_scores(head, exported(head, tmp_path, runtime), *lengths)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("method", ["ur-dmu", "bn-wvad"])
def test_attention_over_more_segments_than_are_computed_at_once(method, runtime, tmp_path):
    head = trained(small_head(method))
    assert_same_scores(head, exported(head, tmp_path, runtime), 1100)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"view_join": "mean"},
        {"smoothing": 0.0},
        {"guided": False},
        {"context": "pooled"},
        {"context": "both"},
        {"context": "both", "view_join": "mean", "segments": 5},
        {"context": "pooled", "view_join": "mean", "segments": 5},
    ],
    ids=str,
)
def test_cbcg(changes, runtime, tmp_path):
    head = trained(cbcg(**changes))
    lengths = (1, 2, 7, 33, 100) if runtime == "onnxruntime" else (1, 33)
    assert_same_scores(head, exported(head, tmp_path, runtime), *lengths)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("context", ["none", "pooled", "both"])
def test_ensembles(context, runtime, tmp_path):
    head = trained(Ensemble([cbcg(seed, context=context) for seed in range(3)]))
    assert_same_scores(head, exported(head, tmp_path, runtime), 7, 100)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize(
    "changes",
    [{}, {"context": "pooled"}, {"context": "both"}, {"window_weight": 0.8, "smoothing": 0.0}],
    ids=str,
)
def test_a_head_for_each_window(changes, n_members, runtime, tmp_path):
    members = [cbcg(seed, n_windows=2, **({"window_smoothing": 1.5} | changes)) for seed in range(n_members)]
    head = trained(members[0] if n_members == 1 else Ensemble(members))
    lengths = (1, 7, 100) if runtime == "onnxruntime" else (33,)
    assert_same_scores(head, exported(head, tmp_path, runtime), *lengths)


def test_the_control_without_clusters(tmp_path):
    from vadpipe.head.building import build_head
    from vadpipe.head.settings import HeadSettings

    torch.manual_seed(0)
    settings = HeadSettings(hidden=8, cluster_dim=4, clustering=False, second_head=True)
    head = trained(build_head(torch.zeros(D), torch.ones(D), settings))
    assert_same_scores(head, exported(head, tmp_path, "onnxruntime"), 1, 50)


@pytest.mark.parametrize(
    "changes",
    [{}, {"context": "pooled"}, {"context": "both"}, {"n_windows": 2, "window_smoothing": 6.0}],
    ids=str,
)
def test_long_videos_in_pieces_and_lost_snippets(changes, tmp_path):
    head = trained(cbcg(**changes))
    graph = exported(head, tmp_path, "onnxruntime")
    given = features(2100, gaps=((0, 17), (800, 801)))
    scores = graph.snippet_scores(given)
    assert np.isnan(scores).sum() == 3
    np.testing.assert_allclose(scores, head.snippet_scores(given), atol=2e-6)


@pytest.mark.parametrize(
    "changes", [{}, {"context": "pooled"}, {"n_windows": 2, "window_smoothing": 1.5}], ids=str
)
def test_other_features_in_a_snippets_place(changes, tmp_path):
    head = trained(cbcg(**changes))
    graph, given = exported(head, tmp_path, "onnxruntime"), features(60, gaps=((0, 1),))
    values = np.random.default_rng(0).normal(size=(3, 2, D)).astype(np.float32)
    for snippet in (1, 30, 59):
        found = graph.scores_if(given, snippet, values)
        np.testing.assert_allclose(found, head.scores_if(given, snippet, values), atol=2e-6)


def test_scores_of_0_and_1_stay_finite_and_spread_as_in_vadpipe(tmp_path):
    """A last bit below 1 is half a unit of log odds: where a sigmoid rounds otherwise, a score is another."""
    head = trained(cbcg())
    with torch.no_grad():
        head.network.classifier.layers[-1].weight.mul_(1e4)
        head.network.settings = head.network.settings.model_copy(update={"guided": False})
    given = features(50)
    expected = head.snippet_scores(given)
    assert expected.max() - expected.min() > 0.99
    for runtime in RUNTIMES:
        differences = np.abs(exported(head, tmp_path, runtime).snippet_scores(given) - expected)
        assert (differences < 2e-5).mean() > 0.9
        assert differences.max() < 0.1


@pytest.mark.parametrize("name", ["x3d_xs", pytest.param("i3d", marks=pytest.mark.slow)])
def test_backbones(name, tmp_path):
    record = find_backbone(name)
    torch.manual_seed(0)
    network = ClipNetwork(record, record.build()).eval().requires_grad_(False)
    for windowed, n_frames in [(False, record.clip_frames), *([(True, 48)] if record.maps else [])]:
        clip_shape = (n_frames, *(64 if windowed else record.input_px,) * 2)
        graph = BackboneGraph(network, windowed=windowed)
        write_backbone(graph, ClipShape((n_frames,), clip_shape[1], windowed), tmp_path / "backbone.onnx")
        convert(tmp_path / "backbone.onnx", tmp_path / "backbone.xml")
        clips = np.random.default_rng(0).integers(0, 256, (2, *clip_shape, 3), dtype=np.uint8)
        with torch.inference_mode():
            output = network(torch.from_numpy(clips)).numpy()
        expected = output.mean(axis=(2, 3)) if record.maps else output[:, None]
        expected = expected if windowed else expected.mean(axis=1, keepdims=True)
        assert expected.shape == (2, 6 if windowed else 1, record.feature_dim)
        for runtime, suffix in (("onnxruntime", ".onnx"), ("openvino", ".xml")):
            (found,) = open_graph(tmp_path / f"backbone{suffix}", runtime)(clips)
            assert np.linalg.norm(found - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["small", pytest.param("i3d", marks=pytest.mark.slow)])
def test_one_graph_of_a_backbone_takes_clips_of_several_lengths(name, tmp_path):
    network, side = small_network(SMALL if name == "small" else find_backbone(name)), 64
    graph = BackboneGraph(network, windowed=True)
    write_backbone(graph, ClipShape((16, 64), side, windowed=True), tmp_path / "backbone.onnx")
    convert(tmp_path / "backbone.onnx", tmp_path / "backbone.xml")
    run = open_graph(tmp_path / "backbone.onnx", "onnxruntime")
    for n_frames in (16, 64, 48, 256, 8):
        clips = np.random.default_rng(0).integers(0, 256, (1, n_frames, side, side, 3), dtype=np.uint8)
        with torch.inference_mode():
            expected = network(torch.from_numpy(clips)).mean(dim=(2, 3)).numpy()
        assert expected.shape[1] == n_frames // 8
        engine = OpenVINOEngine(read_network(tmp_path / "backbone.xml", clips.shape[1:4]), "float32")
        for found in (run(clips)[0], engine(clips)):
            assert found.shape == expected.shape
            assert np.linalg.norm(found - expected) < 1e-5 * np.linalg.norm(expected)


def test_the_int8_network_is_written_once_for_clips_of_several_lengths(tmp_path):
    write_quantised(I3D_INT8, ClipShape((16, 64), 64, windowed=True), tmp_path / "backbone.xml")
    for shape in ((16, 64, 64), (64, 64, 64)):
        clips = np.random.default_rng(0).integers(0, 256, (1, *shape, 3), dtype=np.uint8)
        expected = int8_engine(shape)(clips).mean(axis=(2, 3))
        found = OpenVINOEngine(read_network(tmp_path / "backbone.xml", shape), "int8")(clips)
        assert found.shape == expected.shape
        assert np.linalg.norm(found - expected) < 1e-5 * np.linalg.norm(expected)
