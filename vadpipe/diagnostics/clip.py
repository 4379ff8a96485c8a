"""A rendered clip to try an installation on."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

N_FRAMES = 64
_SIZE_PX = (320, 240)
_FPS = 25


def write_clip(path: Path) -> Path:
    """Write an MP4 of 64 frames, in which a bright square crosses a gradient, and return its path."""
    width, height = _SIZE_PX
    background = np.linspace(40, 120, width, dtype=np.uint8)[None, :, None].repeat(height, 0).repeat(3, 2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=_FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(N_FRAMES):
            picture = background.copy()
            left = number * (width - 48) // N_FRAMES
            picture[96:144, left : left + 48] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
