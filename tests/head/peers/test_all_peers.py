"""What holds for every published method: any length, padding, views, gradients, and going on after a stop."""

import io

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from support.bags import D, make_bags
from support.calibrations import make_calibration
from support.feature_files import make_features, make_recipe
from support.peer_heads import PEERS, made_batch, small, small_head
from vadpipe.head.bags import Batch, TrainingSet
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.methods import CBCG_ONLY
from vadpipe.head.record import HeadRecord
from vadpipe.training.cross_validation import train_with_cross_validation
from vadpipe.training.judging import bag_means
from vadpipe.training.loop import Training

every_peer = pytest.mark.parametrize("method", PEERS)


@every_peer
@pytest.mark.parametrize("length", [1, 2, 3, 33, 300])
def test_scores_are_probabilities_for_any_length(method, length):
    head = small_head(method).eval()
    x = torch.randn(2, 2, length, D)
    scores = head.score(x)
    assert scores.shape == (2, length)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert head.score_views(x).shape == (2, 2, length)
    if length > 3:
        assert scores.std() > 0


@every_peer
def test_views_are_averaged(method):
    head, x = small_head(method).eval(), torch.randn(1, 3, 9, D)
    assert not torch.equal(head.score(x[:, :1]), head.score(x))
    torch.testing.assert_close(head.score(x[:, [0, 0]]), head.score(x[:, :1]))
    torch.testing.assert_close(head.score(x[:, [2, 0, 1]]), head.score(x))


@every_peer
def test_padding_changes_no_score(method):
    head, x = small_head(method).eval(), torch.randn(3, 2, 9, D)
    lengths = torch.tensor([9, 1, 6])
    mask = torch.arange(14)[None] < lengths[:, None]
    padded = torch.cat([x, torch.zeros(3, 2, 5, D)], dim=2)
    padded = torch.where(mask[:, None, :, None], padded, 1e3)
    together = head.score(padded, mask)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(together[row, :length], head.score(x[[row], :, :length])[0])


def padded_with(batch, value, n_more=6):
    """The same bags, longer by that much of it."""
    n, crops, _, dim = batch.features.shape
    mask = torch.cat([batch.mask, torch.zeros(n, n_more, dtype=torch.bool)], dim=1)
    features = torch.cat([batch.features, torch.zeros(n, crops, n_more, dim)], dim=2)
    return Batch(torch.where(mask[:, None, :, None], features, value), mask, batch.labels)


