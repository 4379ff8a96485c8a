"""Exported models from strangers: nothing outside their folder is read, and absurd cards are refused."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import vadpipe
from support.bags import D
from support.exported_models import cbcg, exported, trained
from support.feature_files import make_features
from support.file_access import watched_file
from support.refusals import refusals
from support.videos import write_video
from vadpipe.errors import FeatureError
from vadpipe.exported import runtimes
from vadpipe.exported.card import read_card

LIMIT_MB = 100


@pytest.fixture
def model(x3d_model, tmp_path):
    """A copy of an exported model."""
    return shutil.copytree(x3d_model.folder, tmp_path / "model")


def plus_external(location):
    """Return a graph that adds numbers from another file to its input."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return plus(tensor)


def plus(tensor):
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [tensor])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("location", ["../canary", "canary", "link", "inner/../../canary"])
def test_numbers_outside_the_folder_are_never_read(tmp_path, location):
    folder = tmp_path / "model"
    folder.mkdir()
    canary = tmp_path / "canary"
    canary.write_bytes(np.full(4, 7, np.float32).tobytes())
    (folder / "link").symlink_to(canary)
    onnx.save(plus_external(str(canary) if location == "canary" else location), folder / "head.onnx")
    with watched_file(canary) as opened:
        with pytest.raises(FeatureError) as caught:
            runtimes.open_graph(folder / "head.onnx", "onnxruntime")
        assert not opened()
    assert str(caught.value) == (
        f"{folder / 'head.onnx'}: refers to numbers in another file, which is never opened\n"
        "Export the model again with 'vadpipe export'."
    )


def test_the_same_graph_reads_numbers_that_lie_beside_it(tmp_path, monkeypatch):
    """What is refused above works where it is not looked for, and where the numbers are in the graph itself."""
    numbers = np.full(4, 7, np.float32)
    (tmp_path / "beside").write_bytes(numbers.tobytes())
    onnx.save(plus(onnx.numpy_helper.from_array(numbers, "w")), tmp_path / "plain.onnx")
    onnx.save(plus_external("beside"), tmp_path / "head.onnx")
    (plain,) = runtimes.open_graph(tmp_path / "plain.onnx", "onnxruntime")(np.zeros(4, np.float32))
    np.testing.assert_array_equal(plain, numbers)
    monkeypatch.setattr(runtimes, "_check_self_contained", lambda file: None)
    (beside,) = runtimes.open_graph(tmp_path / "head.onnx", "onnxruntime")(np.zeros(4, np.float32))
    np.testing.assert_array_equal(beside, numbers)


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        ("onnxruntime", r"head\.onnx: cannot be computed by onnxruntime [\d.]+\nExport the model again"),
        ("openvino", r"a\.mp4: gets no scores from this exported head, which is damaged\nExport it again"),
    ],
)
def test_a_graph_that_does_not_fit_its_record(tmp_path, runtime, message):
    """OpenVINO answers with no numbers at all."""
    head = exported(trained(cbcg()), tmp_path, runtime)
    features = make_features(n_frames=48, view="left,right", crops=2, feature_dim=D + 1)
    head = replace(head, record=head.record.model_copy(update={"recipe": features.recipe}))
    with pytest.raises(FeatureError, match=message):
        head.snippet_scores(features)


@pytest.mark.parametrize(
    "outputs",
    [
        [],
        [np.zeros(2, np.float32)],
        [np.zeros((3, 1), np.float32)],
        [np.full(3, np.nan, np.float32)],
        [np.full(3, np.inf, np.float32)],
    ],
)
def test_what_are_no_scores_is_not_taken_for_scores(tmp_path, outputs):
    features = make_features(n_frames=48, view="left,right", crops=2, feature_dim=8)
    head = exported(trained(cbcg()), tmp_path, "onnxruntime")
    record = head.record.model_copy(update={"recipe": features.recipe})
    head = replace(head, record=record, graph=lambda values: outputs)
    assert len(features.lost) == 3
    with pytest.raises(
        FeatureError, match="gets no scores from this exported head, which is damaged\nExport it"
    ):
        head.snippet_scores(features)


CLAIMS = {
    "an axis of 10^9": {"head": {"input": {"x": [10**9, 1, 8]}, "dtype": "float32", "outputs": {"y": ["t"]}}},
    "a million axes": {"head": {"input": {"x": [1] * 10**6}, "dtype": "float32", "outputs": {"y": ["t"]}}},
    "frames of 10^9 px": {"decoding": {"side_px": 10**9, "square": True}},
    "a reach of 10^9": {"cut": {"reach_snippets": 10**9, "bag_segments": None, "how": ""}},
    "a bag of 10^30": {"cut": {"reach_snippets": None, "bag_segments": 10**30, "how": ""}},
    "a threshold that is no number": {"threshold": float("nan")},
    "a threshold without end": {"threshold": float("inf")},
    "100,000 windows": {"windows": [{"frames": 16, "how": ""}] * 10**5},
    "a window of 10^9": {"windows": [{"frames": 10**9, "how": ""}]},
    "many names": {str(number): 0 for number in range(100_000)},
}


