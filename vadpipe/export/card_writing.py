"""The card that is written beside the graphs."""

from __future__ import annotations

import math
from pathlib import Path

from vadpipe._version import __version__
from vadpipe.curves.events import DEFAULT_RULE
from vadpipe.export.clip_shape import ClipShape
from vadpipe.export.onnx_files import BACKBONE_AXES, HEAD_AXES, Axes
from vadpipe.exported.card import (
    Card,
    Cut,
    Decoding,
    Events,
    GraphShape,
    PartLicence,
    Smoothing,
    WindowPart,
)
from vadpipe.extract.settings import ExtractSettings
from vadpipe.features.windows import OVERLAP
from vadpipe.files.digest import file_digest
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.weights import SHIPPED_HEAD

_OWN = "Apache-2.0"


def make_card(head: TrainedHead, head_file: Path, settings: ExtractSettings | None, folder: Path) -> Card:
    """Return the card of a model whose graphs are written.

    Args:
        head: that was exported.
        head_file: its file.
        settings: how videos become its features; None where it was trained on imported ones.
        folder: of the graphs.
    """
    record = head.record.model_copy(update={"training_sha256": None})
    known = record.settings
    return Card(
        vadpipe=__version__,
        head_sha256=file_digest(head_file),
        files={path.name: file_digest(path) for path in sorted(folder.iterdir())},
        backbone=None if settings is None else _backbone_shape(settings),
        windows=None if settings is None else _window_parts(settings),
        head=_head_shape(record.recipe.feature_dim, with_views=known.view_join == "max"),
        views=record.recipe.views,
        view_join=known.view_join,
        decoding=None
        if settings is None
        else Decoding(side_px=settings.size.side_px, square=settings.size.square),
        threshold=record.threshold,
        event_rule=Events(**vars(DEFAULT_RULE)),
        smoothing=Smoothing(deviation_snippets=known.smoothing),
        cut=cut_of(head),
        licences=_licences(head_file, settings),
        record=record,
    )


def _backbone_shape(settings: ExtractSettings) -> GraphShape:
    shape = ClipShape.of(settings)
    clips, n_frames = _named(BACKBONE_AXES, "frames"), "frames" if shape.n_frames is None else shape.n_frames
    positions: int | str = "positions" if shape.windowed else 1
    return GraphShape(
        input={"frames": (*clips, n_frames, shape.side_px, shape.side_px, 3)},
        dtype="uint8",
        outputs={"features": (*clips, positions, settings.record.feature_dim)},
    )


def _window_parts(settings: ExtractSettings) -> tuple[WindowPart, ...] | None:
    """Return what the clips of each window are; None where there is one window."""
    if len(settings.windows) == 1:
        return None
    alone = "A snippet by itself, whose feature is the mean of the positions."
    window = (
        f"Windows over the video that share {OVERLAP} frames, the first half of which are taken from the "
        "window before and the others from the one behind. A frame has the feature of its position, and a "
        "snippet the mean of its frames'."
    )
    return tuple(
        WindowPart(frames=sampling.n_seen, how=window if sampling.windowed else alone)
        for sampling in settings.samplings
    )


def _named(axes: Axes, name: str) -> tuple[str, ...]:
    return tuple(axes[name].values())


def _head_shape(width: int, *, with_views: bool) -> GraphShape:
    outputs = ["scores", *(["view_scores"] if with_views else [])]
    return GraphShape(
        input={"features": (*_named(HEAD_AXES, "features"), width)},
        dtype="float32",
        outputs={name: _named(HEAD_AXES, name) for name in outputs},
    )


def cut_of(head: TrainedHead) -> Cut:
    """Return what a score depends on, as :mod:`vadpipe.head.piecewise_scoring` has it."""
    reach, settings = head.network.reach, head.record.settings
    if reach is None:
        how = (
            "Not at all: a score depends on all snippets of the video, through attention. Give the graph all "
            "of them at once; its memory may grow with the square of their number."
        )
        return Cut(reach_snippets=None, bag_segments=None, how=how)
    reach += math.ceil(4 * settings.smoothing)
    if head.network.uses_context:
        how = (
            f"Not at all: a score depends on {reach} snippets to each side and on the context of the video, "
            f"for which the graph squeezes all snippets to {settings.segments} segments. Give it all of them "
            "at once."
        )
        return Cut(reach_snippets=reach, bag_segments=settings.segments, how=how)
    how = (
        f"A score depends on {reach} snippets to each side. Give the graph all of them at once, or pieces "
        f"with {reach} more snippets at each end, whose scores are dropped."
    )
    return Cut(reach_snippets=reach, bag_segments=None, how=how)


def _licences(head_file: Path, settings: ExtractSettings | None) -> tuple[PartLicence, ...]:
    included = head_file == SHIPPED_HEAD
    head = PartLicence(
        part="head",
        licence=_OWN if included else "that of whoever trained it",
        detail="the head that vadpipe includes; trained on the Surveillance Camera Fight Dataset (MIT)"
        if included
        else "a licence of its training data may apply",
    )
    if settings is None:
        return (head,)
    weights = settings.record.weights
    return (
        PartLicence(part="backbone", licence=weights.licence, detail=f"{weights.name}; {weights.paper}"),
        head,
    )
