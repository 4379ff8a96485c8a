"""The head as a whole: shapes, guidance, crops, and videos of any length."""

import numpy as np
import pytest
import torch
from torch import nn

from vadpipe.head.batch_clusters import Clusters, abnormal_probability
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.embedding import Embedding
from vadpipe.head.guidance import guided_score, teacher
from vadpipe.head.settings import HeadSettings
from vadpipe.head.smoothing import smoothed

D = 6


def make_head(remember=True, **settings) -> Cbcg:
    torch.manual_seed(0)
    settings = {"smoothing": 0.0, **settings}
    head = Cbcg(torch.zeros(D), torch.ones(D), HeadSettings(hidden=8, cluster_dim=4, **settings)).eval()
    if remember:
        directions = torch.tensor([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]])
        head.memory.append(Clusters(directions, torch.ones(2)))
    return head


@pytest.mark.parametrize("length", [1, 2, 3, 33, 500])
@pytest.mark.parametrize("crops", [1, 5])
def test_scores_are_probabilities_for_any_length(length, crops):
    scores = make_head().score(torch.randn(2, crops, length, D))
    assert scores.shape == (2, length)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_the_score_is_the_mix_of_both_branches():
    head, x = make_head(score_mix=0.3), torch.randn(1, 1, 5, D)
    with torch.inference_mode():
        out = head(x, torch.ones(1, 5, dtype=torch.bool))
        p_a = abnormal_probability(out.points, head.memory.clusters(), head.settings.temperature)
    torch.testing.assert_close(head.score(x), 0.3 * out.scores + 0.7 * p_a)
    torch.testing.assert_close(make_head(guided=False).score(x), out.scores)


def test_without_memory_the_classifier_speaks_alone():
    x = torch.randn(1, 1, 5, D)
    torch.testing.assert_close(make_head(remember=False).score(x), make_head(guided=False).score(x))


def test_padding_changes_nothing():
    head, x = make_head(), torch.randn(1, 2, 7, D)
    padded = torch.cat([x, torch.full((1, 2, 4, D), 1e3)], dim=2)
    mask = torch.arange(11)[None] < 7
    torch.testing.assert_close(head.score(padded, mask)[:, :7], head.score(x))


def test_views_can_be_averaged():
    head, x = make_head(guided=False, view_join="mean"), torch.randn(1, 3, 5, D)
    apart = torch.stack([head.score(x[:, crop : crop + 1]) for crop in range(3)])
    torch.testing.assert_close(head.score(x), apart.mean(0))


@pytest.mark.parametrize("smoothing", [0.0, 0.7])
def test_the_highest_view_speaks_for_all(smoothing):
    head = make_head(smoothing=smoothing)
    x, mask = torch.randn(2, 3, 9, D), torch.arange(9)[None] < torch.tensor([[9], [6]])
    apart = torch.stack([head.score(x[:, view : view + 1], mask) for view in range(3)], dim=1)
    torch.testing.assert_close(head.score_views(x, mask), apart)
    torch.testing.assert_close(head.score(x, mask), apart.amax(dim=1))
    assert len(apart.argmax(dim=1).unique()) == 3  # no view leads everywhere


def test_how_views_are_joined_changes_nothing_where_there_is_one():
    x = torch.randn(2, 1, 9, D)
    assert torch.equal(make_head(smoothing=0.7).score(x), make_head(smoothing=0.7, view_join="mean").score(x))


def test_the_embedding_judges_by_what_was_normal_in_training():
    mean, std = torch.arange(D, dtype=torch.float), torch.full((D,), 2.0)
    embedding = Embedding(mean, std, hidden=4, dropout=0.0).eval()
    x, mask = torch.randn(1, 2, 5, D), torch.ones(1, 5, dtype=torch.bool)
    for view, seen in zip(embedding(x, mask)[0], x[0], strict=True):
        expected = torch.relu(
            nn.functional.conv1d(
                ((seen - mean) / std).T, embedding.conv.weight, embedding.conv.bias, padding=1
            )
        ).T
        torch.testing.assert_close(view, expected)


def dropped(embedding, x, mask):
    """What the convolution is given."""
    given = []
    hook = embedding.conv.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].transpose(1, 2)))
    torch.manual_seed(3)
    embedding(x[:, None], mask)
    hook.remove()
    return given[0]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
def test_features_are_dropped_number_by_number_in_training_only(share):
    width = 50
    mean, std = torch.linspace(-1, 1, width), torch.full((width,), 2.0)
    embedding = Embedding(mean, std, hidden=4, dropout=0.0, feature_dropout=share)
    x, mask = torch.randn(6, 20, width), torch.arange(20)[None] < torch.tensor([20, 1, 7, 20, 13, 2])[:, None]
    whole = (x - mean) / std
    real = mask[..., None].expand_as(x)
    given = dropped(embedding.train(), x, mask)
    kept = (given != 0) & real
    torch.testing.assert_close(given[kept], whole[kept] / (1 - share))  # as much in all as without
    assert kept[real].float().mean() == pytest.approx(1 - share, abs=0.05)
    if share:  # neither whole snippets nor whole channels
        assert ((kept.sum(2) > 0) & (kept.sum(2) < width))[mask].all()
        assert ((kept.sum((0, 1)) > 0) & (kept.sum((0, 1)) < mask.sum())).all()
    assert (given[~real] == 0).all()
    assert torch.equal(dropped(embedding, torch.where(real, x, 1e3), mask), given)  # whatever lies beyond
    torch.testing.assert_close(dropped(embedding.eval(), x, mask), whole * mask[..., None])


