"""Loading a backbone with its pretrained weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from vadpipe.errors import WeightsError
from vadpipe.extract.backbones.registry import Backbone
from vadpipe.weights import cache


class ClipNetwork(nn.Module):
    """A backbone that takes pixels as they are decoded; the normalisation is a part of it.

    Input (B, T, H, W, 3) uint8 RGB; output features (B, D) float32, or the maps (B, P, h, w, D) of a backbone
    that gives them.

    Args:
        backbone: its record.
        network: of that backbone.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, backbone: Backbone, network: nn.Module) -> None:
        super().__init__()
        self.network, self.maps = network, backbone.maps
        # (rgb / 255 - mean) / std, as one product and one sum
        std = 255 * torch.tensor(backbone.std)
        self.register_buffer("scale", (1 / std).view(1, 3, 1, 1, 1))
        self.register_buffer("shift", (-255 * torch.tensor(backbone.mean) / std).view(1, 3, 1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the features or maps of a batch of clips."""
        x = pixels.permute(0, 4, 1, 2, 3).to(self.scale.dtype) * self.scale + self.shift
        if not self.maps:
            features: Tensor = self.network(x)
            return features.float()
        maps = cast("Callable[[Tensor], Tensor]", self.network.maps)(x)
        return maps.permute(0, 2, 3, 4, 1).float()


def load_network(
    backbone: Backbone, *, weights: Path | None = None, offline: bool = False
) -> tuple[ClipNetwork, str]:
    """Build a backbone and load its pretrained weights, all of them or none.

    Args:
        backbone: a record.
        weights: the published weights in a local file, instead of the cache or a download.
        offline: never download anything.

    Returns:
        The network in evaluation mode on the CPU, and the sha256 of the published weights file.

    Raises:
        WeightsError: if the weights are missing, damaged, or made for something else.
    """
    from safetensors.torch import load_file

    ready = cache.ready(backbone.weights, local=weights, offline=offline)
    network = backbone.build()
    load_all(network, load_file(ready.path), backbone.name, weights or ready.path)
    return ClipNetwork(backbone, network).eval().requires_grad_(False), ready.sha256


def load_all(network: nn.Module, state: dict[str, Tensor], name: str, file: Path) -> None:
    """Load a state dict whose keys and shapes are exactly those of the network.

    Raises:
        WeightsError: if one is missing, unknown or misshapen; the network is left as it was.
    """
    wanted = network.state_dict()
    missing = sorted(wanted.keys() - state.keys())
    foreign = sorted(state.keys() - wanted.keys())
    shapes = sorted(key for key in wanted.keys() & state.keys() if wanted[key].shape != state[key].shape)
    if missing or foreign or shapes:
        first = (missing or foreign or shapes)[0]
        raise WeightsError(
            f"is not for {name}: {len(missing)} missing, {len(foreign)} unknown and {len(shapes)} "
            f"misshapen entries, first {first}",
            file=file,
            next_step=f"Use the weights published for {name}; 'vadpipe weights list' shows them.",
        )
    network.load_state_dict(state)
