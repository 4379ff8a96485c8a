"""The networks of pytorchvideo, cut before their classifiers; state dict keys as published.

Each maps (B, 3, T, H, W) float32, normalised, to (B, 2048), for every size. Only ``pytorchvideo.models`` is
imported: ``pytorchvideo.transforms`` needs a module that torchvision has removed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class X3DFeatures(nn.Module):
    """X3D up to the vector that its projection to classes sees.

    Source: Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition", CVPR 2020,
    arXiv 2004.04730. The stock pool wants one fixed size; an adaptive one gives the same mean for that size
    and works for every other.
    """

    def __init__(self, stock: nn.Module) -> None:
        super().__init__()
        self.blocks: nn.ModuleList = stock.blocks  # type: ignore[assignment]
        self.blocks[-1].pool.pool = nn.AdaptiveAvgPool3d(1)  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of a batch of clips."""
        for block in self.blocks[:-1]:
            x = block(x)
        pool: nn.Module = self.blocks[-1].pool  # type: ignore[assignment]
        features: Tensor = pool(x)
        return features.flatten(1)


class ResNetFeatures(nn.Module):
    """A residual network up to its head, then the mean over time and space.

    The stock heads pool with fixed kernels, which fail below 224 pixels or at other lengths.
    """

    def __init__(self, stock: nn.Module) -> None:
        super().__init__()
        self.blocks: nn.ModuleList = stock.blocks  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of a batch of clips."""
        for block in self.blocks[:-1]:
            x = block(x)
        return x.mean(dim=(2, 3, 4))


def x3d(depth_factor: float) -> X3DFeatures:
    """Return X3D without weights; the depth factor is 2.2 for XS, S and M, 5.0 for L."""

    def build() -> nn.Module:
        from pytorchvideo.models.x3d import create_x3d

        # The size enters only the stock pool, which is replaced.
        network: nn.Module = create_x3d(input_clip_length=16, input_crop_size=182, depth_factor=depth_factor)
        return network

    return X3DFeatures(_quietly(build))


def i3d_r50() -> ResNetFeatures:
    """Return I3D inflated from ResNet-50, without weights (arXiv 1705.07750, on the body of 1711.07971)."""
    return _hub("i3d_r50")


def slow_r50() -> ResNetFeatures:
    """Return the slow path of SlowFast on ResNet-50, without weights (arXiv 1812.03982)."""
    return _hub("slow_r50")


def r2plus1d_r50() -> ResNetFeatures:
    """Return R(2+1)D on ResNet-50, without weights (arXiv 1711.11248)."""
    return _hub("r2plus1d_r50")


def _hub(name: str) -> ResNetFeatures:
    def build() -> nn.Module:
        from pytorchvideo.models import hub

        network: nn.Module = getattr(hub, name)(pretrained=False)
        return network

    return ResNetFeatures(_quietly(build))


def _quietly(build: Callable[[], Any]) -> nn.Module:
    with warnings.catch_warnings():
        # Importing pytorchvideo scripts an activation that is not used here, which torch deprecates.
        warnings.simplefilter("ignore")
        network: nn.Module = build()
    return network
