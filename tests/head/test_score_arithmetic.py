"""What holds of every score, whatever the numbers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from vadpipe.head.bag_score import TopK
from vadpipe.head.batch_clusters import (
    MIN_MASS,
    Clusters,
    abnormal_probability,
    batch_clusters,
    segment_weights,
)
from vadpipe.head.guidance import guided_score, teacher

shares = st.floats(0, 1, width=32)
lengths = st.lists(st.integers(1, 40), min_size=1, max_size=5)
seeds = st.integers(0, 2**31)
top_ks = st.builds(TopK, st.sampled_from([1, 4, 16]), st.sampled_from([1, 3, 8]))


def generator(seed):
    return torch.Generator().manual_seed(seed)


def masked_scores(lengths, seed):
    """Scores of bags of these lengths, some of them equal, with padding that must not count."""
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    scores = (torch.rand(mask.shape, generator=generator(seed), dtype=torch.float64) * 8).round() / 8
    return scores.masked_fill(~mask, 77.0), mask


def points(n, crops, length, z, seed):
    return F.normalize(
        torch.randn(n, crops, length, z, generator=generator(seed), dtype=torch.float64), dim=-1
    )


# ---- guided score --------------------------------------------------------------------------------


@given(s=shares, p_a=shares, mix=shares)
def test_a_guided_score_lies_between_both_branches(s, p_a, mix):
    score = float(guided_score(torch.tensor(s), torch.tensor(p_a), mix))
    assert min(s, p_a) - 1e-6 <= score <= max(s, p_a) + 1e-6
    assert -1e-6 <= score <= 1 + 1e-6


@given(s=st.tuples(shares, shares), p_a=st.tuples(shares, shares), mix=shares)
def test_a_guided_score_grows_with_both_branches(s, p_a, mix):
    low, high = (
        guided_score(torch.tensor(pick(s)), torch.tensor(pick(p_a)), mix) for pick in (min, max)
    )  # fmt: skip
    assert low <= high + 1e-6


@given(s=shares, p_a=shares)
def test_the_teacher_is_the_mean_of_both(s, p_a):
    assert float(teacher(torch.tensor(s), torch.tensor(p_a))) == pytest.approx((s + p_a) / 2, abs=1e-6)
    assert float(teacher(torch.tensor(s), None)) == pytest.approx(s)


# ---- the score of a bag --------------------------------------------------------------------------


@given(lengths=lengths, seed=seeds, top_k=top_ks)
def test_a_bag_scores_between_its_mean_and_its_highest_segment(lengths, seed, top_k):
    scores, mask = masked_scores(lengths, seed)
    for mean, row, length in zip(top_k.mean(scores, mask), scores, lengths, strict=True):
        assert row[:length].mean() - 1e-12 <= mean <= row[:length].max() + 1e-12


@given(lengths=lengths, seed=seeds, top_k=top_ks)
def test_the_order_of_segments_does_not_count(lengths, seed, top_k):
    scores, mask = masked_scores(lengths, seed)
    shuffled = scores.clone()
    for row, length in zip(shuffled, lengths, strict=True):
        row[:length] = row[torch.randperm(length, generator=generator(seed))]
    torch.testing.assert_close(top_k.mean(shuffled, mask), top_k.mean(scores, mask))


@given(lengths=lengths, seed=seeds, top_k=top_ks, more=shares)
def test_a_higher_segment_never_lowers_the_bag(lengths, seed, top_k, more):
    scores, mask = masked_scores(lengths, seed)
    raised = scores + more * torch.rand(scores.shape, generator=generator(seed + 1)).round()
    assert (top_k.mean(raised, mask) >= top_k.mean(scores, mask) - 1e-12).all()


# ---- segment weights and clusters ----------------------------------------------------------------


@given(lengths=lengths, seed=seeds, top_k=top_ks)
def test_a_segment_belongs_to_one_cluster_at_most(lengths, seed, top_k):
    decider, mask = masked_scores(lengths, seed)
    labels = (torch.rand(len(lengths), generator=generator(seed)) > 0.5).double()
    w_n, w_a = segment_weights(decider, labels, mask, top_k)
    assert not ((w_n > 0) & (w_a > 0)).any()
    for weights in (w_n, w_a):
        assert ((weights >= 0) & (weights <= 1)).all()
        assert (weights[~mask] == 0).all()
    normal = labels == 0
    assert (w_n[normal] == mask[normal]).all()
    assert (w_a[normal] == 0).all()
    # In an abnormal bag no segment that counts as normal is above one that counts as abnormal.
    for row, low, top in zip(decider[~normal], w_n[~normal] > 0, w_a[~normal] > 0, strict=True):
        if low.any() and top.any():
            assert row[low].max() <= row[top].min()


@given(seed=seeds, scale=st.floats(0.01, 100), n=st.integers(1, 4), crops=st.integers(1, 3))
def test_centroids_do_not_depend_on_scale_or_order(seed, scale, n, crops):
    z = points(n, crops, 6, 4, seed)
    weights = torch.rand(2, n, 6, generator=generator(seed), dtype=torch.float64) + 0.1
    expected = batch_clusters(z, weights)
    torch.testing.assert_close(expected.directions.norm(dim=-1), torch.ones(2, dtype=torch.float64))
    scaled = batch_clusters(z, scale * weights)
    torch.testing.assert_close(scaled.directions, expected.directions)
    torch.testing.assert_close(scaled.masses, scale * expected.masses)
    bags, segments, views = (torch.randperm(size, generator=generator(seed)) for size in (n, 6, crops))
    moved = batch_clusters(z[bags][:, views][:, :, segments], weights[:, bags][:, :, segments])
    torch.testing.assert_close(moved.directions, expected.directions)
    torch.testing.assert_close(moved.masses, expected.masses)


@given(seed=seeds, mass=st.floats(0, MIN_MASS))
def test_a_cluster_of_next_to_no_mass_is_empty_and_still_finite(seed, mass):
    z = points(2, 1, 3, 4, seed)
    weights = torch.ones(2, 2, 3, dtype=torch.float64)
    weights[1] = mass / 6
    clusters = batch_clusters(z, weights)
    assert clusters.has(0)
    assert not clusters.has(1)
    assert torch.isfinite(clusters.directions).all()


@given(seed=seeds, temperature=st.floats(0.02, 10), crops=st.integers(1, 3))
def test_the_two_probabilities_sum_to_one_and_do_not_depend_on_the_order_of_crops(seed, temperature, crops):
    z = points(2, crops, 5, 4, seed)
    clusters = Clusters(points(1, 1, 2, 4, seed + 1)[0, 0], torch.ones(2))
    swapped = Clusters(clusters.directions.flip(0), clusters.masses)
    p_a, p_n = (abnormal_probability(z, both, temperature) for both in (clusters, swapped))
    torch.testing.assert_close(p_a + p_n, torch.ones(2, 5, dtype=torch.float64))
    assert ((p_a >= 0) & (p_a <= 1)).all()
    torch.testing.assert_close(abnormal_probability(z.flip(1), clusters, temperature), p_a)


@given(seed=seeds, temperature=st.floats(0.05, 10))
def test_a_point_is_abnormal_by_more_than_a_half_where_it_is_nearer_to_the_abnormal_centroid(
    seed, temperature
):
    z = points(1, 1, 20, 3, seed)
    clusters = Clusters(points(1, 1, 2, 3, seed + 1)[0, 0], torch.ones(2))
    normal, abnormal = (z[0, 0] @ clusters.directions.T).T
    p_a = abnormal_probability(z, clusters, temperature)[0]
    apart = (abnormal - normal).abs() > 1e-9
    assert ((p_a > 0.5) == (abnormal > normal))[apart].all()
