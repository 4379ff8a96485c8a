"""Graphs in ONNX."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from vadpipe.errors import UsageError
from vadpipe.export.clip_shape import ClipShape
from vadpipe.export.graphs import BackboneGraph, HeadGraph
from vadpipe.files.atomic import atomic_path

OPSET = 17
"""The first that has layer normalisation; every ONNX Runtime since 1.12 reads it."""

Axes = dict[str, dict[int, str]]

BACKBONE_AXES: Axes = {"frames": {0: "clips"}, "features": {0: "clips"}}
"""Of clips that are all as long as each other."""

WINDOWS_AXES: Axes = {"frames": {0: "clips", 1: "frames"}, "features": {0: "clips", 1: "positions"}}
"""Of a backbone that is given clips of several lengths."""

HEAD_AXES: Axes = {
    "features": {0: "snippets", 1: "views"},
    "scores": {0: "snippets"},
    "view_scores": {0: "snippets", 1: "views"},
}
_SNIPPETS = 40  # of the example that is traced; any number but one that is special somewhere


def check_onnx() -> None:
    """Raise UsageError where onnx or ONNX Runtime is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"{error.name} is not installed, which an export needs", next_step="pip install 'vadpipe[onnx]'."
        ) from error


def write_backbone(graph: BackboneGraph, shape: ClipShape, path: Path) -> None:
    """Write the graph of a backbone for clips of this shape."""
    n_frames = min(shape.lengths)  # the cheapest that can be traced, where there are several
    example = torch.zeros((1, n_frames, shape.side_px, shape.side_px, 3), dtype=torch.uint8)
    axes = BACKBONE_AXES if shape.n_frames is not None else WINDOWS_AXES
    _write(graph, example, path, list(axes), axes)


def write_head(graph: HeadGraph, n_views: int, width: int, path: Path) -> None:
    """Write the graph of a head of features (T, n_views, width)."""
    names = ["features", "scores", *(["view_scores"] if graph.by_view else [])]
    example = torch.linspace(-1, 1, _SNIPPETS * n_views * width).reshape(_SNIPPETS, n_views, width)
    _write(graph, example, path, names, {name: HEAD_AXES[name] for name in names})


def _write(graph: nn.Module, example: Tensor, path: Path, names: Sequence[str], axes: Axes) -> None:
    """Write a graph of one input, the first of the names.

    By torch's exporter of traces: the one of exported programs needs a further package, and refuses heads
    that decide by numbers they have learned, such as whether a cluster was ever seen.
    """
    with atomic_path(path) as temporary, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes and decisions that are kept as they are, which is meant
        torch.onnx.export(
            graph.eval(),
            (example,),
            temporary,
            input_names=[names[0]],
            output_names=[*names[1:]],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
