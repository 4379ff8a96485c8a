"""An exported head at work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError
from vadpipe.exported.card import Cut
from vadpipe.exported.runtimes import Graph
from vadpipe.features.file import Features
from vadpipe.head.record import HeadRecord
from vadpipe.head.scoring_head import ScoringHead

AT_ONCE = 2048
"""Snippets of a piece, where the head may be given pieces."""


@dataclass(frozen=True)
class ExportedHead(ScoringHead):
    """The graph of a head, as a head.

    Attributes:
        graph: from features (T, C, D) to scores (T,), and of a head that joins views by their maximum also
            to the scores of views (T, C).
        record: of the head.
        cut: whether it may be given pieces of a video.
    """

    graph: Graph
    record: HeadRecord
    cut: Cut

    def snippet_scores(self, features: Features) -> NDArray[np.float32]:
        """Return the score of each snippet, its views joined; see :meth:`ScoringHead.snippet_scores`."""
        return self._scores(features, 0)

    def view_scores(self, features: Features) -> NDArray[np.float32]:
        """Return the score of each snippet in each view separately; see :meth:`ScoringHead.view_scores`."""
        if self.joins_by_max:
            return self._scores(features, 1)
        views = [self._scores(features, 0, slice(view, view + 1)) for view in range(features.recipe.crops)]
        return np.stack(views, axis=1)

    def scores_if(self, features: Features, snippet: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a snippet's scores with other features in its place; see :meth:`ScoringHead.scores_if`."""
        self.check_recipe(features)
        kept = np.flatnonzero(~features.lost)
        place = int(np.searchsorted(kept, snippet))
        first, stop = self._near(place, place + 1, len(kept))
        near = features.values[kept[first:stop]].copy()
        scores = np.empty(len(values), np.float32)
        for index, value in enumerate(values):
            near[place - first] = value
            scores[index] = self._run(near, 0, features)[place - first]
        return scores

    def _scores(self, features: Features, output: int, views: slice = slice(None)) -> NDArray[np.float32]:
        """Return one of the graph's outputs for each snippet, (S, ...); NaN for one that is lost."""
        self.check_recipe(features)
        kept = np.flatnonzero(~features.lost)
        shape = (len(features.lost), features.recipe.crops) if output else (len(features.lost),)
        scores = np.full(shape, np.nan, dtype=np.float32)
        at_once = AT_ONCE if self._in_pieces else max(len(kept), 1)
        for start in range(0, len(kept), at_once):
            stop = min(start + at_once, len(kept))
            first, last = self._near(start, stop, len(kept))
            piece = self._run(features.values[kept[first:last], views], output, features)
            scores[kept[start:stop]] = piece[start - first : stop - first]
        return scores

    def _run(self, values: NDArray[np.float32], output: int, features: Features) -> NDArray[np.float32]:
        """Return one of the graph's outputs, (T,) or (T, C), for values (T, C, D).

        Raises:
            FeatureError: if these are no scores of the values.
        """
        outputs = self.graph(values)
        scores = outputs[output] if output < len(outputs) else None
        wanted = values.shape[: output + 1]
        if scores is None or scores.shape != wanted or not np.isfinite(scores).all():
            raise FeatureError(
                "gets no scores from this exported head, which is damaged",
                file=features.source.video,
                next_step="Export it again with 'vadpipe export'.",
            )
        return scores

    @property
    def _in_pieces(self) -> bool:
        return self.cut.reach_snippets is not None and self.cut.bag_segments is None

    def _near(self, start: int, stop: int, n_kept: int) -> tuple[int, int]:
        """Return the places [first, last) that the scores of [start, stop) depend on."""
        if not self._in_pieces:
            return 0, n_kept
        reach = self.cut.reach_snippets or 0
        return max(0, start - reach), min(n_kept, stop + reach)
