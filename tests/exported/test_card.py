"""The card of an exported model, and files that are not what it says."""

import json
import shutil

import pytest

import vadpipe
from support.videos import write_video
from vadpipe.errors import FeatureError, UsageError
from vadpipe.exported import runtimes


@pytest.fixture
def model(x3d_model, tmp_path):
    """A copy of an exported model."""
    return shutil.copytree(x3d_model.folder, tmp_path / "model")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema_version": 1}', "[" * 5000])
def test_a_card_that_is_none(content, model):
    (model / "card.json").write_text(content)
    with pytest.raises(FeatureError, match="is not the card of an exported model\nExport it again"):
        vadpipe.Scorer(model)


def test_a_card_of_another_schema(model):
    card = json.loads((model / "card.json").read_text())
    (model / "card.json").write_text(json.dumps(card | {"schema_version": 99}))
    with pytest.raises(FeatureError, match="has schema 99, this vadpipe reads 1"):
        vadpipe.Scorer(model)


@pytest.mark.parametrize("name", ["head.onnx", "backbone.onnx"])
def test_a_file_that_is_damaged_or_missing(name, model, tmp_path):
    clip = write_video(tmp_path / "a.mp4", 20)
    content = bytearray((model / name).read_bytes())
    content[len(content) // 2] ^= 1
    (model / name).write_bytes(content)
    with pytest.raises(FeatureError, match="is damaged: its digest does not match the card"):
        vadpipe.score(clip, head=model, engine="onnxruntime")
    (model / name).unlink()
    with pytest.raises(FeatureError, match=f"{name}: cannot be read: No such file"):
        vadpipe.score(clip, head=model, engine="onnxruntime")


def test_a_graph_that_is_not_there(model):
    card = json.loads((model / "card.json").read_text())
    card["files"] = {name: digest for name, digest in card["files"].items() if name.endswith(".onnx")}
    (model / "card.json").write_text(json.dumps(card))
    with pytest.raises(FeatureError, match=r"contains no head.xml\nExport it again"):
        vadpipe.Scorer(model, engine="openvino")


def test_a_machine_without_runtimes(model, monkeypatch):
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UsageError, match="neither OpenVINO nor ONNX Runtime is installed\npip install openvino"
    ):
        vadpipe.Scorer(model)
    with pytest.raises(UsageError, match="the engine onnxruntime is not installed\npip install onnxruntime"):
        vadpipe.Scorer(model, engine="onnxruntime")


def test_a_file_that_no_runtime_reads(tmp_path):
    (tmp_path / "head.onnx").write_bytes(b"nothing")
    with pytest.raises(FeatureError, match="cannot be read by onnxruntime"):
        runtimes.open_graph(tmp_path / "head.onnx", "onnxruntime")
