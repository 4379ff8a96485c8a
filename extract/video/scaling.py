"""Scaling of frames, for decoders without a scaler of their own."""

from __future__ import annotations

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray


class Scaler:
    """Resizes decoded frames and turns them upright.

    It is FFmpeg's filter ``scale=flags=bicubic``, which decord uses too: frames of the two are the same to
    the last bit, and so are the features. (PyAV's own reformatter places colour half a pixel elsewhere.)

    Args:
        width: in pixels, as shown.
        height: in pixels, as shown.
        quarter_turns: how often a decoded picture is turned by 90 degrees, counterclockwise.
    """

    def __init__(self, width: int, height: int, quarter_turns: int) -> None:
        self._size = (height, width) if quarter_turns % 2 else (width, height)
        self._turns = quarter_turns
        self._takes: tuple[str, int, int] | None = None
        self._graph = Graph()

    def __call__(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Return a decoded frame as (height, width, 3) uint8 RGB."""
        takes = (frame.format.name, frame.width, frame.height)
        if takes != self._takes:  # a stream may change its size midway
            self._takes, self._graph = takes, _graph(frame, *self._size)
        self._graph.vpush(frame)
        return np.ascontiguousarray(np.rot90(self._graph.vpull().to_ndarray(), self._turns))


def _graph(frame: av.VideoFrame, width: int, height: int) -> Graph:
    graph = Graph()
    graph.threads = 1  # before there is a filter; more give no more frames per processor second
    nodes = [
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        ),
        graph.add("scale", f"{width}:{height}:flags=bicubic"),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph
