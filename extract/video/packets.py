"""The packets of a video: their metadata, and their presentation order."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Callable

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vadpipe.extract.video.demuxing import is_header, open_container, read_packets
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.timestamps import NO_STAMP

_COLUMNS = (("pts", "q"), ("dts", "q"), ("duration", "q"), ("pos", "q"), ("discard", "b"), ("empty", "b"))


def read_rows(
    container: InputContainer, stream: VideoStream, on_packet: Callable[[], None] | None = None
) -> NDArray[np.void]:
    """Return a row for each packet of a stream, in the order of the file; nothing is decoded.

    The fields are ``pts`` and ``dts`` (int64 ticks, or :data:`NO_STAMP`), ``duration`` (int64 ticks, 0 where
    unknown), ``pos`` (int64, at which byte of the file it lies, -1 where unknown), ``discard`` (an edit list
    hides the frame) and ``empty`` (the packet holds no frame).
    """
    columns = {name: array(kind) for name, kind in _COLUMNS}
    # VP8 keeps pictures that are never shown, to predict others from, in packets of their own.
    vp8 = stream.codec_context.name == "vp8"
    for packet in read_packets(container, stream):
        if on_packet is not None:
            on_packet()
        header = is_header(packet)  # its time is a guess
        empty = packet.size == 0 or header or (vp8 and not memoryview(packet)[0] & 0x10)
        pts = NO_STAMP if packet.pts is None or header else packet.pts
        dts = NO_STAMP if packet.dts is None or header else packet.dts
        pos = -1 if packet.pos is None else packet.pos
        values = (pts, dts, packet.duration or 0, pos, packet.is_discard, empty)
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
    kinds = [(name, np.int64 if kind == "q" else np.bool_) for name, kind in _COLUMNS]
    rows = np.empty(len(columns["pts"]), dtype=kinds)
    for name, column in columns.items():
        rows[name] = np.frombuffer(column, dtype=column.typecode)
    return rows


def shown_order(
    path: str | os.PathLike[str], limits: Limits, on_packet: Callable[[], None] | None = None
) -> NDArray[np.int64]:
    """Return the packets that are shown, (N,) int64 positions in the file, in presentation order.

    Without timestamps only the decoder knows that order, so the whole video is decoded. A packet that
    cannot be decoded keeps a place, right after the one before it in the file. A packet that silently gives
    no frame (the second field of a frame, or anything before the first key frame) has none.
    """
    shown: list[int] = []
    broken: list[int] = []
    with open_container(path, limits) as (container, stream):
        for place, packet in enumerate(read_packets(container, stream)):
            if on_packet is not None:
                on_packet()
            packet.pts = packet.dts = place if packet.size else None
            try:
                shown += [frame.pts for frame in packet.decode() if frame.pts is not None]
            except MemoryError:  # FFmpeg's is one too
                raise
            except av.FFmpegError:
                if not is_header(packet):
                    broken.append(place)
    return np.array(_with_broken(shown, broken), dtype=np.int64)


def _with_broken(shown: list[int], broken: list[int]) -> list[int]:
    """Insert each broken packet behind the shown or broken one that precedes it in the file."""
    if not broken:
        return shown
    places = {packet: at for at, packet in enumerate(shown)}
    known = sorted(places)
    behind: dict[int, list[int]] = {}
    for packet in broken:
        at = bisect_left(known, packet) - 1
        behind.setdefault(places[known[at]] if at >= 0 else -1, []).append(packet)
    result = behind.get(-1, [])
    for at, packet in enumerate(shown):
        result.append(packet)
        result.extend(behind.get(at, ()))
    return result
