"""X3D from pytorchvideo, cut before its classifier.

Source: Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition", CVPR 2020,
arXiv 2004.04730. Only ``pytorchvideo.models`` is imported: ``pytorchvideo.transforms`` needs a
module that torchvision has removed.
"""

from __future__ import annotations

import warnings

from torch import Tensor, nn


class X3DFeatures(nn.Module):
    """X3D up to the 2048-vector that its classifier sees; state dict keys as published.

    Args:
        depth_factor: 2.2 for XS, S and M, 5.0 for L.

    Input (B, 3, T, H, W) float32, normalised; output (B, 2048). The stock pool wants one fixed size,
    an adaptive one gives the same mean for that size and works for every other.
    """

    def __init__(self, depth_factor: float) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # Importing it scripts an activation that is not used here, which torch deprecates.
            warnings.simplefilter("ignore")
            from pytorchvideo.models.x3d import create_x3d

            network = create_x3d(input_clip_length=16, input_crop_size=182, depth_factor=depth_factor)
        self.blocks: nn.ModuleList = network.blocks
        self.blocks[-1].pool.pool = nn.AdaptiveAvgPool3d(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of a batch of clips."""
        for block in self.blocks[:-1]:
            x = block(x)
        pool: nn.Module = self.blocks[-1].pool  # type: ignore[assignment]
        features: Tensor = pool(x)
        return features.flatten(1)
