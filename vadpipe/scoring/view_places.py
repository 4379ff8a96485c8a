"""Localisation by views: each view shows a part of the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.video.timeline import scaled_to
from vadpipe.extract.view_crops import box_of
from vadpipe.features.file import Features, Source
from vadpipe.features.recipe import Recipe
from vadpipe.features.views import Place, are_named, part_of
from vadpipe.head.scoring_head import ScoringHead

_DIGITS = 6  # of a share, as documents have it: a millionth of the picture


@dataclass(frozen=True)
class ViewPlaces:
    """The places that views show, each once, however many views show it.

    Attributes:
        places: in the order of their first views; P of them.
        of_view: (C,) of each view the index of its place.
    """

    places: tuple[Place, ...]
    of_view: NDArray[np.intp]

    def scores(self, view_scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the highest score among the views of each place, (S, P), of those of the views (S, C)."""
        by_place = [view_scores[:, self.of_view == place] for place in range(len(self.places))]
        return np.stack([scores.max(axis=1) for scores in by_place], axis=1)


def view_places(head: ScoringHead, features: Features) -> ViewPlaces | None:
    """Return the places of a video that the scores of a head can distinguish, or None.

    They can if the head takes the highest score of several views, each scored separately, and these show
    different parts of the frame. A view and its mirror image are one place; so are all views that show the
    same rectangle, such as ``whole`` and ``left`` of a square picture.

    Args:
        head: that scores the features.
        features: of the video. Those that were made elsewhere do not say what their views show; those that do
            not know the size of the picture give places without boxes.
    """
    recipe = features.recipe
    if not head.joins_by_max or recipe.imported or not are_named(recipe.views):
        return None
    shown = [_place(view, recipe, features.source) for view in recipe.views]
    keys = [place.box or place.view for place in shown]
    distinct = list(dict.fromkeys(keys))
    if len(distinct) < 2:
        return None
    places = tuple(shown[keys.index(key)] for key in distinct)
    return ViewPlaces(places, np.array([distinct.index(key) for key in keys]))


def _place(view: str, recipe: Recipe, source: Source) -> Place:
    """Return what a view shows of a video, by the size that its frames were decoded to."""
    part = part_of(view)
    if source.width_px is None or source.height_px is None:
        return Place(part)
    width, height = scaled_to(recipe.resize_px, source.width_px, source.height_px)
    top, left, bottom, right = box_of(part, height, width, recipe.input_px)
    shares = (left / width, top / height, right / width, bottom / height)
    left_share, top_share, right_share, bottom_share = (round(share, _DIGITS) for share in shares)
    return Place(part, (left_share, top_share, right_share, bottom_share))
