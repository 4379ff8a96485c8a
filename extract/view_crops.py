"""View crops: the square crops of a decoded frame that the backbone sees, one per view."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from vadpipe.features.views import is_mirrored, part_of

Box = tuple[int, int, int, int]
"""(top, left, bottom, right) in pixels, the last two exclusive."""


def box_of(view: str, height: int, width: int, side_px: int) -> Box:
    """Return the part of a frame that a view shows.

    Args:
        view: one of :data:`vadpipe.features.views.VIEWS`.
        height: of the frame, not below ``side_px``.
        width: the same.
        side_px: of the square that the backbone sees.
    """
    part, short = part_of(view), min(height, width)
    half = -(-max(height, width) // 2)
    high, wide = min(height, max(short, half)), min(width, max(short, half))
    bottom, right = height - side_px, width - side_px
    match part:
        case "whole":
            return 0, 0, height, width
        case "left":
            return 0, 0, high, wide
        case "right":
            return height - high, width - wide, height, width
        case "centre":  # also of a mirrored frame, since the sides of decoded frames are even
            top, left = bottom // 2, right // 2
        case _:
            top = bottom if part.startswith("bottom") else 0
            left = right if part.endswith("right") else 0
    return top, left, top + side_px, left + side_px


class ViewCropper:
    """Cuts the views out of frames.

    Args:
        views: names, in the order in which the squares are wanted.
        side_px: of each square. What is larger is scaled, what is as large is cut out and not copied.
    """

    def __init__(self, views: Sequence[str], side_px: int) -> None:
        self._views, self._side_px = tuple(views), side_px

    def __call__(self, frame: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Return the views (side, side, 3) of a frame (H, W, 3) uint8 RGB."""
        seen: dict[str, NDArray[np.uint8]] = {}  # a mirrored view is not scaled again
        for part in map(part_of, self._views):
            if part not in seen:
                top, left, bottom, right = box_of(part, frame.shape[0], frame.shape[1], self._side_px)
                seen[part] = _scaled(frame[top:bottom, left:right], self._side_px)
        return [
            seen[part_of(view)][:, ::-1] if is_mirrored(view) else seen[part_of(view)] for view in self._views
        ]


def _scaled(picture: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) as a square; of another size, scaled by an antialiasing bicubic filter.

    By torch, which does it in integers, the same on every processor, in a fifth of the time of Pillow. That,
    whose filter torch has, does it on machines without torch, within a grey level.
    """
    if picture.shape[:2] == (side_px, side_px):
        return picture
    if not _has_torch():
        from PIL import Image

        return np.asarray(Image.fromarray(picture).resize((side_px, side_px), Image.Resampling.BICUBIC))
    import torch
    from torch.nn import functional as F

    pixels = torch.from_numpy(picture[None].copy()).permute(0, 3, 1, 2)  # a copy, since torch may write
    scaled = F.interpolate(pixels, size=(side_px, side_px), mode="bicubic", antialias=True)
    result: NDArray[np.uint8] = scaled.permute(0, 2, 3, 1)[0].numpy()
    return result


@cache
def _has_torch() -> bool:
    """Return whether torch is installed; it is asked for each view of each frame."""
    return find_spec("torch") is not None
