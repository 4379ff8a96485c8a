"""Bags of noise; an abnormal one holds an event in a few directions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from vadpipe.head.bags import Bag, Batch

D = 16
SNIPPET_S = 0.64


def bag_of_values(values, label, name="bag", group=None) -> Bag:
    """A bag of values (C, S, D) whose snippets follow each other."""
    times_s = np.arange(values.shape[1]) * SNIPPET_S
    end_s = values.shape[1] * SNIPPET_S
    return Bag(name, values, label, group or name, times_s, end_s)


def make_bag(label, seed, length=20, crops=1, group=None) -> tuple[Bag, np.ndarray]:
    """A bag and, for each snippet, whether it belongs to the event."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(crops, length, D)).astype(np.float32)
    event = np.zeros(length, bool)
    if label:
        start = rng.integers(0, max(1, length - 4))
        event[start : start + 4] = True
        values[:, event, :3] += 3.0
    return bag_of_values(values, label, f"bag{seed}", group), event


def make_bags(n_each, seed=0, **options) -> list[Bag]:
    """As many normal as abnormal bags, by turns."""
    return [make_bag(label, seed + 2 * i + label, **options)[0] for i in range(n_each) for label in (0, 1)]


def collate(bags: Sequence[Bag]) -> Batch:
    """Put bags into one batch, padded with zeros at their ends."""
    lengths = torch.tensor([bag.values.shape[1] for bag in bags])
    crops, _, dim = bags[0].values.shape
    features = torch.zeros(len(bags), crops, int(lengths.max()), dim)
    for row, bag in zip(features, bags, strict=True):
        row[:, : bag.values.shape[1]] = torch.from_numpy(bag.values)
    mask = torch.arange(features.shape[2]) < lengths[:, None]
    return Batch(features, mask, torch.tensor([float(bag.label) for bag in bags]))
