"""Files joined from several recordings: which packets belong to which, and which are not read."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.video import matroska, ogg
from vadpipe.extract.video.container import FAMILIES, Family
from vadpipe.extract.video.programs import appended_programs
from vadpipe.extract.video.timestamps import NO_STAMP


class Concatenation(NamedTuple):
    """The recordings that a file was joined from.

    Attributes:
        parts: (P,) int64, number of the recording that each packet is of; None if they cannot be told.
        unread: at which bytes those begin of which no frame is shown.
    """

    parts: NDArray[np.int64] | None
    unread: list[int]


def find_concatenation(
    path: str | os.PathLike[str],
    family: Family,
    rows: NDArray[np.void],
    on_packet: Callable[[], None] | None = None,
) -> Concatenation:
    """Return the recordings of a file; packets that FFmpeg would decode wrongly are marked as empty.

    Args:
        path: the video.
        family: its container.
        rows: of :func:`vadpipe.extract.video.packets.read_rows`.
        on_packet: called now and then, as a sign of life.
    """
    if family is FAMILIES["ts"]:
        return Concatenation(None, unread_parts(appended_programs(path, on_packet), rows["pos"]))
    if family is FAMILIES["ogg"]:
        return Concatenation(None, unread_parts(ogg.recordings(path, on_packet)[1:], rows["pos"]))
    found = matroska.recordings(path, on_packet) if family is FAMILIES["mkv"] else []
    if len(found) < 2:
        return Concatenation(None, [])
    parts = np.searchsorted([start for start, _ in found], rows["pos"], side="right") - 1
    parts = np.maximum.accumulate(parts)
    # FFmpeg keeps the first recording's parameters, and what another encoder made is smeared by them.
    other = [number for number, (_, setup) in enumerate(found) if setup != found[0][1]]
    hidden = np.isin(parts, other)
    rows["empty"] |= hidden
    rows["pts"][hidden] = rows["dts"][hidden] = NO_STAMP
    # Of recordings that say how long they are, it reads no more than two.
    read = {*parts[~rows["empty"]].tolist()}
    return Concatenation(parts, [start for number, (start, _) in enumerate(found) if number not in read])


def unread_parts(starts: list[int], positions: NDArray[np.int64]) -> list[int]:
    """Return where those parts begin from which nothing was read, as byte offsets.

    Another program alone is not a loss: FFmpeg reads on where the video keeps its PID.

    Args:
        starts: of the parts behind the first.
        positions: (P,) int64, where the packets that were read lie in the file.
    """
    parts = [0, *starts]
    read = np.searchsorted(parts, positions, side="right") - 1
    return [parts[number] for number in sorted({*range(len(parts))} - {*read.tolist()})]
