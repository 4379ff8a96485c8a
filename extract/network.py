"""Load a backbone's weights, all of them or none, and run it on snippets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vadpipe.errors import WeightsError
from vadpipe.extract.backbone import DEFAULT, DEFAULT_VIEW, Backbone, check_view, find_backbone
from vadpipe.extract.timeline import Timeline
from vadpipe.weights import cache


class LoadedBackbone:
    """A backbone with its weights on a device, ready to be called.

    Attributes:
        backbone: the record.
        view: which part of a frame it sees.
        weights_sha256: digest of the published weights file.
        device: where it runs.
    """

    def __init__(
        self, backbone: Backbone, view: str, network: nn.Module, weights_sha256: str, device: torch.device
    ) -> None:
        self.backbone = backbone
        self.view = view
        self.weights_sha256 = weights_sha256
        self.device = device
        self._network = network.eval().to(device)
        self._mean = torch.tensor(backbone.mean, device=device).view(1, 3, 1, 1, 1) * 255
        self._std = torch.tensor(backbone.std, device=device).view(1, 3, 1, 1, 1) * 255

    def size_px(self, timeline: Timeline) -> tuple[int, int]:
        """Return the (width, height) to which frames of a video have to be decoded."""
        if self.view == "whole":
            return self.backbone.input_px, self.backbone.input_px
        return timeline.scaled_to(self.backbone.resize_px)

    @torch.inference_mode()
    def __call__(self, snippet: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features (C, D) of one snippet (16, H, W, 3); both views have C = 1.

        H and W are those of :meth:`size_px`; the middle square is cut out where they exceed the input.
        """
        side = self.backbone.input_px
        top, left = ((length - side) // 2 for length in snippet.shape[1:3])
        square = snippet[:, top : top + side, left : left + side]
        pixels = torch.from_numpy(square).to(self.device).permute(3, 0, 1, 2).unsqueeze(0).float()
        features: Tensor = self._network((pixels - self._mean) / self._std)
        return features.cpu().numpy()


def load_backbone(
    name: str = DEFAULT,
    *,
    view: str = DEFAULT_VIEW,
    weights: Path | None = None,
    device: torch.device | None = None,
) -> LoadedBackbone:
    """Build a backbone and load its pretrained weights, all of them or none.

    Args:
        name: a key of :data:`vadpipe.extract.backbone.BACKBONES`.
        view: one of :data:`vadpipe.extract.backbone.VIEWS`.
        weights: the published weights in a local file, instead of the cache or a download.
        device: where it runs; the CPU by default.

    Raises:
        UsageError: where there is no such backbone or view.
        WeightsError: where the weights are missing, damaged, or made for something else.
    """
    backbone, view = find_backbone(name), check_view(view)
    network = backbone.build()
    if backbone.weights is not None:
        digest = backbone.weights.sha256
        state = _read_safetensors(cache.converted(backbone.weights, weights))
    else:
        state, digest = _read_local(backbone, weights)
    _load_all(network, state, backbone.name, weights)
    return LoadedBackbone(backbone, view, network, digest, device or torch.device("cpu"))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def _read_local(backbone: Backbone, weights: Path | None) -> tuple[dict[str, Tensor], str]:
    if weights is None:
        raise WeightsError(
            f"the backbone {backbone.name} has no weights that vadpipe can fetch yet",
            next_step="Name the published Kinetics weights in a local file with --weights FILE.",
        )
    try:
        digest = cache.digest(weights)
        # weights_only admits tensors and plain containers; torch >= 2.10 has no known way around it.
        content = torch.load(weights, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", file=weights) from error
    except Exception as error:  # torch raises many kinds for a damaged or hostile file
        raise WeightsError("is not a file of weights that can be loaded safely", file=weights) from error
    # pytorchvideo publishes {"model_state": {...}}; a bare state dict is taken as well.
    state = content.get("model_state", content) if isinstance(content, dict) else {}
    return state, digest


def _load_all(network: nn.Module, state: dict[str, Tensor], name: str, file: Path | None) -> None:
    wanted = network.state_dict()
    missing = sorted(wanted.keys() - state.keys())
    foreign = sorted(state.keys() - wanted.keys())
    shapes = sorted(key for key in wanted.keys() & state.keys() if wanted[key].shape != state[key].shape)
    if missing or foreign or shapes:
        first = (missing or foreign or shapes)[0]
        raise WeightsError(
            f"does not fit {name}: {len(missing)} missing, {len(foreign)} unknown and {len(shapes)} "
            f"misshapen entries, the first is {first}",
            file=file,
        )
    network.load_state_dict(state)
