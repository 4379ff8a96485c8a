"""A network without context and one with it: each learns by itself, and their log odds are averaged."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from support.bags import collate, make_bags
from support.exported_models import cbcg
from support.feature_files import make_features, make_recipe
from support.trained_heads import trained
from vadpipe.head.adaptation import adapted
from vadpipe.head.bags import TrainingSet, squeeze
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.ensemble import Ensemble
from vadpipe.head.record import Member
from vadpipe.head.settings import HeadSettings
from vadpipe.training.loop import Start, Training

D = 16


def make_head(seed=0, n_windows=1, **settings):
    return cbcg(seed, n_windows, context="both", **settings).eval()


def odds_of(head, x, context=None):
    with torch.inference_mode():
        scores = head.segment_scores(x, torch.ones(1, x.shape[2], dtype=torch.bool), context)
    return torch.logit(scores[0].double()).numpy()


@pytest.mark.parametrize("n_frames", [100, 1600])  # shorter than a bag, and longer
def test_scores_are_the_mean_log_odds_of_the_two(n_frames):
    head, features = make_head(smoothing=0.0, segments=8), make_features(n_frames, feature_dim=D)
    x = torch.from_numpy(features.values).transpose(0, 1)[None]
    bag = torch.from_numpy(squeeze(features.values.transpose(1, 0, 2), 8))[None]
    alone, seeing = head.heads
    assert (alone.settings.context, seeing.settings.context, head.settings.context) == (
        "none",
        "pooled",
        "both",
    )
    expected = (odds_of(alone, x) + odds_of(seeing, x, seeing.context_of(bag))) / 2
    found = trained(head, features.recipe).snippet_scores(features)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-expected)), atol=1e-5)
    assert found.std() > 1e-3
    assert np.abs(found - 1 / (1 + np.exp(-odds_of(alone, x)))).max() > 1e-3


@pytest.mark.parametrize("n_windows", [1, 2])
@pytest.mark.parametrize("n_members", [1, 2])
def test_a_head_file_a_long_video_and_other_features_in_a_place(tmp_path, monkeypatch, n_windows, n_members):
    recipe = make_recipe(feature_dim=D, window_frames=(16, 64)[:n_windows])
    heads = [make_head(seed, n_windows, segments=8) for seed in range(n_members)]
    members = tuple(Member(seed=seed, step=1) for seed in range(n_members)) if n_members > 1 else ()
    network = heads[0] if n_members == 1 else Ensemble(heads).eval()
    trained(network, recipe, members).save(tmp_path / "head.safetensors")
    head = TrainedHead.load(tmp_path / "head.safetensors")
    assert head.network.uses_context
    assert sum(isinstance(part, Cbcg) for part in head.network.modules()) == 2 * n_windows * n_members
    features = make_features(800, feature_dim=D, window_frames=recipe.window_frames)
    whole = head.snippet_scores(features)
    np.testing.assert_array_equal(whole, trained(network, recipe, members).snippet_scores(features))
    monkeypatch.setattr("vadpipe.head.piecewise_scoring.AT_ONCE", 7)
    np.testing.assert_allclose(head.snippet_scores(features), whole, atol=1e-6)
    other = np.random.default_rng(1).normal(size=(1, *features.values.shape[1:])).astype(np.float32)
    changed = features.values.copy()
    changed[40] = other[0]
    expected = head.snippet_scores(replace(features, values=changed))[40]
    np.testing.assert_allclose(head.scores_if(features, 40, other), [expected], atol=1e-6)
    assert abs(expected - whole[40]) > 1e-4


def test_each_network_learns_from_a_loss_of_its_own():
    head = make_head(dropout=0.0, feature_dropout=0.0)
    batch = collate(make_bags(3))
    loss = head.loss(batch, warm=True)
    parts = [part.loss(batch, warm=True) for part in head.heads]
    torch.testing.assert_close(loss.total, parts[0].total + parts[1].total)
    torch.testing.assert_close(loss.mil, (parts[0].mil + parts[1].mil) / 2)
    before = [part.memory.sums.clone() for part in head.heads]
    head.remember(loss)
    for part, old in zip(head.heads, before, strict=True):
        assert not torch.equal(part.memory.sums, old)


@pytest.mark.parametrize("n_windows", [1, 2])
def test_each_network_learns_as_it_would_alone(n_windows):
    """Also where its gradient is clipped: without dropout, nothing that is random is shared."""
    bags = [replace(bag, n_windows=n_windows) for bag in make_bags(8)]
    data = TrainingSet(bags, 8)
    settings = HeadSettings(
        hidden=4,
        cluster_dim=3,
        dropout=0.0,
        feature_dropout=0.0,
        clip_norm=1e-3,
        weight_averaging=0.0,
        context="both",
    )
    both = Training(data, range(16), settings)
    windows = both.head.heads if n_windows > 1 else [both.head]
    single = {}
    for place, kind in enumerate(("none", "pooled")):
        own = settings.model_copy(update={"context": kind})
        parts = [window.heads[place].state_dict() for window in windows]
        begun = {
            (f"members.{number}.{name}" if n_windows > 1 else name): value.clone()
            for number, part in enumerate(parts)
            for name, value in part.items()
        }
        if n_windows > 1:
            begun["scale"] = both.head.scale.clone()
        single[place] = Training(data, range(16), own, start=Start(begun, "0" * 64))
    for training in (both, *single.values()):
        training.advance(12)
    for place, training in single.items():
        alone = training.head.heads if n_windows > 1 else [training.head]
        for window, other in zip(windows, alone, strict=True):
            for name, value in other.state_dict().items():
                torch.testing.assert_close(
                    window.heads[place].state_dict()[name], value, rtol=1e-5, atol=1e-7
                )


def test_adaptation_reaches_both(tmp_path):
    features = make_features(96, feature_dim=D)
    features.save(tmp_path / "features/a.mp4.safetensors")
    head = adapted(trained(make_head(), features.recipe), tmp_path / "features", tmp_path / "head")
    for part in head.network.heads:
        np.testing.assert_allclose(part.embedding.mean, features.values.mean(axis=(0, 1)), atol=1e-5)
