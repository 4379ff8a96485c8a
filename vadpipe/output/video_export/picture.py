"""Frames as they are shown: upright, with square pixels and even sides, as planes of YUV 4:2:0."""

from __future__ import annotations

from typing import NamedTuple

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from vadpipe.output.video_export.source import VideoSource

MAX_SIDE_PX = 4096  # what decoders of H.264 can be counted on to take
_FULL_RANGE = 2  # as FFmpeg numbers it
_NAMES = {1: "bt709", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}  # for FFmpeg's scaler; else bt601
# Shares of red and blue in the brightness.
_SHARES = {1: (0.2126, 0.0722), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
_BT601_SHARES = (0.299, 0.114)


class Planes(NamedTuple):
    """A picture in limited range: brightness (H, W), and two of colour (H/2, W/2), all uint8."""

    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]

    def part(self, top: int, left: int, height: int, width: int) -> Planes:
        """Return a view of a rectangle; all four numbers are even."""
        half = (slice(top // 2, (top + height) // 2), slice(left // 2, (left + width) // 2))
        return Planes(self.y[top : top + height, left : left + width], self.u[half], self.v[half])

    def put(self, other: Planes) -> None:
        """Copy a picture of the same size into this one."""
        for mine, theirs in zip(self, other, strict=True):
            mine[:] = theirs

    def fill(self, colour: tuple[int, int, int]) -> None:
        """Give all of it one colour (y, u, v)."""
        for mine, value in zip(self, colour, strict=True):
            mine[:] = value


BLACK = (16, 128, 128)


def new_planes(width: int, height: int) -> Planes:
    """Return a black picture with even sides."""
    planes = Planes(*(np.empty((height >> half, width >> half), np.uint8) for half in (0, 1, 1)))
    planes.fill(BLACK)
    return planes


def planes_of(rgb: NDArray[np.uint8], matrix: int) -> Planes:
    """Return (H, W, 3) uint8 RGB with even sides as planes, by a colour matrix of FFmpeg's numbers."""
    red_share, blue_share = _SHARES.get(matrix, _BT601_SHARES)
    red, green, blue = np.moveaxis(rgb.astype(np.float32) / 255, -1, 0)
    y = red_share * red + (1 - red_share - blue_share) * green + blue_share * blue
    u, v = (blue - y) / (2 - 2 * blue_share), (red - y) / (2 - 2 * red_share)
    return Planes(_bytes(16 + 219 * y), *(_bytes(128 + 224 * _halved(colour)) for colour in (u, v)))


def _halved(values: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = values.shape
    mean: NDArray[np.float32] = values.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return mean


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(values).astype(np.uint8)


def frame_of(planes: Planes) -> av.VideoFrame:
    """Return a picture as a frame that can be encoded."""
    height, width = planes.y.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for mine, theirs in zip(_views(frame), planes, strict=True):
        mine[:] = theirs
    return frame


def _views(frame: av.VideoFrame) -> Planes:
    """Return the planes of a yuv420p frame, which share its memory."""
    return Planes(
        *(
            np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[
                :, : plane.width
            ]
            for plane in frame.planes
        )
    )


class Upright:
    """Turns decoded frames into pictures as a player shows them.

    A picture keeps its pixels where it can: it is scaled only where pixels are not square, or a side is
    longer than H.264 takes; where a side is odd, its last row or column stands twice.

    Args:
        source: the video.
        spare_px: how much lower than H.264 allows pictures have to be.
    """

    def __init__(self, source: VideoSource, spare_px: int = 0) -> None:
        timeline, aspect = source.timeline, source.aspect
        self._turns, self._matrix = timeline.quarter_turns, source.looks.matrix
        turned = self._turns % 2
        coded = (timeline.height_px, timeline.width_px) if turned else (timeline.width_px, timeline.height_px)
        # As players do: the longer side of a pixel is what grows.
        wide, high = coded[0] * max(float(aspect), 1.0), coded[1] / min(float(aspect), 1.0)
        limits = (MAX_SIDE_PX, MAX_SIDE_PX - spare_px)
        most_wide, most_high = (limits[1], limits[0]) if turned else limits
        scale = min(1.0, most_wide / wide, most_high / high)
        if scale == 1 and aspect == 1:
            self._coded = coded
        else:  # even ones, since nothing is kept anyway
            self._coded = (_even(wide * scale), _even(high * scale))
        width, height = reversed(self._coded) if turned else self._coded
        self.width, self.height = width + width % 2, height + height % 2
        self._takes: tuple[str, int, int, bool] | None = None
        self._graph = Graph()

    def __call__(self, frame: av.VideoFrame) -> Planes:
        """Return a decoded frame as a picture of ``width`` by ``height``."""
        full_range = frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")
        takes = (frame.format.name, frame.width, frame.height, full_range)
        if takes != ("yuv420p", *self._coded, False):
            if takes != self._takes:  # a stream may change its size midway
                self._takes, self._graph = takes, self._scaler(frame, full_range)
            self._graph.vpush(frame)
            frame = self._graph.vpull()
        y, u, v = (np.rot90(plane, self._turns) for plane in _views(frame))
        (height, width) = y.shape
        return Planes(np.pad(y, ((0, height % 2), (0, width % 2)), mode="edge"), u, v)

    def _scaler(self, frame: av.VideoFrame, full_range: bool) -> Graph:
        width, height = self._coded
        options = f"{width}:{height}:flags=bicubic:out_range=tv"
        if frame.format.is_rgb:
            options += f":out_color_matrix={_NAMES.get(self._matrix, 'bt601')}"
        elif full_range:
            options += ":in_range=pc"
        graph = Graph()
        graph.threads = 1
        nodes = [
            graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
            ),
            graph.add("scale", options),
            graph.add("format", "yuv420p"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        return graph


def _even(side: float) -> int:
    return max(2, int(side / 2) * 2)
