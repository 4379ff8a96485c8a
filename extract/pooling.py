"""Pooling of a backbone's last maps to features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def positions(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the feature of each position in time, (P, D) float32.

    Args:
        output: what an engine gives for a clip: maps (P, h, w, D), the features (P, D) of its positions, or
            one feature (D,) of all of it, which counts as one position.
    """
    if output.ndim == 2:
        return output
    if output.ndim == 1:
        return output[None]
    features: NDArray[np.float32] = output.mean(axis=(1, 2), dtype=np.float32)
    return features