def test_absurd_cards_are_refused_in_little_memory(model, tmp_path):
    card = json.loads((model / "card.json").read_text())
    texts = {"good": json.dumps(card)}
    texts |= {what: json.dumps(card | changes) for what, changes in CLAIMS.items()}
    texts["settings"] = json.dumps(card | {"record": card["record"] | {"settings": {"hidden": 10**9}}})
    texts["lists in lists"] = "[" * 10**6
    texts["empty lists"] = f"[{'[], ' * 3 * 10**6}0]"
    texts["a card of 20 MB"] = json.dumps(card) + " " * 20_000_000
    folders = {}
    for number, (what, text) in enumerate(texts.items()):
        folders[what] = tmp_path / str(number)
        folders[what].mkdir()
        (folders[what] / "card.json").write_text(text)
    (said, usual_mb), *told = refusals(
        "from pathlib import Path; from vadpipe.exported.card import read_card",
        "read_card(Path(path))",
        folders.values(),
    )
    assert said is None
    for (what, folder), (said, mb) in zip([*folders.items()][1:], told, strict=True):
        assert said is not None, what
        assert said.startswith(f"{folder / 'card.json'}: is not the card of an exported model"), what
        assert mb < usual_mb + LIMIT_MB, what


def test_a_card_leads_to_no_file_but_its_graphs(model, tmp_path):
    """Whatever files it names, the names of those that are opened are fixed."""
    outside = tmp_path / "head.onnx"
    outside.write_bytes((model / "head.onnx").read_bytes())
    card = json.loads((model / "card.json").read_text())
    card["files"] = {"../head.onnx": hashlib.sha256(outside.read_bytes()).hexdigest()}
    (model / "card.json").write_text(json.dumps(card))
    with watched_file(outside) as opened:
        with pytest.raises(FeatureError, match=r"contains no head\.onnx"):
            vadpipe.Scorer(model, engine="onnxruntime")
        assert not opened()


def test_cards_that_vadpipe_writes_are_read(model):
    assert read_card(Path(model)).view_join in ("max", "mean")


BACKBONES = {
    "none": {"backbone": None},
    "no input": {"backbone": {"input": {}, "dtype": "uint8", "outputs": {"y": ["t"]}}},
    "an input of two axes": {"backbone": {"input": {"x": [1, 2]}, "dtype": "uint8", "outputs": {"y": ["t"]}}},
    "clips of another size": {
        "backbone": {"input": {"x": [1, 2**20, 2**20, 2**20, 3]}, "dtype": "uint8", "outputs": {"y": ["t"]}}
    },
    "no windows": {"windows": []},
    "other windows": {"windows": [{"frames": 5, "how": ""}, {"frames": 7, "how": ""}]},
}


@pytest.mark.parametrize("what", BACKBONES)
def test_what_a_card_says_of_a_backbone_is_not_relied_on(model, tmp_path, what):
    """It tells people of the graph; videos are decoded for the recipe."""
    video = write_video(tmp_path / "a.mp4", 20, size=(64, 64))
    expected = vadpipe.Scorer(model, engine="openvino").score(video).scores
    card = json.loads((model / "card.json").read_text())
    (model / "card.json").write_text(json.dumps(card | BACKBONES[what]))
    np.testing.assert_array_equal(vadpipe.Scorer(model, engine="openvino").score(video).scores, expected)


def replaced(model, stem, suffix, content):
    """Replace a graph, and its digest in the card."""
    (model / f"{stem}{suffix}").write_bytes(content)
    card = json.loads((model / "card.json").read_text())
    card["files"][f"{stem}{suffix}"] = hashlib.sha256(content).hexdigest()
    (model / "card.json").write_text(json.dumps(card))


@pytest.mark.parametrize("stem", ["head", "backbone"])
def test_an_empty_graph(model, tmp_path, stem):
    replaced(model, stem, ".onnx", b"")
    with pytest.raises(FeatureError, match=rf"{stem}\.onnx: cannot be read by onnxruntime"):
        vadpipe.Scorer(model, engine="onnxruntime").score(write_video(tmp_path / "a.mp4", 20, size=(64, 64)))


def test_a_head_in_place_of_the_backbone(model, tmp_path):
    replaced(model, "backbone", ".xml", (model / "head.xml").read_bytes())
    replaced(model, "backbone", ".bin", (model / "head.bin").read_bytes())
    with pytest.raises(FeatureError, match=r"backbone\.xml: cannot be (read|computed) by openvino"):
        vadpipe.Scorer(model, engine="openvino").score(write_video(tmp_path / "a.mp4", 20, size=(64, 64)))
