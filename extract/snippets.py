"""Snippet arithmetic: N frames make ceil(N / 16) snippets, and every frame belongs to one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

SNIPPET_FRAMES = 16
"""Frames of a snippet, as everywhere in the field."""


def snippets(
    frames: Iterable[NDArray[np.uint8]], length: int = SNIPPET_FRAMES
) -> Iterator[NDArray[np.uint8]]:
    """Group frames (H, W, 3) into snippets (length, H, W, 3).

    The tail is padded by repeating the last frame: a still end adds no motion that was not there,
    and the padding never gets a score of its own.
    """
    held: list[NDArray[np.uint8]] = []
    for frame in frames:
        held.append(frame)
        if len(held) == length:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held + held[-1:] * (length - len(held)))
