"""Axis order of published features: any layout is brought to rows, crops, dimensions."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError
from vadpipe.features.views import CROPS

LAYOUTS = ("auto", "td", "tcd", "ctd")
"""The order of a file's axes: T rows, C crops, D numbers of a feature. ``auto`` recognises it."""


def in_order(
    array: NDArray[np.float32],
    file: str | os.PathLike[str],
    *,
    layout: str = "auto",
    crops: int | None = None,
    feature_dim: int | None = None,
) -> NDArray[np.float32]:
    """Bring an array into the order (T, C, D).

    Two axes are [T, D]. A transposed [D, T] looks just like it, so it is treated as one only where
    ``feature_dim`` tells. Of three axes, D is the last and C is 1, 5 or 10: where only one of the first two
    can be C, it is; where both can (``[10, 10, D]``, or one row of ten crops), nothing is guessed.

    Networks leave axes of size 1 where they pooled time and space (``[T, D, 1, 1, 1]``): trailing ones are
    dropped as long as rows, dimensions and the given crops remain.

    Args:
        array: with two or three axes, and any number of size 1 after them.
        file: where it lies, for messages.
        layout: one of :data:`LAYOUTS`.
        crops: C where it is known.
        feature_dim: D where it is known.

    Returns:
        (T, C, D) float32.

    Raises:
        FeatureError: if the axes do not match the arguments, or are ambiguous.
    """
    shape = array.shape
    fewest = 3 if layout in ("tcd", "ctd") or crops not in (None, 1) else 2
    while array.ndim > fewest and array.shape[-1] == 1:
        array = array[..., 0]
    if feature_dim is not None and array.ndim == 2 and array.shape[0] == feature_dim != array.shape[1]:
        array = array.T
    if feature_dim is not None and array.shape[-1:] != (feature_dim,):
        raise FeatureError(
            f"has the shape {shape}, whose last axis is not {feature_dim}",
            file=file,
            next_step="Correct --feature-dim, or reorder the axes to rows, crops, dimensions.",
        )
    fitting = [name for name in _fitting(array.shape, crops) if layout in ("auto", name)]
    if len(fitting) > 1:
        raise FeatureError(
            f"has the shape {shape}: either of the first two axes could be the crops",
            file=file,
            next_step="Use --layout tcd (rows first) or --layout ctd (crops first).",
        )
    if not fitting:
        raise FeatureError(
            f"has the shape {shape}, which is not {_wanted(layout, crops)}",
            file=file,
            next_step="Correct --layout or --crops, or omit them.",
        )
    if fitting == ["td"]:
        return array[:, None]
    return array if fitting == ["tcd"] else array.transpose(1, 0, 2)


def _fitting(shape: Sequence[int], crops: int | None) -> list[str]:
    """Return the layouts that a shape can have."""
    possible = CROPS if crops is None else (crops,)
    if len(shape) == 2:
        return ["td"] if 1 in possible else []
    if len(shape) != 3:
        return []
    return [name for name, n_crops in (("tcd", shape[1]), ("ctd", shape[0])) if n_crops in possible]


def _wanted(layout: str, crops: int | None) -> str:
    """Return which shapes would have been valid."""
    counts = "1, 5 or 10" if crops is None else str(crops)
    shapes = {
        "td": "[rows, numbers]",
        "tcd": f"[rows, crops, numbers] with {counts} crops",
        "ctd": f"[crops, rows, numbers] with {counts} crops",
    }
    if layout == "auto":
        return " or ".join(shapes[name] for name in LAYOUTS[1:] if name != "td" or crops in (None, 1))
    return shapes[layout]
