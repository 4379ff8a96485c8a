"""Messages between the decoding process and its parent: lengths, JSON and plain bytes.

Nothing that comes from the decoding process is ever executed or unpickled, since a hostile video may have
taken it over.
"""

from __future__ import annotations

import json
import os
import struct
from enum import IntEnum
from typing import Any

HEADER = struct.Struct("<BQ")
FRAME = struct.Struct("<qII")  # number, height, width
PROGRESS = struct.Struct("<q")
MAX_MESSAGE_BYTES = 1 << 30


class Kind(IntEnum):
    """The kind of a message."""

    ALIVE = 0  # nothing but a sign of life, while nothing else can be said
    TIMELINE = 1  # JSON
    TIMES = 2  # float64, one a frame
    FRAME = 3  # number, height, width, and pixels
    DONE = 4  # a bit per frame, whether it could be decoded; nothing after stills
    FAILED = 5  # JSON: the error that ended it
    PROGRESS = 6  # milliseconds of a video that are done; each says more than the one before


def send(descriptor: int, kind: Kind, *parts: bytes | memoryview) -> None:
    """Write one message."""
    views = [memoryview(part).cast("B") for part in parts]
    left = [memoryview(HEADER.pack(kind, sum(map(len, views)))), *views]
    while left:
        written = os.writev(descriptor, left)
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = left[0][written:]


def send_json(descriptor: int, kind: Kind, content: dict[str, Any]) -> None:
    """Write one message of JSON."""
    send(descriptor, kind, json.dumps(content).encode())


def parse_header(data: bytes | bytearray) -> tuple[Kind, int]:
    """Return the kind and length of the next message. Raises ValueError if they are invalid."""
    kind, size = HEADER.unpack(data)
    if size > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {size} bytes")
    return Kind(kind), size
