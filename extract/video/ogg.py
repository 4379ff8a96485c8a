"""Boundaries between the recordings that an Ogg file was joined from.

FFmpeg reads on behind the first where each has one stream. Where they have several, as of pictures and sound,
it reads the first alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable

_PAGE = b"OggS\0"
_BEGINS = 0x02  # in a page's flags: the first of a stream
_HEAD_BYTES = 27


def recordings(path: str | os.PathLike[str], on_page: Callable[[], None] | None = None) -> list[int]:
    """Return at which byte each recording begins: pages that begin streams lie together at its start.

    Pages are jumped over by the sizes that they state. What follows a damaged one is not found.

    Source: RFC 3533, sections 4 and 6.

    Args:
        path: an Ogg file.
        on_page: called for each page, as a sign of life.
    """
    found: list[int] = []
    at, began = 0, False
    with open(path, "rb") as file:  # noqa: PTH123  may be a descriptor's name
        while (head := os.pread(file.fileno(), _HEAD_BYTES + 255, at)).startswith(_PAGE):
            if on_page is not None:
                on_page()
            if len(head) < _HEAD_BYTES:
                break
            begins = bool(head[5] & _BEGINS)
            if begins and not began:
                found.append(at)
            began = begins
            n_segments = head[26]
            at += _HEAD_BYTES + n_segments + sum(head[_HEAD_BYTES : _HEAD_BYTES + n_segments])
    return found
