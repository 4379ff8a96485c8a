"""Boundaries between the recordings that a Matroska file was joined from.

FFmpeg reads on behind the first, often no further than to the end of the second, and decodes all of it with
the parameters of the first.
"""

from __future__ import annotations

import os
from collections.abc import Callable

_HEADER, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_ENTERED = frozenset({_SEGMENT, 0x1654AE6B, 0xAE})  # down to each track
_SETUP = frozenset({0xD7, 0x86, 0x63A2, 0x6D80})  # a track's number, codec, its parameters, its encodings
_LONGEST_SETUP_BYTES = 1 << 16
_HEAD_BYTES = 4 + 8


def recordings(
    path: str | os.PathLike[str], on_element: Callable[[], None] | None = None
) -> list[tuple[int, bytes]]:
    """Return at which byte each recording begins, and what a decoder has to know of its tracks.

    Pictures are jumped over: a recording says where it ends, or else each of its clusters does. What follows
    one that was cut short is not found.

    Args:
        path: a Matroska file.
        on_element: called for each element that is looked at, as a sign of life.
    """
    found: list[tuple[int, bytes]] = []
    at, ends = 0, None
    with open(path, "rb") as file:  # noqa: PTH123  may be a descriptor's name
        while head := _head(os.pread(file.fileno(), _HEAD_BYTES, at)):
            element, n_head, size = head
            if on_element is not None:
                on_element()
            if element == _HEADER:
                found.append((at, b""))
            elif element == _SEGMENT:
                ends = None if size is None else at + n_head + size
            elif element in _SETUP and found:
                content = os.pread(file.fileno(), min(size or 0, _LONGEST_SETUP_BYTES), at + n_head)
                found[-1] = (found[-1][0], found[-1][1] + b"%x:%d:" % (element, len(content)) + content)
            if element == _CLUSTER and ends is not None:
                at, ends = max(ends, at + n_head), None
            else:
                at += n_head + (0 if size is None or element in _ENTERED else size)
    return found


def _head(data: bytes) -> tuple[int, int, int | None] | None:
    """Return an element's name, how long its head is, and its size; a size of None is unknown."""
    n_name = 9 - data[0].bit_length() if data else 9
    n_size = 9 - data[n_name].bit_length() if n_name <= 4 and n_name < len(data) else 9
    if n_size > 8 or n_name + n_size > len(data):
        return None  # not Matroska any more
    size = int.from_bytes(data[n_name : n_name + n_size]) - (1 << 7 * n_size)
    return int.from_bytes(data[:n_name]), n_name + n_size, None if size == (1 << 7 * n_size) - 1 else size
