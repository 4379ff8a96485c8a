"""Scoring a video piece by piece, so that hours of it need no more memory than minutes.

A piece is computed with as many snippets to both sides as its scores depend on; what they see of the whole
video, its context, is pooled in a pass before. So the scores are the same for any size of the pieces. A head
whose attention spans the video, as that of most published ones, gets all of it at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vadpipe.head.bags import edges_of
from vadpipe.head.context import Context
from vadpipe.head.head import Head
from vadpipe.head.scoring_head import join_views

AT_ONCE = 2048
"""Snippets of a piece."""


@dataclass(frozen=True)
class PiecewiseScoring:
    """A head at work on one video.

    Attributes:
        head: in evaluation mode.
        values: (S, C, D) float32, features of all snippets; may be a view of a file.
        kept: (K,) int64, those that could be decoded. They are taken as neighbours of each other, and a place
            is an index into them.
    """

    head: Head
    values: NDArray[np.float32]
    kept: NDArray[np.int64]

    def scores(self) -> NDArray[np.float32]:
        """Return the score of each kept snippet, (K,) float32, its views joined to one."""
        if self.head.settings.view_join == "max":
            return join_views(self.view_scores())
        return self._in_pieces(lambda *piece: self.head.score(*piece)[:, None], 1)[:, 0]

    def view_scores(self) -> NDArray[np.float32]:
        """Return the score of each kept snippet in each view separately, (K, C) float32."""
        return self._in_pieces(self.head.score_views, self.values.shape[1])

    def scores_if(self, place: int, variants: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what score a snippet would have with other features in its place, (V,) float32.

        Args:
            place: of the snippet.
            variants: (V, C, D) float32, the features that it would have.
        """
        first, x = self._near(place, place + 1)
        bag, scores = self._bag(), np.empty(len(variants), np.float32)
        edges, before = self._edges, self.values[self.kept[place]]
        segment = int(np.searchsorted(edges, place, side="right")) - 1
        for index, variant in enumerate(variants):
            x[0, :, place - first] = torch.from_numpy(variant)
            if bag is not None:
                bag[:, segment] += (variant - before) / (edges[segment + 1] - edges[segment])
                before = variant
            scores[index] = self.head.score(x, None, self._context(bag))[0, place - first].item()
        return scores

    def _in_pieces(
        self, score: Callable[[Tensor, Tensor | None, Context | None], Tensor], n_columns: int
    ) -> NDArray[np.float32]:
        """Return the scores of each kept snippet, (K, n_columns) float32.

        Args:
            score: from a piece (1, C, T, D) and its context to its scores (1, n_columns, T).
            n_columns: numbers a snippet.
        """
        scores = np.empty((len(self.kept), n_columns), np.float32)
        context = self._context(self._bag())
        at_once = AT_ONCE if self._reach is not None else max(len(self.kept), 1)
        for start in range(0, len(self.kept), at_once):
            stop = min(start + at_once, len(self.kept))
            first, x = self._near(start, stop)
            seen = score(x, None, context)[0, :, start - first : stop - first]
            scores[start:stop] = seen.T.cpu().numpy()
        return scores

    @property
    def _reach(self) -> int | None:
        """How many snippets to each side a score depends on, by the network and by the smoothing."""
        reach = self.head.reach
        return None if reach is None else reach + math.ceil(4 * self.head.settings.smoothing)

    def _near(self, start: int, stop: int) -> tuple[int, Tensor]:
        """Return the first place in reach of [start, stop), and the features (1, C, T, D) from there on."""
        reach = self._reach
        first = 0 if reach is None else max(0, start - reach)
        near = self.kept[first : None if reach is None else stop + reach]
        x = torch.from_numpy(self.values[near]).transpose(0, 1)[None]
        return first, x.to(self.head.device)

    @property
    def _edges(self) -> NDArray[np.int64]:
        """The places at which the segments of the video's bag begin, and K."""
        return edges_of(len(self.kept), self.head.settings.segments)

    def _bag(self) -> NDArray[np.float32] | None:
        """Return the video's bag (C, T, D), squeezed as in training; None if no score depends on it."""
        if not self.head.uses_context or not len(self.kept):
            return None
        pairs = pairwise(self._edges.tolist())
        means = [self.values[self.kept[start:stop]].mean(axis=0) for start, stop in pairs]
        return np.stack(means, axis=1)

    def _context(self, bag: NDArray[np.float32] | None) -> Context | None:
        """Return the context of a bag (C, T, D)."""
        return None if bag is None else self.head.context_of(torch.from_numpy(bag)[None].to(self.head.device))
