"""Which programs a transport stream announces, read from its program association tables.

FFmpeg reads the program that a file begins with. Where a part with another program was appended, its frames
are missing, and nothing else says so.
"""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

_PACKET_BYTES = 188
_TIME_CODE_BYTES = 4  # before each packet of M2TS
_SYNC = 0x47
_BLOCK_PACKETS = 1 << 15
_MAX_TABLES = 1000


def appended_programs(path: str | os.PathLike[str]) -> list[int]:
    """Return where tables begin that announce none of the programs before, as byte offsets.

    A stream of many programs announces them in one table, which is repeated; nothing is returned for it.
    """
    found: list[int] = []
    known: frozenset[int] = frozenset()
    with open(path, "rb") as file:  # noqa: PTH123  may be a descriptor's name
        head = file.read(_PACKET_BYTES + 2 * _TIME_CODE_BYTES)
        m2ts = head[:1] != bytes([_SYNC]) or head[_PACKET_BYTES : _PACKET_BYTES + 1] != bytes([_SYNC])
        step = _PACKET_BYTES + _TIME_CODE_BYTES * m2ts
        first = _TIME_CODE_BYTES * m2ts
        file.seek(0)
        offset = 0
        while (block := file.read(step * _BLOCK_PACKETS)) and len(found) < _MAX_TABLES:
            whole = len(block) // step
            packets = np.frombuffer(block, np.uint8, whole * step).reshape(whole, step)[:, first:]
            for at in _tables(packets):
                programs = _programs(packets[at])
                if programs and known and not programs & known:
                    found.append(offset + int(at) * step)
                known = programs or known
            offset += len(block)
    return found


def _tables(packets: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return which packets (P, 188) begin a program association table: those of PID 0."""
    starts = packets[:, 1] & 0x40 != 0
    pid = (packets[:, 1].astype(np.int32) & 0x1F) << 8 | packets[:, 2]
    return np.flatnonzero((packets[:, 0] == _SYNC) & starts & (pid == 0))


def _programs(packet: NDArray[np.uint8]) -> frozenset[int]:
    """Return the PIDs of the program maps that a table names; none where it is damaged."""
    data = packet.tobytes()
    at = 4 + (1 + data[4] if data[3] & 0x20 else 0)  # behind the adaptation field
    if at >= len(data):
        return frozenset()
    at += 1 + data[at]  # the pointer field
    if at + 8 > len(data) or data[at] != 0:
        return frozenset()
    length = (data[at + 1] & 0x0F) << 8 | data[at + 2]
    entries = data[at + 8 : min(at + 3 + length - 4, len(data))]
    return frozenset(
        (entries[i + 2] & 0x1F) << 8 | entries[i + 3]
        for i in range(0, len(entries) - 3, 4)
        if entries[i] or entries[i + 1]  # program 0 is the network's
    )
