"""Training finds planted events by video labels alone, repeats itself bit by bit, and survives odd bags."""

import itertools
import logging

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from vadpipe.head.bags import Bag, balanced_batches, collate, squeeze
from vadpipe.head.objective import batch_loss
from vadpipe.head.settings import HeadSettings
from vadpipe.head.train import WINDOW, normal_statistics, train

D = 16
SMALL = HeadSettings(hidden=16, cluster_dim=8, steps=40, batch_bags=4, learning_rate=1e-2)


def make_bag(label, seed, length=20, crops=1):
    """A bag of noise; an abnormal one has four segments in which one direction is shifted."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(crops, length, D)).astype(np.float32)
    event = np.zeros(length, bool)
    if label:
        start = rng.integers(0, max(1, length - 4))
        event[start : start + 4] = True
        values[:, event, :3] += 3.0
    return Bag(f"bag{seed}", values, label, group=str(seed)), event


def make_bags(n_each, seed=0, **options):
    return [make_bag(label, seed + 2 * i + label, **options)[0] for i in range(n_each) for label in (0, 1)]


@pytest.mark.parametrize(
    "switches",
    [
        {"clustering": False, "guided": False},
        {"clustering": False, "second_head": True},
        {"memory": "none"},
        {"memory": "ema"},
        {"memory": "queue"},
        {"memory": "queue", "guided": False},
        {"memory": "queue", "cluster_gradient": 0.0},
    ],
    ids=str,
)
def test_planted_events_are_found_with_every_switch(switches):
    settings = SMALL.model_copy(update=switches)
    head = train(make_bags(12), [], settings).head
    tests = [make_bag(1, 1000 + seed) for seed in range(10)]
    scores = np.concatenate([head.score(torch.from_numpy(bag.values)[None])[0].numpy() for bag, _ in tests])
    assert roc_auc_score(np.concatenate([event for _, event in tests]), scores) > 0.9


def test_same_seed_same_numbers_and_another_seed_others():
    bags = make_bags(4)
    states = [train(bags, [], SMALL, seed=seed).head.state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["embedding.conv.weight"], states[2]["embedding.conv.weight"])


def test_training_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(make_bags(2), [], SMALL.model_copy(update={"steps": 2}))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("lengths", [(1, 1), (1, 50), (2, 3), (100, 5)])
def test_bags_of_any_length(lengths):
    bags = [make_bag(label, label, length=length)[0] for label, length in zip((0, 1), lengths, strict=True)]
    trained = train(bags, [], SMALL)
    assert all(np.isfinite([check.mil, check.cluster, check.spread]).all() for check in trained.history)


@pytest.mark.parametrize("label", [0, 1])
def test_a_batch_of_one_label_only(label):
    head = train(make_bags(2), [], SMALL.model_copy(update={"steps": 3})).head.train()
    loss = batch_loss(head, collate([make_bag(label, 7)[0], make_bag(label, 8)[0]]), warm=True)
    loss.total.backward()
    assert torch.isfinite(loss.total)
    gradients = [parameter.grad for parameter in head.parameters() if parameter.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_several_crops():
    trained = train(make_bags(3, crops=2), [], SMALL)
    assert trained.head.score(torch.randn(1, 2, 9, D)).shape == (1, 9)


def test_the_picked_checkpoint_is_in_the_middle_of_the_best_stretch():
    settings = SMALL.model_copy(update={"check_every": 2, "steps": 30})
    trained = train(make_bags(4), make_bags(6, seed=500), settings)
    aucs = [check.auc for check in trained.history]
    means = [np.mean(aucs[i : i + WINDOW]) for i in range(len(aucs) - WINDOW + 1)]
    assert trained.selected == trained.history[int(np.argmax(means)) + WINDOW // 2]


def test_the_head_is_that_of_the_picked_checkpoint():
    settings = SMALL.model_copy(update={"check_every": 2, "steps": 30})
    trained = train(make_bags(4), make_bags(6, seed=500), settings)
    again = train(make_bags(4), [], settings, until=trained.selected.step)
    x = torch.randn(1, 1, 9, D)
    assert torch.equal(trained.head.score(x), again.head.score(x))


def test_without_held_out_bags_the_last_checkpoint_is_taken():
    trained = train(make_bags(2), [], SMALL)
    assert trained.selected == trained.history[-1]
    assert trained.selected.step == SMALL.steps


def test_collapsed_clusters_are_reported(caplog):
    # A weight of zero leaves the clusters where they fell, all in one place.
    settings = SMALL.model_copy(update={"cluster_weight": 0.0, "guided": False, "steps": 5})
    with caplog.at_level(logging.WARNING, logger="vadpipe"):
        trained = train(make_bags(2), [], settings)
    assert trained.selected.cosine > 0.9
    assert "are not apart at step 5: cosine" in caplog.text


def test_statistics_are_those_of_the_normal_snippets():
    bags = make_bags(3)
    rows = np.concatenate([bag.values.reshape(-1, D) for bag in bags if not bag.label])
    rows[:, 5] = 1.0
    for bag in bags:
        bag.values[:, :, 5] = 1.0
    mean, std = normal_statistics(bags)
    np.testing.assert_allclose(mean, rows.mean(0), atol=1e-6)
    np.testing.assert_allclose(std, np.where(np.arange(D) == 5, 1.0, rows.std(0)), rtol=1e-5)


@pytest.mark.parametrize(("length", "segments"), [(100, 32), (33, 32), (64, 32), (7, 3)])
def test_long_bags_are_squeezed_to_means_of_equal_stretches(length, segments):
    values = make_bag(0, 0, length=length, crops=2)[0].values
    edges = [int(i * length / segments) for i in range(segments + 1)]
    expected = [values[:, a:b].mean(1) for a, b in itertools.pairwise(edges)]
    np.testing.assert_allclose(squeeze(values, segments), np.stack(expected, axis=1), atol=1e-5)


def test_short_bags_stay_as_they_are():
    values = make_bag(0, 0, length=32)[0].values
    assert squeeze(values, 32) is values


def test_batches_are_balanced_and_go_through_every_bag():
    bags = [*make_bags(5), make_bag(0, 99)[0]]
    batches = balanced_batches(bags, 2, np.random.default_rng(0))
    seen = [next(batches) for _ in range(30)]
    assert all([bag.label for bag in batch] == [0, 0, 1, 1] for batch in seen)
    counts = [sum(bag.name == name for batch in seen for bag in batch) for name in {bag.name for bag in bags}]
    assert min(counts) >= 10
    assert max(counts) <= 12


def test_a_batch_is_padded_to_its_longest_bag():
    batch = collate([make_bag(0, 0, length=3)[0], make_bag(1, 1, length=5)[0]])
    assert batch.features.shape == (2, 1, 5, D)
    assert batch.mask.sum(1).tolist() == [3, 5]
    assert (batch.features[0, :, 3:] == 0).all()
    assert batch.labels.tolist() == [0, 1]
