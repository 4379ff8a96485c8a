"""What a scorer needs of a head, wherever its network runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.commands import refusal
from vadpipe.features.file import Features
from vadpipe.head.record import HeadRecord


class ScoringHead(ABC):
    """A head that is ready to score features of its recipe: one of a head file, or an exported one.

    Attributes:
        record: its settings, recipe and calibration.
    """

    record: HeadRecord

    @abstractmethod
    def snippet_scores(self, features: Features) -> NDArray[np.float32]:
        """Return the score of each snippet, (S,) float32 in [0, 1], guided, its views joined to one.

        A snippet that could not be decoded has NaN. Features may hold only some of the views that the head
        was trained on; the maximum, or the mean, is over those.

        Raises:
            FeatureError: if the features were made by another recipe.
        """

    @abstractmethod
    def view_scores(self, features: Features) -> NDArray[np.float32]:
        """Return the score of each snippet in each view separately, (S, C) float32 in [0, 1].

        Of a head that joins views by their maximum, :func:`join_views` gives its scores from these, without
        running it again. A snippet that could not be decoded has NaN in all.

        Raises:
            FeatureError: if the features were made by another recipe.
        """

    @abstractmethod
    def scores_if(self, features: Features, snippet: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what score a snippet would have with other features in its place, (V,) float32.

        All other snippets stay what they are.

        Args:
            features: of the whole video.
            snippet: which, one that could be decoded.
            values: (V, C, D) float32, the features that it would have.

        Raises:
            FeatureError: if the features were made by another recipe.
        """

    @property
    def joins_by_max(self) -> bool:
        """Whether a score is the maximum of the separate scores of the views."""
        return self.record.settings.view_join == "max"

    def check_views(self, views: Sequence[str], file: Path) -> None:
        """Check that the head was trained on views that it is to score by.

        Args:
            views: names of :data:`vadpipe.features.views.VIEWS`.
            file: the head's, for the message.

        Raises:
            UsageError: if it was not trained on one of them.
        """
        known = self.record.recipe.views
        for view in views:
            if view not in known:
                raise UsageError(
                    f"the head was not trained on the view {view}",
                    file=file,
                    next_step=f"Choose from its own views: {', '.join(known)}.",
                )

    def check_recipe(self, features: Features) -> None:
        """Raise FeatureError if features were made by another recipe than the head's."""
        refused = refusal(self.record.recipe, features.recipe)
        if refused is not None:
            reason, next_step = refused
            raise FeatureError(reason, file=features.source.video, next_step=next_step)


def join_views(view_scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the highest score of each snippet, (S,), of those of its views (S, C); NaN where it has none."""
    highest: NDArray[np.float32] = view_scores.max(axis=1)
    return highest