@every_peer
def test_padding_changes_neither_loss_nor_gradients_nor_statistics(method, monkeypatch):
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)  # the noise has the batch's shape
    results = []
    for batch in (made_batch(), padded_with(made_batch(), 1e3)):
        head = small_head(method).train()
        loss = head.loss(batch, warm=True)
        loss.total.backward()
        results.append((loss, head))
    (first, one), (second, other) = results
    torch.testing.assert_close(first.total, second.total)
    for (name, a), b in zip(one.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5, msg=name)
    for a, b in zip(one.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(a, b)


@every_peer
def test_what_lies_beyond_a_bag_is_not_seen_in_training_with_dropout(method):
    losses = []
    for value in (0.0, 1e3):
        head = small_head(method, dropout=0.5).train()
        torch.manual_seed(3)
        losses.append(head.loss(padded_with(made_batch(), value), warm=True).total)
    torch.testing.assert_close(*losses)


@every_peer
def test_gradients_reach_every_number(method):
    head = small_head(method).train()
    head.loss(made_batch(), warm=True).total.backward()
    for name, number in head.named_parameters():
        assert torch.isfinite(number.grad).all(), name
        assert number.grad.abs().sum() > 0, name


@every_peer
def test_a_loss_without_clusters(method):
    head = small_head(method).train()
    loss = head.loss(made_batch(), warm=True)
    assert (float(loss.cluster), float(loss.spread), loss.clusters) == (0, 0, None)
    assert not loss.mil.requires_grad
    assert head.cluster_cosine == 0


@every_peer
@pytest.mark.parametrize("label", [0, 1])
def test_a_batch_of_one_label_only(method, label):
    head, batch = small_head(method).train(), made_batch()
    rows = batch.labels == label
    loss = head.loss(Batch(batch.features[rows], batch.mask[rows], batch.labels[rows]), warm=True)
    loss.total.backward()
    assert torch.isfinite(loss.total)


@every_peer
def test_numbers_that_are_none_are_told(method):
    head, batch = small_head(method).train(), made_batch()
    with pytest.raises(FloatingPointError, match="is not finite"):
        head.loss(Batch(batch.features * torch.nan, batch.mask, batch.labels), warm=True)


@every_peer
@pytest.mark.parametrize("lengths", [(1, 1), (1, 50), (40, 2)])
def test_one_video_a_class_of_any_length(method, lengths):
    bags = [make_bags(1, seed, length=length)[seed] for seed, length in enumerate(lengths)]
    training = Training(TrainingSet(bags, 32), range(2), small(method))
    assert np.isfinite(training.advance(3).mil)


def training_of(bags, method, **changes):
    settings = small(method, dropout=0.5, **changes)
    return Training(TrainingSet(bags, settings.segments), range(len(bags)), settings, seed=1)


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


ODD = {
    "clustering": True,
    "memory": "ema",
    "guided": True,
    "second_head": True,
    "cluster_gradient": 0.5,
    "cluster_dim": 7,
    "feature_dropout": 0.4,
    "context": "pooled",
    "temperature": 9.0,
    "margin": 0.9,
    "cluster_weight": 5.0,
    "score_mix": 0.1,
    "queue_batches": 2,
    "queue_decay": 0.5,
    "ema_decay": 0.5,
    "warmup": 0.9,
    "whole_bag_weight": 3.0,
}
"""Of each setting that CBCG alone reads another value than a published method has."""


@every_peer
def test_the_settings_of_cbcg_alone_change_nothing(method):
    assert ODD.keys() == set(CBCG_ONLY)
    assert all(getattr(small(method), name) != value for name, value in ODD.items())
    one, other = (training_of(make_bags(4), method, **changes) for changes in ({}, ODD))
    one.advance(2)
    other.advance(2)
    assert_same(one.snapshot(), other.snapshot())
    x = torch.randn(2, 2, 9, D)
    assert torch.equal(one.head.eval().score(x), other.head.eval().score(x))


@every_peer
def test_a_state_that_was_written_goes_on_bit_equal(method):
    bags = make_bags(5, crops=2)
    whole = training_of(bags, method)
    whole.advance(9)
    stopped = training_of(bags, method)
    stopped.advance(4)
    file = io.BytesIO()
    torch.save(stopped.state(), file)
    file.seek(0)
    again = training_of(bags, method)
    again.restore(torch.load(file, weights_only=True))
    again.advance(9)
    assert_same(again.snapshot(), whole.snapshot())


@every_peer
def test_a_saved_head_scores_the_same(method, tmp_path):
    """With what its normalisations have seen and its memories hold."""
    training = training_of(make_bags(4), method)
    training.advance(3)
    recipe = make_recipe(feature_dim=D)
    record = HeadRecord(
        settings=training.settings, recipe=recipe, calibration=make_calibration(0.5), seed=1, step=3
    )
    head = TrainedHead(training.head, record)
    head.save(tmp_path / "head.safetensors")
    loaded = TrainedHead.load(tmp_path)
    assert loaded.record == record
    features = make_features(n_frames=400, feature_dim=D)
    np.testing.assert_array_equal(loaded.snippet_scores(features), head.snippet_scores(features))
    assert_same(loaded.network.state_dict(), head.network.state_dict())


@every_peer
def test_other_features_in_a_place_are_judged_beside_the_rest(method):
    head = small_head(method).eval()
    record = HeadRecord(
        settings=head.settings,
        recipe=make_recipe(feature_dim=D),
        calibration=make_calibration(0.5),
        seed=1,
        step=3,
    )
    trained = TrainedHead(head, record)
    features = make_features(n_frames=400, feature_dim=D)
    values = np.random.default_rng(0).normal(size=(3, 1, D)).astype(np.float32)
    for snippet in (0, 11):
        expected = []
        for value in values:
            changed = make_features(n_frames=400, feature_dim=D)
            changed.values[snippet] = value
            expected.append(trained.snippet_scores(changed)[snippet])
        np.testing.assert_allclose(trained.scores_if(features, snippet, values), expected, atol=1e-6)


LEARNING = {
    "deepmil": {"learning_rate": 5e-3, "steps": 60},
    "rtfm": {"steps": 40},
    "ur-dmu": {"learning_rate": 2e-3, "steps": 40},
    "bn-wvad": {"learning_rate": 2e-3, "steps": 60},
    "mgfn": {"steps": 60},
}


@every_peer
def test_events_that_differ_from_the_rest_are_learned(method):
    """Other videos than those that were learned from."""
    bags, others = make_bags(12), make_bags(20, seed=1000)
    training = Training(TrainingSet(bags, 32), range(len(bags)), small(method, **LEARNING[method]))
    training.advance(training.settings.steps)
    means = bag_means(training.head, TrainingSet(others, 32), range(len(others)), lambda scores: scores)
    assert roc_auc_score([bag.label for bag in others], means) > 0.9


@every_peer
def test_cross_validation_trains_every_published_method(method):
    """Folds, selection, scale and threshold."""
    learned = train_with_cross_validation(make_bags(8), small(method, steps=5))
    assert np.isfinite(learned.threshold.threshold)
    assert {check.cluster for check in learned.history} == {0.0}
    assert learned.selected.settings.context == "none"
