"""Each window of the backbone has a head of its own, and their log odds are joined, the longer ones smoothed."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from support.bags import collate, make_bags
from support.feature_files import make_features, make_recipe
from support.trained_heads import trained
from vadpipe.head import piecewise_scoring
from vadpipe.head.adaptation import adapted
from vadpipe.head.bags import TrainingSet
from vadpipe.head.batch_clusters import Clusters
from vadpipe.head.building import build_head
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.ensemble import Ensemble
from vadpipe.head.record import Member
from vadpipe.head.settings import HeadSettings
from vadpipe.head.window_heads import WindowHeads
from vadpipe.training.loop import Training

D = 4
TINY = HeadSettings(hidden=4, cluster_dim=3, smoothing=0.7, window_weight=0.3, window_smoothing=1.5)
RECIPE = {"feature_dim": 2 * D, "window_frames": (16, 64)}


def make_head(seed=0, width=2 * D, **settings) -> WindowHeads:
    torch.manual_seed(seed)
    statistics = torch.arange(float(width)), torch.ones(width)
    head = build_head(*statistics, TINY.model_copy(update=settings), 2).eval()
    for part in head.heads:
        part.memory.append(Clusters(torch.eye(3)[:2], torch.ones(2)))
    return head


def gaussian_mean(odds, deviation):
    """The weighted mean of each place's neighbours, place by place, over those there are."""
    reach = math.ceil(4 * deviation)
    means = []
    for at in range(len(odds)):
        near = range(max(0, at - reach), min(len(odds), at + reach + 1))
        weights = [math.exp(-0.5 * ((other - at) / deviation) ** 2) for other in near]
        means.append(sum(w * odds[other] for w, other in zip(weights, near, strict=True)) / sum(weights))
    return np.array(means)


def test_scores_are_those_of_a_slow_loop():
    head, features = make_head(), make_features(200, **RECIPE)
    x = torch.from_numpy(features.values).transpose(0, 1)[None]
    mask = torch.ones(1, x.shape[2], dtype=torch.bool)
    odds = []
    for part, own in zip(head.heads, (x[..., :D], x[..., D:]), strict=True):
        with torch.inference_mode():
            scores = part.segment_scores(own, mask, None)[0].double().numpy()
        odds.append(np.log(scores / (1 - scores)))
    joined = gaussian_mean(0.7 * odds[0] + 0.3 * gaussian_mean(odds[1], 1.5), 0.7)
    found = trained(head, features.recipe).snippet_scores(features)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-joined)), atol=1e-5)
    assert found.std() > 1e-3


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_window_without_weight_makes_no_difference(weight):
    head, features = make_head(window_weight=weight, window_smoothing=0.0), make_features(100, **RECIPE)
    part = head.heads[int(weight)]
    alone = make_features(100, feature_dim=D)
    alone.values[:] = features.values[..., D:] if weight else features.values[..., :D]
    expected = trained(part, alone.recipe).snippet_scores(alone)
    np.testing.assert_allclose(trained(head, features.recipe).snippet_scores(features), expected, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"context": "pooled"}], ids=str)
@pytest.mark.parametrize("at_once", [7, 64])
def test_a_video_in_pieces_has_the_same_scores(monkeypatch, at_once, settings):
    head, features = make_head(**settings), make_features(900, **RECIPE)
    whole = trained(head, features.recipe).snippet_scores(features)
    monkeypatch.setattr(piecewise_scoring, "AT_ONCE", at_once)
    np.testing.assert_allclose(trained(head, features.recipe).snippet_scores(features), whole, atol=1e-6)


def test_the_loss_is_the_sum_of_what_each_head_has_alone():
    batch = collate(make_bags(2))
    head = make_head(width=batch.features.shape[-1], dropout=0.0, feature_dropout=0.0).train()
    loss = head.loss(batch, warm=True)
    alone = [
        part.loss(type(batch)(own, batch.mask, batch.labels), warm=True)
        for part, own in zip(head.heads, batch.features.chunk(2, dim=-1), strict=True)
    ]
    torch.testing.assert_close(loss.total, alone[0].total + alone[1].total)
    torch.testing.assert_close(loss.mil, (alone[0].mil + alone[1].mil) / 2)
    before = [part.memory.clusters().cosine.clone() for part in head.heads]
    head.remember(loss)
    for part, own, centroids in zip(head.heads, loss.parts, before, strict=True):
        assert own.clusters is not None
        assert not torch.equal(part.memory.clusters().cosine, centroids)


def test_training_reaches_both_heads_and_adapting_gives_each_its_part_of_the_mean(tmp_path):
    bags = [replace(bag, n_windows=2) for bag in make_bags(3)]
    training = Training(TrainingSet(bags, 8), range(6), TINY.model_copy(update={"steps": 3}))
    assert isinstance(training.head, WindowHeads)
    before = [part.embedding.conv.weight.clone() for part in training.head.heads]
    training.advance(3)
    for part, weight in zip(training.head.heads, before, strict=True):
        assert not torch.equal(part.embedding.conv.weight, weight)
    features = make_features(100, window_frames=(16, 64), feature_dim=bags[0].values.shape[2])
    (tmp_path / "folder").mkdir()
    features.save(tmp_path / "folder" / "a.safetensors")
    moved = adapted(trained(training.head, features.recipe), tmp_path / "folder", tmp_path / "head")
    mean = features.values.mean(axis=(0, 1), dtype=np.float64)
    for part, own in zip(moved.network.heads, np.split(mean, 2), strict=True):
        np.testing.assert_allclose(part.embedding.mean.numpy(), own, rtol=1e-6)


@pytest.mark.parametrize("n_members", [0, 2])
def test_a_head_file_scores_as_before_it_was_written(tmp_path, n_members):
    features = make_features(150, **RECIPE)
    head = Ensemble([make_head(seed) for seed in range(n_members)]) if n_members else make_head()
    members = tuple(Member(seed=seed, step=1) for seed in range(n_members))
    kept = trained(head.eval(), make_recipe(**RECIPE), members)
    kept.save(tmp_path / "head.safetensors")
    again = TrainedHead.load(tmp_path / "head.safetensors")
    np.testing.assert_array_equal(again.snippet_scores(features), kept.snippet_scores(features))
