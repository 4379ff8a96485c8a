"""Bags: a video is a bag of snippets, and only the bag has a label."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vadpipe.errors import FeatureError

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
        self._lengths = torch.tensor([min(bag.values.shape[1], segments) for bag in bags])
        features = torch.zeros(len(bags), crops, int(self._lengths.max()), dim)
        moments = []
        digest = hashlib.sha256(str([(bag.name, bag.label, bag.group) for bag in bags]).encode())
        digest.update(str(bags[0].n_windows).encode())
        for row, bag in zip(features, bags, strict=True):
            values = squeeze(bag.values, segments)
            highest = float(np.abs(values).max())
            if highest > _HIGHEST:
                raise FeatureError(
                    f"has feature values as large as {highest:.0e}",
                    file=bag.name,
                    next_step="Extract them again; no known network has such features.",
                )
            row[:, : values.shape[1]] = torch.from_numpy(np.ascontiguousarray(values))
            moments.append(_moments(bag.values))
            spans = np.empty(0, np.int64) if bag.spans is None else bag.spans
            for part in (row.numpy(), *moments[-1], bag.times_s, np.float64(bag.end_s), spans):
                digest.update(part.tobytes())
        self.digest = digest.hexdigest()
        self._counts, self._sums, self._squares = (np.stack(part) for part in zip(*moments, strict=True))
        self._features = features.to(self.device)
        self._mask = (torch.arange(features.shape[2]) < self._lengths[:, None]).to(self.device)
        self._labels = torch.tensor([float(bag.label) for bag in bags], device=self.device)

    @property
    def n_views(self) -> int:
        """C."""
        return self._features.shape[1]

    @property
    def n_windows(self) -> int:
        """W."""
        return self.bags[0].n_windows

    def batch(self, rows: Sequence[int], views: Sequence[int] | None = None) -> Batch:
        """Return these bags, cut to the longest of them.

        Args:
            rows: which.
            views: of each bag the one that is taken; all by default.
        """
        index = torch.as_tensor(rows)
        length = int(self._lengths[index].max())
        index = index.to(self.device)
        features = self._features[index, :, :length]
        if views is not None:
            taken = torch.as_tensor(views, device=self.device)
            features = features[torch.arange(len(taken), device=self.device), taken].unsqueeze(1)
        return Batch(features, self._mask[index, :length], self._labels[index])

    def of_label(self, label: int, rows: Sequence[int]) -> list[int]:
        """Return those of the rows whose bags have that label."""
        return [row for row in rows if self.bags[row].label == label]

    def normal_statistics(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return mean and deviation (D,) of all snippets of the normal bags among these rows.

        Constant channels get deviation 1.
        """
        normal = self.of_label(0, rows)
        count = self._counts[normal].sum()
        mean = self._sums[normal].sum(0) / count
        std = np.sqrt(np.maximum(self._squares[normal].sum(0) / count - mean**2, 0))
        std[std < 1e-6 * np.maximum(1, np.abs(mean))] = 1.0
        return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(std.astype(np.float32))


def _moments(values: NDArray[np.float32]) -> tuple[np.float64, NDArray[np.float64], NDArray[np.float64]]:
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


def balanced_rows(data: TrainingSet, rows: Sequence[int], n_each: int, seed: int, step: int) -> list[int]:
    """Return the rows of a step's batch: ``n_each`` normal and ``n_each`` abnormal bags.

    Each class goes through shuffled rounds; one with fewer bags than ``n_each`` fills its half by going
    round again. The rows depend on nothing but the arguments, so that a training that goes on after an
    interruption sees what it would have seen.

    Args:
        data: all bags.
        rows: those to choose from.
        n_each: b.
        seed: of the shuffling.
        step: from 1 up.
    """
    chosen: list[int] = []
    for label in (0, 1):
        members = data.of_label(label, rows)
        if not members:
            continue
        orders: dict[int, NDArray[np.int64]] = {}
        for place in range((step - 1) * n_each, step * n_each):
            number, at = divmod(place, len(members))
            if number not in orders:
                orders[number] = np.random.default_rng([seed, label, number]).permutation(len(members))
            chosen.append(members[orders[number][at]])
    return chosen
