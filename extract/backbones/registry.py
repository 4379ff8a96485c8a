"""The registry of backbones, with the preprocessing of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vadpipe.errors import UsageError
from vadpipe.features.sampling import SNIPPET_FRAMES
from vadpipe.weights import I3D_INT8, registry

if TYPE_CHECKING:  # the records are read without loading torch
    from torch import nn

DEFAULT = "i3d"


@dataclass(frozen=True)
class Backbone:
    """A network and the way its input is prepared.

    Attributes:
        name: what ``--backbone`` takes.
        build: makes the network without weights; its forward maps (B, 3, clip_frames, input_px, input_px)
            float32 to features (B, feature_dim).
        layer: what of the network is taken as the feature.
        feature_dim: D.
        clip_frames: how many of a snippet's 16 frames it sees, evenly spaced. 16 where the network takes any
            number; fewer where it was trained on fewer frames that lie further apart.
        input_px: side of the square that the network sees.
        resize_px: short side of the frame from which squares are cut.
        mean, std: each channel is ``(rgb / 255 - mean) / std``.
        weights: where its pretrained weights come from.
        paper: what to cite.
        quantised: the network in int8 for OpenVINO, which vadpipe brings; None if it does not. It takes
            clips of any number of frames that 8 divides, and any sides that 32 divides.
        maps: whether its maps are given, of which features are means, so that it can run over windows longer
            than a snippet; it has a method ``maps`` then, from the same input to (B, feature_dim, P, h, w).
        view, window, target_fps: the defaults for features of this backbone, see
            :class:`vadpipe.extract.settings.ExtractSettings`; docs/benchmarks.md explains the choice.
    """

    name: str
    build: Callable[[], nn.Module]
    layer: str
    feature_dim: int
    clip_frames: int
    input_px: int
    resize_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: registry.PackagedWeights | registry.UrlWeights
    paper: str
    maps: bool = False
    view: str = "whole"
    window: int | str = SNIPPET_FRAMES
    target_fps: float | Literal["all"] = "all"
    quantised: Path | None = None


def _inception_i3d() -> nn.Module:
    from vadpipe.extract.backbones.inception_i3d import InceptionI3D

    return InceptionI3D()


def _x3d(depth_factor: float) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from vadpipe.extract.backbones.pytorchvideo import x3d

        return x3d(depth_factor)

    return build


def _r50(name: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from vadpipe.extract.backbones import pytorchvideo

        network: nn.Module = getattr(pytorchvideo, name)()
        return network

    return build


_HALF = (0.5, 0.5, 0.5)  # (rgb / 255 - 0.5) / 0.5 lies in [-1, 1]
_MEAN, _STD = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)  # of every network that pytorchvideo publishes
_X3D_PAPER = "Feichtenhofer, CVPR 2020, arXiv 2004.04730"
_I3D_PAPER = "Carreira and Zisserman, CVPR 2017, arXiv 1705.07750"


def _x3d_record(
    name: str, depth: float, clip: int, px: int, resize: int, weights: registry.UrlWeights
) -> Backbone:
    return Backbone(
        name, _x3d(depth), "pooled last block, before its projection to classes", 2048, clip, px, resize,
        _MEAN, _STD, weights, _X3D_PAPER,
    )  # fmt: skip


def _r50_record(name: str, clip: int, weights: registry.UrlWeights, paper: str) -> Backbone:
    return Backbone(
        name, _r50(name), "mean of the last block over time and space", 2048, clip, 224, 256,
        _MEAN, _STD, weights, paper,
    )  # fmt: skip


BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "i3d", _inception_i3d, "mean of Mixed_5c over time and space", 1024, SNIPPET_FRAMES, 224, 256,
            _HALF, _HALF, registry.I3D_KINETICS, _I3D_PAPER, maps=True,
            view="left,right", window="16,64", target_fps=12.5, quantised=I3D_INT8,
        ),
        # Sizes are those of pytorchvideo's published evaluation. XS was trained on 4 frames 12 apart; S on
        # 13, which do not lie evenly in 16, and X3D has no temporal stride, so that S takes all 16.
        _x3d_record("x3d_xs", 2.2, 4, 182, 182, registry.X3D_XS),
        _x3d_record("x3d_s", 2.2, 16, 182, 182, registry.X3D_S),
        _x3d_record("x3d_m", 2.2, 16, 256, 256, registry.X3D_M),
        _x3d_record("x3d_l", 5.0, 16, 312, 356, registry.X3D_L),
        _r50_record("i3d_r50", 8, registry.I3D_R50, _I3D_PAPER),
        _r50_record("slow_r50", 8, registry.SLOW_R50, "Feichtenhofer et al., ICCV 2019, arXiv 1812.03982"),
        _r50_record("r2plus1d_r50", 16, registry.R2PLUS1D_R50, "Tran et al., CVPR 2018, arXiv 1711.11248"),
    )
}  # fmt: skip


def find_backbone(name: str) -> Backbone:
    """Return the record of a backbone. Raises UsageError for an unknown name."""
    try:
        return BACKBONES[name]
    except KeyError:
        raise UsageError(
            f"unknown backbone {name!r}", next_step=f"Choose one of: {', '.join(BACKBONES)}."
        ) from None
