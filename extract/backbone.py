"""The backbones by name: what each one is, and how its input is prepared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vadpipe.errors import UsageError
from vadpipe.extract.snippets import SNIPPET_FRAMES
from vadpipe.features import Recipe
from vadpipe.weights import registry

if TYPE_CHECKING:  # the records are read without loading torch
    from torch import nn

DEFAULT = "i3d"

DEFAULT_VIEW = "whole"
VIEWS = ("whole", "centre")
"""What the network sees of a frame. ``whole``: all of it, squeezed to a square, since what matters in
CCTV often happens at the edge. ``centre``: the middle square, as is usual for Kinetics."""


@dataclass(frozen=True)
class Backbone:
    """A network and the way its input is prepared.

    Attributes:
        name: what ``--backbone`` takes.
        build: makes the network without weights; its forward maps (B, 3, 16, input_px, input_px)
            float32 to features (B, feature_dim).
        feature_dim: D.
        input_px: side of the square that the network sees.
        resize_px: short side of the frame from which the centre view is cut.
        mean, std: each channel is ``(rgb / 255 - mean) / std``.
        weights: where its pretrained weights come from; None means that a file has to be named.
        paper: what to cite.
    """

    name: str
    build: Callable[[], nn.Module]
    feature_dim: int
    input_px: int
    resize_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: registry.PackagedWeights | None
    paper: str

    def recipe(self, *, view: str, weights_sha256: str, decoder: str, engine: str) -> Recipe:
        """Return the record of features that this backbone makes."""
        return Recipe(
            backbone=self.name,
            weights_sha256=weights_sha256,
            feature_dim=self.feature_dim,
            snippet_frames=SNIPPET_FRAMES,
            stride_frames=SNIPPET_FRAMES,
            view=view,
            resize_px=self.input_px if view == "whole" else self.resize_px,
            input_px=self.input_px,
            crops=1,
            mean=self.mean,
            std=self.std,
            decoder=decoder,
            engine=engine,
        )


def _inception_i3d() -> nn.Module:
    from vadpipe.extract.inception_i3d import InceptionI3D

    return InceptionI3D()


def _x3d_s() -> nn.Module:
    from vadpipe.extract.x3d import X3DFeatures

    return X3DFeatures(depth_factor=2.2)


_HALF = (0.5, 0.5, 0.5)  # (rgb / 255 - 0.5) / 0.5 lies in [-1, 1]

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            name="i3d",
            build=_inception_i3d,
            feature_dim=1024,
            input_px=224,
            resize_px=256,
            mean=_HALF,
            std=_HALF,
            weights=registry.I3D_KINETICS,
            paper="Carreira and Zisserman, CVPR 2017, arXiv 1705.07750",
        ),
        Backbone(
            name="x3d_s",
            build=_x3d_s,
            feature_dim=2048,
            input_px=182,
            resize_px=182,
            mean=(0.45, 0.45, 0.45),
            std=(0.225, 0.225, 0.225),
            weights=None,
            paper="Feichtenhofer, CVPR 2020, arXiv 2004.04730",
        ),
    )
}


def find_backbone(name: str) -> Backbone:
    """Return the record of a backbone. Raises UsageError where there is none of that name."""
    try:
        return BACKBONES[name]
    except KeyError:
        raise UsageError(
            f"there is no backbone {name!r}", next_step=f"Choose one of: {', '.join(BACKBONES)}."
        ) from None


def check_view(name: str) -> str:
    """Return the view's name. Raises UsageError where there is none of that name."""
    if name not in VIEWS:
        raise UsageError(f"there is no view {name!r}", next_step=f"Choose one of: {', '.join(VIEWS)}.")
    return name
