"""Inception-v1 I3D (RGB): 16 frames in, one 1024-vector out.

Source: Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017, arXiv 1705.07750. The
names of the modules are those of the published checkpoint, so that its keys can be followed here.

Every convolution of the published network is followed by a BatchNorm without scale and a ReLU. The
stored weights have the BatchNorm folded in (see :mod:`vadpipe.weights.i3d_kinetics`), so a unit here
is a convolution with bias and a ReLU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

N_CLASSES = 400
FEATURE_DIM = 1024

# Channels of the four branches of each Inception block:
# (1x1), (1x1, 3x3), (1x1, 3x3), (pool, 1x1). Table 1 of GoogLeNet, arXiv 1409.4842.
_MIXED: dict[str, tuple[int, tuple[int, int, int, int, int, int]]] = {
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's "SAME" padding of one axis as (before, after).

    It makes the output ``ceil(size / stride)`` long; an odd total puts the extra element *after*,
    which is why torch's symmetric padding shifts every strided layer by one pixel.
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _pad_same(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """Zero-pad the last three axes of x. After a ReLU, zeros are also neutral for a maximum."""
    pads: list[int] = []
    for axis in (2, 1, 0):  # F.pad wants the last axis first
        pads += same_padding(x.shape[2 + axis], kernel[axis], stride[axis])
    return F.pad(x, pads) if any(pads) else x


class _Unit(nn.Conv3d):
    """Convolution (BatchNorm folded in), SAME padding, ReLU."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1) -> None:
        # With stride 1 and an odd kernel, SAME is symmetric and the convolution can do it itself.
        super().__init__(n_in, n_out, kernel, stride, padding=0 if stride > 1 else kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            kernel = (self.kernel_size[0],) * 3
            x = _pad_same(x, kernel, (self.stride[0],) * 3)
        return F.relu_(super().forward(x))


class _MaxPool(nn.Module):
    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool3d(_pad_same(x, self.kernel, self.stride), self.kernel, self.stride)


class _Mixed(nn.Module):
    """Inception block: four branches over the same input, joined along the channels."""

    def __init__(self, n_in: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        w0, w1a, w1b, w2a, w2b, w3 = widths
        self.Branch_0 = nn.ModuleDict({"Conv3d_0a_1x1": _Unit(n_in, w0, 1)})
        self.Branch_1 = nn.ModuleDict(
            {"Conv3d_0a_1x1": _Unit(n_in, w1a, 1), "Conv3d_0b_3x3": _Unit(w1a, w1b, 3)}
        )
        self.Branch_2 = nn.ModuleDict(
            {"Conv3d_0a_1x1": _Unit(n_in, w2a, 1), "Conv3d_0b_3x3": _Unit(w2a, w2b, 3)}
        )
        self.Branch_3 = nn.ModuleDict({"Conv3d_0b_1x1": _Unit(n_in, w3, 1)})

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.max_pool3d(x, 3, 1, padding=1)
        branches = []
        for start, branch in (
            (x, self.Branch_0),
            (x, self.Branch_1),
            (x, self.Branch_2),
            (pooled, self.Branch_3),
        ):
            y = start
            for unit in branch.values():
                y = unit(y)
            branches.append(y)
        return torch.cat(branches, dim=1)


class InceptionI3D(nn.Module):
    """I3D on Inception-v1, as published for Kinetics-400.

    Input of both methods: float32 (B, 3, T, H, W), RGB in [-1, 1]; T = 16, H = W = 224 by recipe,
    other sizes work as long as T >= 9 and H, W >= 193 for :meth:`logits`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = _Unit(3, 64, 7, stride=2)
        self.MaxPool3d_2a_3x3 = _MaxPool((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = _Unit(64, 64, 1)
        self.Conv3d_2c_3x3 = _Unit(64, 192, 3)
        self.MaxPool3d_3a_3x3 = _MaxPool((1, 3, 3), (1, 2, 2))
        self.Mixed_3b = _Mixed(*_MIXED["Mixed_3b"])
        self.Mixed_3c = _Mixed(*_MIXED["Mixed_3c"])
        self.MaxPool3d_4a_3x3 = _MaxPool((3, 3, 3), (2, 2, 2))
        self.Mixed_4b = _Mixed(*_MIXED["Mixed_4b"])
        self.Mixed_4c = _Mixed(*_MIXED["Mixed_4c"])
        self.Mixed_4d = _Mixed(*_MIXED["Mixed_4d"])
        self.Mixed_4e = _Mixed(*_MIXED["Mixed_4e"])
        self.Mixed_4f = _Mixed(*_MIXED["Mixed_4f"])
        self.MaxPool3d_5a_2x2 = _MaxPool((2, 2, 2), (2, 2, 2))
        self.Mixed_5b = _Mixed(*_MIXED["Mixed_5b"])
        self.Mixed_5c = _Mixed(*_MIXED["Mixed_5c"])
        self.Logits = nn.ModuleDict({"Conv3d_0c_1x1": nn.Conv3d(FEATURE_DIM, N_CLASSES, 1)})

    def maps(self, x: Tensor) -> Tensor:
        """Return Mixed_5c, (B, 1024, ceil(T/8), ceil(H/32), ceil(W/32)), values >= 0."""
        for name, layer in self.named_children():
            if name != "Logits":
                x = layer(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (B, 1024): the mean of Mixed_5c over time and space."""
        return self.maps(x).mean(dim=(2, 3, 4))

    def logits(self, x: Tensor) -> Tensor:
        """Return Kinetics-400 logits (B, 400), averaged over time as published."""
        pooled = F.avg_pool3d(self.maps(x), (2, 7, 7), stride=1)
        logits: Tensor = self.Logits["Conv3d_0c_1x1"](pooled)
        return logits.mean(dim=(2, 3, 4))
