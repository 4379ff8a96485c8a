"""Bags: a video is a bag of snippets, and only the bag has a label."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vadpipe.errors import FeatureError

Moments = tuple[np.float64, NDArray[np.float64], NDArray[np.float64]]
"""How many snippets there are, in all crops, and the sums (D,) of their values and of their squares."""

_HIGHEST = 1e18  # its square is still a float32


@dataclass(frozen=True)
class Bag:
    """One video.

    Attributes:
        name: the video.
        values: (C, S, D) float32, features of all its snippets; may be a view of a file.
        label: 1 where something abnormal happens in it, else 0.
        group: videos of one group (a scene, a recording) never judge each other.
        times_s: (K,) float64, when each stretch of frames begins that the same snippets speak for.
        end_s: when the last stretch ends.
        spans: (S, 2) int64, the stretches [start, stop) that each snippet speaks for; None if each has one
            of its own.
        n_windows: W, by how many windows of the backbone the features are made, D / W numbers by each.
    """

    name: str
    values: NDArray[np.float32] = field(repr=False)
    label: int
    group: str
    times_s: NDArray[np.float64] = field(repr=False)
    end_s: float
    spans: NDArray[np.int64] | None = field(default=None, repr=False)
    n_windows: int = 1


@dataclass(frozen=True)
class Batch:
    """Bags of one step, padded to the longest.

    Attributes:
        features: (N, C, T, D) float32.
        mask: (N, T) bool, True on real segments.
        labels: (N,) float32, 0 or 1.
    """

    features: Tensor = field(repr=False)
    mask: Tensor = field(repr=False)
    labels: Tensor


def edges_of(n_snippets: int, segments: int) -> NDArray[np.int64]:
    """Return where each segment of a bag begins, and the end, (T + 1,): a snippet each where they are few."""
    return np.linspace(0, n_snippets, min(n_snippets, segments) + 1).astype(np.int64)


def squeeze(values: NDArray[np.float32], segments: int) -> NDArray[np.float32]:
    """Return at most ``segments`` segments (C, T, D): means over equal stretches of the snippets.

    A shorter bag stays as it is: repeating its snippets, as is common, would show the head in
    training neighbourhoods that no video has when it is scored.
    """
    if values.shape[1] <= segments:
        return values
    edges = edges_of(values.shape[1], segments)
    sums = np.add.reduceat(values, edges[:-1], axis=1)
    return (sums / np.diff(edges)[None, :, None]).astype(np.float32)


class TrainingSet:
    """All training bags in memory, each squeezed to at most T segments, on the device that trains.

    The 1,610 videos of UCF-Crime are 211 MB a crop (T = 32, D = 1024); what fills memory are the
    unsqueezed videos, and these are read once and not kept.

    Args:
        bags: at least one, all with the same crops and feature width.
        segments: T.
        device: where the segments are kept.

    Attributes:
        bags, device: as given; the CPU by default.
        digest: sha256 of everything that a training depends on.

    Raises:
        FeatureError: if numbers are so large that their squares are none in float32.
    """

    def __init__(self, bags: Sequence[Bag], segments: int, device: torch.device | None = None) -> None:
        self.bags, self.device = list(bags), device or torch.device("cpu")
        crops, _, dim = bags[0].values.shape
        lengths = [min(bag.values.shape[1], segments) for bag in bags]
        features = torch.zeros(len(bags), crops, max(lengths), dim)
        moments, digests = [], []
        for row, bag in zip(features, bags, strict=True):
            one = squeezed_bag(bag, segments)
            row[:, : one.values.shape[1]] = torch.from_numpy(np.ascontiguousarray(one.values))
            moments.append(one.moments)
            digests.append(one.digest)
        self._counts, self._sums, self._squares = (np.stack(part) for part in zip(*moments, strict=True))
        self._features = features.to(self.device)
        self._describe(lengths, digests)

    def _describe(self, lengths: Sequence[int], digests: Iterable[bytes]) -> None:
        """Keep what a batch needs beside the segments.

        Args:
            lengths: of each bag, in segments.
            digests: of each bag, see :class:`SqueezedBag`.
        """
        self._lengths = torch.tensor(lengths)
        self._mask = (torch.arange(max(lengths)) < self._lengths[:, None]).to(self.device)
        self._labels = torch.tensor([float(bag.label) for bag in self.bags], device=self.device)
        digest = hashlib.sha256(str(self.n_windows).encode())
        for bag, own in zip(self.bags, digests, strict=True):
            digest.update(str((bag.name, bag.label, bag.group)).encode() + own)
        self.digest = digest.hexdigest()

    @property
    def n_views(self) -> int:
        """C."""
        return self._features.shape[1]

    @property
    def n_windows(self) -> int:
        """W."""
        return self.bags[0].n_windows

    @property
    def n_snippets(self) -> NDArray[np.int64]:
        """How many snippets each bag has, (N,) int64, before it is squeezed."""
        return (self._counts // self.n_views).astype(np.int64)

    def batch(self, rows: Sequence[int], views: Sequence[int] | None = None) -> Batch:
        """Return these bags, cut to the longest of them.

        Args:
            rows: which.
            views: of each bag the one that is taken; all by default.
        """
        index = torch.as_tensor(rows)
        length = int(self._lengths[index].max())
        features = self._segments(index, length, views)
        index = index.to(self.device)
        return Batch(features, self._mask[index, :length], self._labels[index])

    def _segments(self, index: Tensor, length: int, views: Sequence[int] | None) -> Tensor:
        """Return the segments (N, C, length, D) of these bags, zeros where one has fewer."""
        index = index.to(self.device)
        features = self._features[index, :, :length]
        if views is None:
            return features
        taken = torch.as_tensor(views, device=self.device)
        return features[torch.arange(len(taken), device=self.device), taken].unsqueeze(1)

    def of_label(self, label: int, rows: Sequence[int]) -> list[int]:
        """Return those of the rows whose bags have that label."""
        return [row for row in rows if self.bags[row].label == label]

    def normal_statistics(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return mean and deviation (D,) of all snippets of the normal bags among these rows.

        Constant channels get deviation 1.
        """
        count, sums, squares = self._totals(self.of_label(0, rows))
        mean = sums / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        std[std < 1e-6 * np.maximum(1, np.abs(mean))] = 1.0
        return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(std.astype(np.float32))

    def _totals(self, rows: Sequence[int]) -> Moments:
        """Return the moments of these bags together."""
        count: np.float64 = self._counts[rows].sum()
        return count, self._sums[rows].sum(0), self._squares[rows].sum(0)


