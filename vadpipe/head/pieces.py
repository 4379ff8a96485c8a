"""Scoring a video piece by piece, so that hours of it need no more memory than minutes.

A piece is computed with as many snippets to both sides as its scores depend on; what they see of the whole
video, its context, is pooled in a pass before. So the scores are the same for any size of the pieces. A head
whose attention spans the video, as most published ones, gets all of it at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vadpipe.head.context import Context
from vadpipe.head.head import Head

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

    def scores(
        self, score: Callable[[Tensor, Tensor | None, Context | None], Tensor], n_columns: int
    ) -> NDArray[np.float32]:
        """Return the scores of each kept snippet, (K, n_columns) float32.

        Args:
            score: from a piece (1, C, T, D) and its context to its scores (1, n_columns, T).
            n_columns: numbers a snippet.
        """
        scores = np.empty((len(self.kept), n_columns), np.float32)
        context = self._context()
        for start, stop in self._pieces():
            first, x = self._near(start, stop, self._reach)
            seen = score(x, None, context)[0, :, start - first : stop - first]
            scores[start:stop] = seen.T.cpu().numpy()
        return scores

    def scores_if(self, place: int, variants: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what score a snippet would have with other features in its place, (V,) float32.

        Args:
            place: of the snippet.
            variants: (V, C, D) float32, the features that it would have.
        """
        conv = self.head.reach
        touched = range(0) if conv is None else range(max(0, place - conv), place + conv + 1)
        # Its neighbours change with it, and are themselves computed from theirs.
        around = None if self._reach is None or conv is None else max(self._reach, 2 * conv)
        first, x = self._near(place, place + 1, around)
        rest, scores = self._context(touched), np.empty(len(variants), np.float32)
        for index, variant in enumerate(variants):
            x[0, :, place - first] = torch.from_numpy(variant)
            own = self._pool(x, first, touched)
            context = None if rest is None or own is None else rest.joined(own)
            scores[index] = self.head.score(x, None, context)[0, place - first].item()
        return scores

    @property
    def _reach(self) -> int | None:
        """How many snippets to each side a score depends on, by the network and by the smoothing."""
        reach = self.head.reach
        return None if reach is None else reach + math.ceil(4 * self.head.settings.smoothing)

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """Yield the places [start, stop) of each piece."""
        at_once = AT_ONCE if self.head.reach is not None else max(len(self.kept), 1)
        for start in range(0, len(self.kept), at_once):
            yield start, min(start + at_once, len(self.kept))

    def _near(self, start: int, stop: int, reach: int | None) -> tuple[int, Tensor]:
        """Return the first place in reach of [start, stop), and the features (1, C, T, D) from there on."""
        first = 0 if reach is None else max(0, start - reach)
        near = self.kept[first : None if reach is None else stop + reach]
        x = torch.from_numpy(self.values[near]).transpose(0, 1)[None]
        return first, x.to(self.head.device)

    def _context(self, without: range = range(0)) -> Context | None:
        """Return what a snippet sees of the whole video but some places; None where the head sees none."""
        whole: Context | None = None
        for start, stop in self._pieces():
            first, x = self._near(start, stop, self.head.reach)
            part = self._pool(x, first, range(start, stop), without)
            if part is None:
                return None
            whole = part if whole is None else whole.joined(part)
        return whole

    def _pool(self, x: Tensor, first: int, chosen: range, without: range = range(0)) -> Context | None:
        """Return the context of chosen places among features x (1, C, T, D) that begin at place ``first``."""
        places = range(first, first + x.shape[2])
        mask = torch.tensor([[at in chosen and at not in without for at in places]], device=x.device)
        return self.head.context_of(x, mask)
