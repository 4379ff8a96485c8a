"""Bags that the tests of training make: noise, and in an abnormal one an event in a few directions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from vadpipe.head.bags import Bag, Batch
from vadpipe.head.settings import HeadSettings

D = 16
SNIPPET_S = 0.64

# Every number is named, so that other defaults change no test.
SMALL = HeadSettings(
    clustering=True, memory="queue", guided=True, second_head=False, cluster_gradient=1.0, queue_decay=0.9,
    ema_decay=0.9, smoothness=8e-4, sparsity=8e-3, weight_decay=5e-4, clip_norm=1.0, feature_dropout=0.0,
    hidden=16, cluster_dim=8, dropout=0.5, temperature=0.1, margin=-0.5, cluster_weight=0.1, score_mix=0.5,
    warmup=0.1, queue_batches=20, view_sampling="all", view_join="mean", segments=32, top_k_divisor=16, top_k_at_least=3, whole_bag_weight=0.0,
    smoothing=0.0, steps=40, batch_bags=4, optimiser="adam", learning_rate=1e-2, folds=4, checks=8,
    false_alarms_per_hour=6.0, normal_quantile=0.95,
)  # fmt: skip


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
