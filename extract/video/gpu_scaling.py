"""Scaling of frames that a GPU has decoded, where they are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def scaled(frames: Tensor, width: int, height: int) -> Tensor:
    """Return frames (N, H, W, 3) uint8 as (N, height, width, 3) uint8, on the same device.

    Bicubic, and smoothed where they become smaller, as :class:`vadpipe.extract.video.scaling.Scaler` does;
    pixels are nearly the same.
    """
    if frames.shape[1:3] == (height, width):
        return frames
    # One at a time: 16 frames of 4K would be 1.6 GB in float32.
    return torch.stack([_scaled(frame, width, height) for frame in frames])


def _scaled(frame: Tensor, width: int, height: int) -> Tensor:
    planes = frame.permute(2, 0, 1)[None].float()
    planes = F.interpolate(planes, (height, width), mode="bicubic", antialias=True, align_corners=False)
    return planes[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8)
