"""An ensemble scores by the mean of its members' log odds, and is a head file like any other."""

import math

import numpy as np
import pytest
import torch

from support.calibrations import make_calibration, make_held_out
from support.feature_files import make_features, make_recipe
from support.peer_heads import small
from vadpipe.errors import FeatureError
from vadpipe.head.adaptation import adapted
from vadpipe.head.batch_clusters import Clusters
from vadpipe.head.building import build_head
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.ensemble import Ensemble
from vadpipe.head.record import HeadRecord, Member
from vadpipe.head.settings import HeadSettings

TINY = HeadSettings(hidden=4, cluster_dim=3, smoothing=0.0)


def make_members(n=3, settings=TINY):
    members = []
    for seed in range(n):
        torch.manual_seed(seed)
        member = build_head(torch.zeros(8), torch.ones(8), settings).eval()
        if settings.method == "cbcg":
            member.memory.append(Clusters(torch.eye(3)[:2], torch.ones(2)))
        members.append(member)
    return members


def trained(members, recipe=None) -> TrainedHead:
    ensemble = Ensemble(members).eval()
    ensemble.scale.copy_(torch.tensor([1.5, -0.25]))
    record = HeadRecord(
        settings=ensemble.settings,
        recipe=recipe or make_recipe(),
        calibration=make_calibration(0.5),
        held_out=make_held_out(),
        seed=3,
        step=7,
        members=tuple(Member(seed=3 + place, step=7) for place in range(len(members))),
    )
    return TrainedHead(ensemble, record)


def slow_scores(members, features, view_join):
    """Score by score in float64: each member's log odds, their mean, the scale, and then the views."""
    x = torch.from_numpy(features.values)  # (S, C, D)
    mask = torch.ones(1, len(x), dtype=torch.bool)
    joined = []
    views = [x[:, [view]] for view in range(x.shape[1])] if view_join == "max" else [x]
    with torch.inference_mode():
        for view in views:
            sums = np.zeros(len(x))
            for member in members:
                own = member.segment_scores(view.transpose(0, 1)[None], mask, None)[0].double().tolist()
                sums += [math.log(score / (1 - score)) for score in own]
            joined.append([1 / (1 + math.exp(-(1.5 * odds / len(members) - 0.25))) for odds in sums])
    return np.max(joined, axis=0)


@pytest.mark.parametrize("view_join", ["max", "mean"])
def test_a_score_is_the_mean_of_the_members_log_odds(view_join):
    members = make_members(settings=TINY.model_copy(update={"view_join": view_join}))
    recipe = dict(view="whole,left,centre", crops=3, resize_px=256)
    features = make_features(200, **recipe)
    scores = trained(members, make_recipe(**recipe)).snippet_scores(features)
    np.testing.assert_allclose(scores, slow_scores(members, features, view_join), atol=1e-6)
    assert scores.std() > 1e-3


def test_one_member_alone_scores_as_it_does():
    (member,) = make_members(1)
    member.scale.copy_(torch.tensor([1.5, -0.25]))
    features = make_features(100)
    record = trained([member]).record.model_copy(update={"members": ()})
    np.testing.assert_allclose(
        trained([member]).snippet_scores(features),
        TrainedHead(member, record).snippet_scores(features),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    "settings", [TINY, TINY.model_copy(update={"context": "pooled"}), small("rtfm")], ids=str
)
def test_a_saved_ensemble_scores_the_same_in_pieces_too(tmp_path, monkeypatch, settings):
    recipe = make_recipe()
    head, features = trained(make_members(settings=settings), recipe), make_features(1600)
    head.save(tmp_path / "head.safetensors")
    loaded = TrainedHead.load(tmp_path)
    assert loaded.record == head.record
    scores = head.snippet_scores(features)
    np.testing.assert_array_equal(loaded.snippet_scores(features), scores)
    monkeypatch.setattr("vadpipe.head.piecewise_scoring.AT_ONCE", 7)
    np.testing.assert_allclose(loaded.snippet_scores(features), scores, atol=1e-6)
    other = features.values[5] + 1
    changed = make_features(1600)
    changed.values[5] = other
    np.testing.assert_allclose(
        loaded.scores_if(features, 5, other[None]), loaded.snippet_scores(changed)[5], atol=1e-6
    )


def test_an_ensemble_with_a_member_too_few_is_damaged(tmp_path):
    head = trained(make_members(3))
    record = head.record.model_copy(update={"members": head.record.members[:2]})
    TrainedHead(head.network, record).save(tmp_path / "head.safetensors")
    with pytest.raises(FeatureError, match="is not a vadpipe head, or is damaged"):
        TrainedHead.load(tmp_path)


def test_every_member_is_adapted_to_footage(tmp_path):
    for seed in range(2):
        make_features(100, f"videos/{seed}.mp4", seed=seed).save(tmp_path / f"{seed}.safetensors")
    head = trained(make_members())
    found = adapted(head, tmp_path, tmp_path / "head")
    rows = np.concatenate([make_features(100, seed=seed).values[:, 0] for seed in range(2)])
    for member, before in zip(found.network.heads, head.network.heads, strict=True):
        np.testing.assert_allclose(member.embedding.mean, rows.mean(axis=0), atol=1e-6)
        assert not before.embedding.mean.any()
