"""A small backbone that runs over time, with the layers of I3D, so that it pads and halves as that does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

import vadpipe
from support.head_settings import QUICK
from support.videos import write_video
from vadpipe.extract.backbones.inception_i3d import _MaxPool, _Mixed, _Unit
from vadpipe.extract.backbones.loading import ClipNetwork
from vadpipe.extract.backbones.registry import BACKBONES, Backbone

FEATURE_DIM = 16


class Small(nn.Module):
    """One position for each 8 frames and 32 pixels of a side."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Unit(3, 8, 7, stride=2),
            _MaxPool((1, 3, 3), (1, 2, 2)),
            _MaxPool((3, 3, 3), (2, 2, 2)),
            _Mixed(8, (4, 4, 4, 4, 4, 4)),
            _MaxPool((2, 2, 2), (2, 2, 2)),
        )

    def maps(self, x: Tensor) -> Tensor:
        """Return (B, 16, T / 8, H / 16, W / 16)."""
        maps: Tensor = self.layers(x)
        return maps


SMALL = replace(
    BACKBONES["x3d_xs"], name="small", build=Small, feature_dim=FEATURE_DIM, clip_frames=16, input_px=32,
    resize_px=40, maps=True, window="16,64",
)  # fmt: skip


def small_network(record: Backbone = SMALL) -> ClipNetwork:
    """Return it with random numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ClipNetwork(record, record.build()).eval().requires_grad_(False)


def write_small_weights(path: Path) -> Path:
    """Write these numbers as published weights."""
    torch.save({"model_state": small_network().network.state_dict()}, path)
    return path


@contextmanager
def small_registered() -> Iterator[None]:
    """Have vadpipe know it by its name, ``small``."""
    BACKBONES[SMALL.name] = SMALL
    try:
        yield
    finally:
        del BACKBONES[SMALL.name]


def fit_small_head(folder: Path, **settings: object) -> tuple[Path, Path]:
    """Return a head fitted on features by two windows of two small videos, and the weights of the backbone."""
    weights = write_small_weights(folder / "small.pyth")
    write_video(folder / "videos/normal/a.mp4", 100)
    write_video(folder / "videos/fight/b.mp4", 70, size=(120, 160))
    known = vadpipe.ExtractSettings(backbone="small", weights=weights, view="left,right")
    vadpipe.extract_features([folder / "videos"], folder / "features", settings=known)
    changed = QUICK.model_copy(update=settings)
    return vadpipe.fit(folder / "features", output=folder / "head", settings=changed).head, weights