def slow_context(f):
    """What each of the segments f (T, H) sees: itself, and the mean and the highest of all."""
    return np.array([[*segment, *f.mean(0), *f.max(0)] for segment in f])


def test_context_is_the_mean_and_the_maximum_of_all_real_segments():
    torch.manual_seed(1)
    mean, std = torch.zeros(D), torch.ones(D)
    alone = Embedding(mean, std, hidden=4, dropout=0.0).eval()
    seeing = Embedding(mean, std, hidden=4, dropout=0.0, with_context=True).eval()
    seeing.load_state_dict(alone.state_dict())
    x, mask = torch.randn(2, 3, 9, D), torch.arange(9)[None] < torch.tensor([9, 5])[:, None]
    found, plain = seeing(x, mask).detach().numpy(), alone(x, mask).detach().numpy()
    assert (alone.width, seeing.width, found.shape) == (4, 12, (2, 3, 9, 12))
    for bag, length in enumerate((9, 5)):
        for view in range(3):
            expected = slow_context(plain[bag, view, :length])
            np.testing.assert_allclose(found[bag, view, :length], expected, atol=1e-6)


def test_context_is_dropped_like_the_segments_themselves_and_pooled_before_that():
    seeing = Embedding(torch.zeros(D), torch.ones(D), hidden=200, dropout=0.5, with_context=True)
    x, mask = torch.randn(1, 1, 9, D), torch.ones(1, 9, dtype=torch.bool)
    whole, dropped = seeing.eval()(x, mask), seeing.train()(x, mask)
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])
    assert kept[whole > 0].float().mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("join", ["max", "mean"])
def test_a_part_of_a_video_with_the_context_of_all_is_scored_like_the_whole(join):
    head, x = make_head(context="pooled", view_join=join), torch.randn(1, 3, 20, D)
    part = head.score(x[:, :, 4:15], context=head.context_of(x))[:, 1:-1]  # but for the ends' convolution
    torch.testing.assert_close(part, head.score(x)[:, 5:14])
    assert (part - head.score(x[:, :, 4:15])[:, 1:-1]).abs().max() > 1e-4
    assert make_head(context="none").context_of(x) is None


def test_a_head_drops_as_many_features_as_its_settings_say():
    assert make_head(feature_dropout=0.25).embedding.feature_dropout.p == 0.25
    x = torch.randn(1, 2, 9, D)
    torch.testing.assert_close(
        make_head(feature_dropout=0.9).score(x), make_head(feature_dropout=0.0).score(x)
    )


@pytest.mark.parametrize("deviation", [0.5, 2.0])
@pytest.mark.parametrize("guided", [True, False])
def test_scores_are_smoothed_last_over_real_segments(deviation, guided):
    settings = {"guided": guided, "view_join": "mean"}
    head, rough = make_head(smoothing=deviation, **settings), make_head(**settings)
    x, mask = torch.randn(2, 3, 12, D), torch.arange(12)[None] < torch.tensor([12, 5])[:, None]
    odds = torch.logit(rough.score(x, mask), 1e-9)
    torch.testing.assert_close(head.score(x, mask), torch.sigmoid(smoothed(odds, mask, deviation)))
    torch.testing.assert_close(head.score(x, mask)[1:, :5], head.score(x[1:, :, :5]))
    assert not torch.allclose(head.score(x, mask)[mask], rough.score(x, mask)[mask])


def test_the_control_has_a_second_head_and_no_clusters():
    head = make_head(clustering=False, second_head=True)
    out = head(torch.randn(1, 1, 5, D), torch.ones(1, 5, dtype=torch.bool))
    assert out.points is None
    assert out.second.shape == (1, 5)

    def size(module):
        return sum(parameter.numel() for parameter in module.parameters())

    clustering, control = size(make_head().clustering), size(head.second)
    assert clustering <= control < 1.1 * clustering


def test_guided_score_and_teacher_arithmetic():
    s, p = torch.tensor([[0.2, 1.0]], requires_grad=True), torch.tensor([[0.8, 0.0]])
    torch.testing.assert_close(guided_score(s, p, 0.5), torch.tensor([[0.5, 0.5]]))
    torch.testing.assert_close(guided_score(s, p, 1.0), s)
    torch.testing.assert_close(teacher(s, p), torch.tensor([[0.5, 0.5]]))
    assert not teacher(s, None).requires_grad
