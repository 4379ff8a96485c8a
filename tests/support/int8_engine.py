"""The engine that runs I3D in int8, without the network in float32."""

import torch

from vadpipe.extract.engines.engine import build_engine
from vadpipe.weights import I3D_INT8


def int8_engine(shape):
    """Return the engine for clips of this shape (T, H, W)."""

    def load():
        raise AssertionError("the quantised network is not taken")

    return build_engine("openvino", load, shape, torch.device("cpu"), key="unused", quantised=I3D_INT8)