@dataclass(frozen=True)
class SqueezedBag:
    """What a training reads of a bag at each step.

    Attributes:
        values: (C, T, D) float32, its segments.
        moments: of all its snippets, before they are squeezed.
        digest: sha256, 32 bytes, of everything that a training depends on, but for name, label and group.
    """

    values: NDArray[np.float32] = field(repr=False)
    moments: Moments = field(repr=False)
    digest: bytes


def squeezed_bag(bag: Bag, segments: int) -> SqueezedBag:
    """Return a bag squeezed to at most ``segments`` segments.

    Raises:
        FeatureError: if numbers are so large that their squares are none in float32.
    """
    values, moments = squeeze(bag.values, segments), _moments(bag.values)
    highest = float(np.abs(values).max())
    if highest > _HIGHEST:
        raise FeatureError(
            f"has feature values as large as {highest:.0e}",
            file=bag.name,
            next_step="Extract them again; no known network has such features.",
        )
    spans = np.empty(0, np.int64) if bag.spans is None else bag.spans
    digest = hashlib.sha256(str(values.shape).encode())
    for part in (values, *moments, bag.times_s, np.float64(bag.end_s), spans):
        digest.update(part.tobytes())
    return SqueezedBag(values, moments, digest.digest())


def _moments(values: NDArray[np.float32]) -> Moments:
    """Return how many snippets and crops there are, and the sums (D,) of their values and squares."""
    count, total, squares = 0, 0.0, 0.0
    for crop in values:
        wide = crop.astype(np.float64)
        count, total, squares = count + len(wide), total + wide.sum(0), squares + (wide**2).sum(0)
    return np.float64(count), np.asarray(total), np.asarray(squares)


def drawn_views(n_views: int, n_bags: int, seed: int, step: int) -> list[int]:
    """Return a view of each bag of a step's batch, drawn evenly; it depends on nothing but the arguments."""
    drawn: list[int] = np.random.default_rng([seed, step, n_views]).integers(n_views, size=n_bags).tolist()
    return drawn


class BalancedBatches:
    """The batches of a training: ``n_each`` normal and ``n_each`` abnormal bags in each step.

    Each class goes through shuffled rounds; one with fewer bags than ``n_each`` fills its half by going
    round again. The rows depend on nothing but the arguments, so that a training that goes on after an
    interruption sees what it would have seen.

    Args:
        data: all bags.
        rows: those to choose from.
        n_each: b.
        seed: of the shuffling.
    """

    def __init__(self, data: TrainingSet, rows: Sequence[int], n_each: int, seed: int) -> None:
        self._members = [np.array(data.of_label(label, rows), np.int64) for label in (0, 1)]
        self._n_each, self._seed = n_each, seed
        self._orders: dict[tuple[int, int], NDArray[np.int64]] = {}

    def rows(self, step: int) -> list[int]:
        """Return the rows of a step's batch; steps count from 1 up."""
        chosen: list[int] = []
        orders: dict[tuple[int, int], NDArray[np.int64]] = {}
        for label, members in enumerate(self._members):
            for place in range((step - 1) * self._n_each, step * self._n_each) if len(members) else ():
                number, at = divmod(place, len(members))
                key = label, number
                if key not in orders:
                    orders[key] = self._orders[key] if key in self._orders else self._shuffled(*key)
                chosen.append(int(members[orders[key][at]]))
        self._orders = orders  # the next step goes on in these rounds
        return chosen

    def _shuffled(self, label: int, number: int) -> NDArray[np.int64]:
        """Return the order of a round; shuffling takes as long as there are bags."""
        return np.random.default_rng([self._seed, label, number]).permutation(len(self._members[label]))


def balanced_rows(data: TrainingSet, rows: Sequence[int], n_each: int, seed: int, step: int) -> list[int]:
    """Return the rows of one step's batch, see :class:`BalancedBatches`."""
    return BalancedBatches(data, rows, n_each, seed).rows(step)
