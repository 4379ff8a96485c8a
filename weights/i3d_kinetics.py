"""Conversion of the published I3D checkpoint to the state dict of InceptionI3D.

The network is :class:`vadpipe.extract.backbones.inception_i3d.InceptionI3D`. The checkpoint is nested dicts
of float32 arrays under ``params`` and ``batch_stats``. A unit holds a kernel (T, H, W, I, O) without bias and
a BatchNorm with ``bias``, ``mean`` and ``var`` but no scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH_NORM_EPS = 1e-3


def fold(checkpoint: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Return ``{"Mixed_3b.Branch_0.Conv3d_0a_1x1.weight": (O, I, T, H, W), "….bias": (O,), …}``.

    Each BatchNorm is folded into the convolution before it: with sigma = sqrt(var + eps),
    ``weight = kernel / sigma`` and ``bias = beta - mean / sigma``. Computed in float64, so that the
    stored float32 values, and with them the digest of the file, do not depend on the machine.

    Raises:
        KeyError: if a kernel has neither a BatchNorm nor a bias of its own.
    """
    arrays = dict(_leaves(checkpoint))
    folded: dict[str, NDArray[np.float32]] = {}
    for path, kernel in arrays.items():
        if not (path.startswith("params/") and path.endswith("/Conv_0/kernel")):
            continue
        unit = path.removeprefix("params/").removesuffix("/Conv_0/kernel")
        weight = kernel.astype(np.float64).transpose(4, 3, 0, 1, 2)
        if f"params/{unit}/Conv_0/bias" in arrays:  # only the classifier
            bias = arrays[f"params/{unit}/Conv_0/bias"].astype(np.float64)
        else:
            norm, stats = f"params/{unit}/BatchNorm_0", f"batch_stats/{unit}/BatchNorm_0"
            sigma = np.sqrt(arrays[f"{stats}/var"].astype(np.float64).ravel() + BATCH_NORM_EPS)
            weight = weight / sigma[:, None, None, None, None]
            bias = arrays[f"{norm}/bias"] - arrays[f"{stats}/mean"].astype(np.float64).ravel() / sigma
        name = unit.replace("/", ".")
        folded[f"{name}.weight"] = np.ascontiguousarray(weight, dtype=np.float32)
        folded[f"{name}.bias"] = np.ascontiguousarray(bias, dtype=np.float32)
    return folded


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield (path, array) of every leaf; the dict keys may hold slashes of their own."""
    for key, value in tree.items():
        here = f"{path}/{key}" if path else key
        if isinstance(value, Mapping):
            yield from _leaves(value, here)
        else:
            yield here, np.asarray(value)
