"""The names of views: which part of a frame the backbone sees, and in what order several of them lie.

Pixels are the business of :mod:`vadpipe.extract.view_crops`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vadpipe.errors import UsageError
from vadpipe.files.arguments import names_of

PARTS = ("whole", "left", "right", "top-left", "top-right", "centre", "bottom-left", "bottom-right")
"""The possible parts of a frame. ``whole``: all of it, squeezed to a square, since what matters in
CCTV often happens at the edge. ``left`` and ``right``: the squares at the two ends of the long side, as high
as the frame; of an upright frame the upper and the lower one; of a frame more than twice as wide as high its
halves, squeezed to squares, so that they always see all of it. The others are smaller squares of the frame,
of which ``centre`` is usual for Kinetics."""

_FLIP = "-flip"

_CORNERS = PARTS[3:]
_MIRRORED = ("whole", "right", "left", "top-right", "top-left", "centre", "bottom-right", "bottom-left")

VIEWS = (*PARTS, *(part + _FLIP for part in _MIRRORED))
"""Every view, in the order in which several lie on the axis C of features. ``NAME-flip`` is the view NAME,
mirrored; these come as a mirrored frame shows them from left to right."""

CROPS = (1, 5, 10)
"""How many squares a snippet has in the field's feature files."""

CROP_VIEWS = {5: _CORNERS, 10: (*_CORNERS, *VIEWS[-5:])}
"""Five crops are top left, top right, centre, bottom left and bottom right; ten are the same five, then the
five of the mirrored frame. It is the order of the widely used I3D_Feature_Extraction_resnet (its function
``oversample_data``); torchvision's TenCrop has the centre last of each five."""


Shares = tuple[float, float, float, float]
"""(left, top, right, bottom) of a rectangle, as shares of the picture's width and height, in [0, 1]."""

WHOLE: Shares = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Place:
    """Where in the picture something is: the part of it that a view shows.

    Attributes:
        view: one of :data:`PARTS`; of a mirrored view the part that it mirrors.
        box: what that is of the picture as shown; None if the picture's size is not known.
    """

    view: str
    box: Shares | None = None

    @property
    def name(self) -> str:
        """What people call it: ``"left"``, ``"top right"``, ``"whole frame"``.

        ``left`` and ``right`` of an upright picture are its ``"top"`` and ``"bottom"``. Where no box tells,
        it is the view that is named: ``"view left"``.
        """
        if self.box is None:
            return f"view {self.view}"
        if self.box == WHOLE:
            return "whole frame"
        if self.view in ("left", "right") and self.box[0] == 0 and self.box[2] == 1:
            return "top" if self.view == "left" else "bottom"
        return self.view.replace("-", " ")


def part_of(view: str) -> str:
    """Return which part of the frame a view shows, mirrored or not."""
    return view.removesuffix(_FLIP)


def is_mirrored(view: str) -> bool:
    """Return whether a view shows its part mirrored."""
    return view.endswith(_FLIP)


def only_whole(views: Iterable[str]) -> bool:
    """Return whether all of these show the whole frame, so that it can be decoded as a square."""
    return all(part_of(view) == "whole" for view in views)


def fill_short_side(views: Iterable[str]) -> bool:
    """Return whether all of these show the whole short side, so that none is a crop of a larger frame."""
    return all(part_of(view) in PARTS[:3] for view in views)


def only_ends(views: Iterable[str]) -> bool:
    """Return whether all of these are ends of the frame, whose short side can be decoded to their size."""
    return all(part_of(view) in ("left", "right") for view in views)


def parse_views(view: str | Iterable[str]) -> tuple[str, ...]:
    """Return the requested views, in the order of :data:`VIEWS`.

    Args:
        view: names with commas between them, or one by one.

    Raises:
        UsageError: if one does not exist, or is named twice.
    """
    names = [name.strip() for name in (view.split(",") if isinstance(view, str) else names_of(view, "view"))]
    for name in names or [""]:
        if name not in VIEWS:
            near = difflib.get_close_matches(name, VIEWS, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise UsageError(
                f"unknown view {name!r}",
                next_step=f"{hint}Choose from: {', '.join(PARTS)}; or mirrored, such as {PARTS[0]}{_FLIP}.",
            )
        if names.count(name) > 1:
            raise UsageError(f"the view {name} is named twice", next_step="Name each view once.")
    return tuple(name for name in VIEWS if name in names)


def text_of(views: Sequence[str]) -> str:
    """Return how a recipe names its views: by ``"crops"`` for five or ten crops, else with commas."""
    return "crops" if tuple(views) in CROP_VIEWS.values() else ",".join(views)


def views_of(text: str, n_views: int) -> tuple[str, ...]:
    """Return the names of a recipe's views, or their numbers where it does not say which they are.

    Args:
        text: as :func:`text_of` gives it; of features that were made elsewhere anything.
        n_views: C.
    """
    names = CROP_VIEWS.get(n_views, ()) if text == "crops" else tuple(text.split(","))
    return names if len(names) == n_views and are_named(names) else tuple(map(str, range(n_views)))


def are_named(views: Iterable[str]) -> bool:
    """Return whether these are names of views, and not only numbers."""
    return all(view in VIEWS for view in views)
