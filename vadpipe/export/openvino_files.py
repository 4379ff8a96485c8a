"""The same graphs for OpenVINO, and the quantised backbone that vadpipe brings."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import numpy as np

from vadpipe.export.clip_shape import ClipShape
from vadpipe.extract.engines.openvino_engine import import_openvino
from vadpipe.files.atomic import write_bytes


def is_installed() -> bool:
    """Return whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def convert(onnx: Path, xml: Path) -> None:
    """Write a graph of ONNX in OpenVINO's form, in float32."""
    _save(import_openvino().Core().read_model(onnx), xml)


def write_quantised(quantised: Path, shape: ClipShape, xml: Path) -> None:
    """Write a quantised backbone with input and output of :class:`vadpipe.export.graphs.BackboneGraph`.

    Args:
        quantised: the network that gives maps (1, P, h, w, D).
        shape: of the clips.
        xml: where to.
    """
    openvino = import_openvino()
    from openvino import opset13

    network = openvino.Core().read_model(quantised)
    n_frames = -1 if shape.n_frames is None else shape.n_frames
    network.reshape((-1, n_frames, shape.side_px, shape.side_px, 3))
    maps = network.output(0).get_node().input_value(0)
    features = opset13.reduce_mean(maps, np.array([2, 3], np.int64), keep_dims=False)
    if not shape.windowed:
        features = opset13.reduce_mean(features, np.array([1], np.int64), keep_dims=True)
    features.output(0).set_names({"features"})
    frames = network.input(0)
    frames.set_names({"frames"})
    _save(openvino.Model([opset13.result(features)], [frames.get_node()], "backbone"), xml)


def _save(network: object, xml: Path) -> None:
    openvino = import_openvino()
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary, xml.name)
        openvino.save_model(network, made, compress_to_fp16=False)
        for suffix in (".xml", ".bin"):
            write_bytes(xml.with_suffix(suffix), made.with_suffix(suffix).read_bytes())
