"""Bags: a video is a bag of segments, and only the bag has a label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Bag:
    """One training video.

    Attributes:
        name: the video.
        values: (C, S, D) float32, features of all its snippets.
        label: 1 where something abnormal happens in it, else 0.
        group: videos of one group (a scene, a recording) are never split between training and
            held-out.
    """

    name: str
    values: NDArray[np.float32] = field(repr=False)
    label: int
    group: str


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

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(self.features.to(device), self.mask.to(device), self.labels.to(device))


def squeeze(values: NDArray[np.float32], segments: int) -> NDArray[np.float32]:
    """Return at most ``segments`` segments (C, T, D): means over equal stretches of the snippets.

    A shorter bag stays as it is: repeating its snippets, as is common, would show the head in
    training neighbourhoods that no video has when it is scored.
    """
    n_snippets = values.shape[1]
    if n_snippets <= segments:
        return values
    edges = np.linspace(0, n_snippets, segments + 1).astype(np.int64)
    sums = np.add.reduceat(values, edges[:-1], axis=1)
    return (sums / np.diff(edges)[None, :, None]).astype(np.float32)


def collate(bags: Sequence[Bag]) -> Batch:
    """Put bags into one batch, padded with zeros at their ends."""
    crops, _, dim = bags[0].values.shape
    lengths = torch.tensor([bag.values.shape[1] for bag in bags])
    features = torch.zeros(len(bags), crops, int(lengths.max()), dim)
    for row, bag in zip(features, bags, strict=True):
        row[:, : bag.values.shape[1]] = torch.from_numpy(bag.values)
    mask = torch.arange(features.shape[2]) < lengths[:, None]
    return Batch(features, mask, torch.tensor([float(bag.label) for bag in bags]))


def balanced_batches(bags: Sequence[Bag], n_each: int, rng: np.random.Generator) -> Iterator[list[Bag]]:
    """Yield without end ``n_each`` normal and ``n_each`` abnormal bags, each class in shuffled rounds.

    A class with fewer bags than ``n_each`` fills its half by going round again.
    """
    rounds = [
        _rounds([bag for bag in bags if bag.label == label], rng)
        for label in (0, 1)
        if any(bag.label == label for bag in bags)
    ]
    while True:
        yield [next(bag) for bag in rounds for _ in range(n_each)]


def _rounds(bags: Sequence[Bag], rng: np.random.Generator) -> Iterator[Bag]:
    while True:
        for index in rng.permutation(len(bags)):
            yield bags[index]
