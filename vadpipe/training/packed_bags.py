"""Bags that stay on disk, and a training set of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vadpipe.features.file import Features
from vadpipe.head.bags import Bag, Moments, TrainingSet
from vadpipe.training.bag_pack import BagPack
from vadpipe.training.bags_of_features import bag_of

_ROWS_AT_ONCE = 256


class PackedBag(Bag):
    """A bag of a pack. Its values are read from its feature file each time; all else is mapped into memory.

    Args:
        pack: that holds it.
        row: its place there.
        name, label, group: see :class:`vadpipe.head.bags.Bag`.
    """

    pack: BagPack
    row: int

    def __init__(self, pack: BagPack, row: int, name: str, label: int, group: str) -> None:
        known = {"pack": pack, "row": row, "name": name, "label": label, "group": group}
        for attribute, value in known.items():
            object.__setattr__(self, attribute, value)

    @property
    def values(self) -> NDArray[np.float32]:
        """(C, S, D) float32, a view of the feature file."""
        features = Features.load(self.pack.path(self.row), mapped=True)
        return bag_of(features, self.label, self.group).values

    @property
    def times_s(self) -> NDArray[np.float64]:
        """(K,) float64."""
        return self.pack.times_s(self.row)

    @property
    def end_s(self) -> float:
        """When the last stretch ends."""
        return self.pack.end_s(self.row)

    @property
    def spans(self) -> NDArray[np.int64]:
        """(S, 2) int64."""
        return self.pack.spans(self.row)

    @property
    def n_windows(self) -> int:
        """W."""
        return len(self.pack.recipe(self.row).windows)


class PackedTrainingSet(TrainingSet):
    """Training bags whose segments are read from a pack at each step; all numbers are those of one in memory.

    Args:
        bags: at least one, of one pack and one recipe.
        device: where batches go.
    """

    def __init__(self, bags: Sequence[PackedBag], device: torch.device | None = None) -> None:
        self.bags, self.device = list(bags), device or torch.device("cpu")
        self._pack = bags[0].pack
        self._pack_rows = np.array([bag.row for bag in bags], np.int64)
        self._recipe = self._pack.recipe(bags[0].row)
        rows = self._pack_rows.tolist()
        self._counts = self._pack.counts(rows)
        self._describe(self._pack.n_segments(rows), self._pack.digests(rows))

    @property
    def n_views(self) -> int:
        """C."""
        return self._recipe.crops

    def _segments(self, index: Tensor, length: int, views: Sequence[int] | None) -> Tensor:
        n_views = self.n_views if views is None else 1
        features = np.zeros((len(index), n_views, length, self._recipe.feature_dim), np.float32)
        for place, row in enumerate(self._pack_rows[index.numpy()].tolist()):
            values = self._pack.segments(row)
            if views is not None:
                values = values[views[place]][None]
            features[place, :, : values.shape[1]] = values
        return torch.from_numpy(features).to(self.device)

    def _totals(self, rows: Sequence[int]) -> Moments:
        """Add up part by part, in the order in which numpy adds up all of them."""
        total = np.zeros((0, 2, self._recipe.feature_dim))
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = self._pack.moments(self._pack_rows[rows[start : start + _ROWS_AT_ONCE]].tolist())
            total = np.concatenate([total, part]).sum(0, keepdims=True)
        count: np.float64 = self._counts[rows].sum()
        return count, total[0, 0], total[0, 1]
