"""The programs of a transport stream, from its program association tables.

FFmpeg reads one program. Where parts with another program were joined to it, their frames are missing, and
nothing else says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from vadpipe.extract.video.signatures import TS_PACKET_BYTES, TS_STEPS

_SYNC = b"\x47"
_TABLE = re.compile(rb"\x47[\x40\x60]\0", re.DOTALL)  # the packet of PID 0 in which a table begins
BLOCK_BYTES = 1 << 22
_MAX_TABLES = 1000


def appended_programs(path: str | os.PathLike[str], on_block: Callable[[], None] | None = None) -> list[int]:
    """Return where tables begin that announce none of the programs before, as byte offsets.

    A stream of many programs announces them in one table, which is repeated; nothing is returned for it.
    Tables are found by their bytes wherever they lie: behind a part that ends within a packet, all that
    follows is off the grid on which the file began.

    Args:
        path: a transport stream.
        on_block: called now and then, as a sign of life.
    """
    found: list[int] = []
    known: frozenset[int] = frozenset()
    with open(path, "rb") as file:  # noqa: PTH123  may be a descriptor's name
        data, offset = b"", 0
        while (block := file.read(BLOCK_BYTES)) and len(found) < _MAX_TABLES:
            if on_block is not None:
                on_block()
            offset += max(0, len(data) - TS_STEPS[-1])
            data = data[-TS_STEPS[-1] :] + block
            # What begins in the last packet comes again with the next block.
            for table in _TABLE.finditer(data, 0, max(0, len(data) - TS_STEPS[-1] + 2)):
                at = table.start()
                if not any(data[at + step : at + step + 1] == _SYNC for step in TS_STEPS):
                    continue
                programs = _programs(data[at : at + TS_PACKET_BYTES])
                if programs and known and not programs & known:
                    found.append(offset + at)
                known = programs or known
    return found


def _programs(data: bytes) -> frozenset[int]:
    """Return the PIDs of the program maps that a table names; none where it is damaged."""
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
