"""Bags in memory: squeezed as a slow loop does it, put into batches by seed and step alone."""

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from support.bags import D, bag_of_values, collate, make_bag, make_bags
from vadpipe.head.bags import TrainingSet, balanced_rows, drawn_views, squeeze


def slow_squeeze(values, segments):
    """Means over stretches of which none differs from another by more than one snippet."""
    length = values.shape[1]
    if length <= segments:
        return values
    edges = [i * length // segments for i in range(segments + 1)]
    means = [
        sum(values[:, t].astype(np.float64) for t in range(a, b)) / (b - a)
        for a, b in itertools.pairwise(edges)
    ]
    return np.stack(means, axis=1).astype(np.float32)


@pytest.mark.parametrize(("length", "segments"), [(100, 32), (33, 32), (64, 32), (7, 3), (5, 1)])
def test_long_bags_are_squeezed_to_means_of_equal_stretches(length, segments):
    values = make_bag(0, 0, length=length, crops=2)[0].values
    np.testing.assert_allclose(squeeze(values, segments), slow_squeeze(values, segments), atol=1e-6)


@given(length=st.integers(1, 300), segments=st.integers(1, 64))
def test_every_snippet_counts_once(length, segments):
    """A snippet's share in the means, times the snippets of its segment, is one."""
    squeezed = squeeze(np.eye(length, dtype=np.float32)[None], segments)[0]
    assert squeezed.shape == (min(length, segments), length)
    np.testing.assert_allclose(squeezed.sum(1), 1, rtol=1e-5)
    members = squeezed > 0
    assert (members.sum(0) == 1).all()
    assert np.ptp(members.sum(1)) <= 1
    assert (np.diff(members.argmax(0)) >= 0).all()  # in order


def test_short_bags_stay_as_they_are():
    values = make_bag(0, 0, length=32)[0].values
    assert squeeze(values, 32) is values


def test_a_batch_is_padded_to_its_longest_bag():
    batch = collate([make_bag(0, 0, length=3)[0], make_bag(1, 1, length=5)[0]])
    assert batch.features.shape == (2, 1, 5, D)
    assert batch.mask.sum(1).tolist() == [3, 5]
    assert (batch.features[0, :, 3:] == 0).all()
    assert batch.labels.tolist() == [0, 1]


# ---- the set in memory ---------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [[0], [2, 1], [3, 0, 3], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize("crops", [1, 3])
def test_a_batch_holds_the_squeezed_bags(rows, crops):
    lengths = (40, 3, 11, 12, 1)
    bags = [make_bag(i % 2, i, length=length, crops=crops)[0] for i, length in enumerate(lengths)]
    batch = TrainingSet(bags, segments=8).batch(rows)
    longest = min(8, max(lengths[row] for row in rows))
    assert batch.features.shape == (len(rows), crops, longest, D)
    for features, mask, label, row in zip(*vars(batch).values(), rows, strict=True):
        expected = slow_squeeze(bags[row].values, 8)
        assert mask.tolist() == [t < expected.shape[1] for t in range(longest)]
        np.testing.assert_allclose(features[:, mask], expected, atol=1e-6)
        assert (features[:, ~mask] == 0).all()
        assert label == row % 2


def test_only_squeezed_values_are_held():
    """Whatever becomes of the videos, a batch stays what it was; and none is longer than T."""
    bags = make_bags(3, length=500)
    data = TrainingSet(bags, segments=4)
    before = data.batch(range(6)).features
    for bag in bags:
        bag.values[:] = np.nan
    assert torch.equal(data.batch(range(6)).features, before)
    held = [value for value in vars(data).values() if isinstance(value, torch.Tensor | np.ndarray)]
    assert sum(value.nbytes for value in held) < 1.5 * 6 * 4 * D * 4 + 6 * 2 * D * 8 + 6 * 64


@pytest.mark.parametrize("rows", [range(6), [0, 2], [4, 3, 1], [2, 5]])
def test_statistics_are_those_of_the_normal_snippets_before_squeezing(rows):
    bags = [make_bag(i % 2, i, length=10 + 30 * i, crops=2)[0] for i in range(6)]
    for bag in bags:
        bag.values[:, :, 4] += 100.0
        bag.values[:, :, 5] = 1.0
    mean, std = TrainingSet(bags, segments=4).normal_statistics(rows)
    snippets = np.concatenate([bags[row].values.reshape(-1, D) for row in rows if row % 2 == 0])
    snippets = snippets.astype(np.float64)
    np.testing.assert_allclose(mean, snippets.mean(0), atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(std, np.where(np.arange(D) == 5, 1.0, snippets.std(0)), rtol=1e-5)
    assert mean.dtype == std.dtype == torch.float32


@pytest.mark.parametrize("value", [0.0, 1.0, 1e3, -1e6, 1e-3])
def test_a_constant_channel_has_deviation_1(value):
    values = np.full((1, 50, D), value, np.float32)
    _, std = TrainingSet([bag_of_values(values, 0)], segments=4).normal_statistics([0])
    assert (std == 1).all()


def test_the_digest_knows_everything_that_a_training_depends_on():
    def digest(bags, segments=8):
        return TrainingSet(bags, segments).digest

    bags = make_bags(2)
    first = bags[0]
    moved = first.values.copy()
    moved[0, 0, 0] += 1e-3
    changes = {
        "name": "other", "label": 1, "group": "other", "values": moved, "times_s": first.times_s + 1, "end_s": 99.0,
    }  # fmt: skip
    others = [digest([replace(first, **{name: value}), *bags[1:]]) for name, value in changes.items()]
    others += [digest(bags[::-1]), digest(bags[:-1]), digest(bags, segments=4)]
    # Both have the same means over stretches, but snippets of another deviation.
    for pair in ([1.0, 3.0], [0.0, 4.0]):
        values = np.tile(np.array(pair, np.float32)[None, :, None], (1, 8, D))
        others.append(digest([replace(first, values=values), *bags[1:]]))
    assert digest(make_bags(2)) == digest(bags)
    assert len({digest(bags), *others}) == len(others) + 1


# ---- batches -------------------------------------------------------------------------------------


@given(
    n_normal=st.integers(1, 12),
    n_abnormal=st.integers(1, 12),
    n_each=st.integers(1, 8),
    seed=st.integers(0, 2**63 - 1),
)
def test_batches_are_balanced_and_go_through_every_bag(n_normal, n_abnormal, n_each, seed):
    labels = [0] * n_normal + [1] * n_abnormal
    data = TrainingSet([bag_of_values(np.zeros((1, 1, 1), np.float32), label) for label in labels], 1)
    rows = [row for row in range(len(labels)) if row % 5 != 4 or len(labels) < 6]
    seen = [balanced_rows(data, rows, n_each, seed, step) for step in range(1, 15)]
    for batch in seen:
        expected = [
            label for label in (0, 1) for _ in range(n_each) if label in {labels[row] for row in rows}
        ]
        assert [labels[row] for row in batch] == expected
    for label in (0, 1):
        members = [row for row in rows if labels[row] == label]
        order = [row for batch in seen for row in batch if labels[row] == label]
        for start in range(0, len(order) - len(members) + 1, max(1, len(members))):
            assert sorted(order[start : start + len(members)]) == members  # a round has each of them once
        counts = Counter(order)
        assert max(counts.values(), default=0) - min((counts[row] for row in members), default=0) <= 1


def test_the_rows_of_a_step_depend_on_nothing_but_the_arguments():
    data = TrainingSet(make_bags(6), 4)
    forwards = [balanced_rows(data, range(12), 4, 3, step) for step in range(1, 20)]
    np.random.seed(9)
    backwards = [balanced_rows(data, range(12), 4, 3, step) for step in range(19, 0, -1)][::-1]
    assert forwards == backwards
    assert forwards != [balanced_rows(data, range(12), 4, 4, step) for step in range(1, 20)]
    rounds = [tuple(row for batch in forwards[i : i + 3] for row in batch[:4]) for i in range(0, 18, 3)]
    assert len({rounds[i][:6] for i in range(6)}) > 1  # shuffled anew


def test_a_batch_can_take_one_view_of_each_bag():
    bags = [make_bag(i % 2, i, length=4 + i, crops=3)[0] for i in range(5)]
    data = TrainingSet(bags, 32)
    rows, views = [4, 0, 0, 2], [2, 1, 0, 0]
    batch, every = data.batch(rows, views), data.batch(rows)
    assert batch.features.shape == (4, 1, 8, D)
    for at, view in enumerate(views):
        assert torch.equal(batch.features[at, 0], every.features[at, view])
    assert torch.equal(batch.mask, every.mask)
    assert data.n_views == 3


def test_views_are_drawn_evenly_and_by_seed_and_step_alone():
    drawn = [drawn_views(3, 32, 1, step) for step in range(1, 301)]
    assert drawn == [drawn_views(3, 32, 1, step) for step in range(1, 301)]
    assert drawn != [drawn_views(3, 32, 2, step) for step in range(1, 301)]
    assert drawn[0] != drawn[1]
    counts = Counter(itertools.chain(*drawn))
    assert set(counts) == {0, 1, 2}
    assert min(counts.values()) > 0.95 * 3200
