"""Claim 1, against a loop over segments that anyone can check by hand."""

import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from vadpipe.head.bag_score import TopK
from vadpipe.head.batch_clusters import (
    Clusters,
    abnormal_probability,
    batch_clusters,
    cluster_loss,
    segment_weights,
)
from vadpipe.head.clustering_branch import ClusteringBranch

TOP_K = TopK(divisor=16, at_least=2)


def make_batch(b=2, t=8, z=4, crops=1, seed=0, lengths=None):
    """Points, teacher, labels and mask of b normal and b abnormal bags."""
    generator = torch.Generator().manual_seed(seed)
    points = F.normalize(torch.randn(2 * b, crops, t, z, generator=generator, dtype=torch.float64), dim=-1)
    teacher = torch.rand(2 * b, t, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0.0] * b + [1.0] * b, dtype=torch.float64)
    lengths = torch.tensor(lengths or [t] * (2 * b))
    return points, teacher, labels, torch.arange(t) < lengths[:, None]


# ---- the obvious loop ----------------------------------------------------------------------------


def loop_weights(teacher, labels, mask):
    weights = [[[0.0] * len(row) for row in teacher] for _ in range(2)]
    for n, row in enumerate(teacher.tolist()):
        real = [t for t in range(len(row)) if mask[n, t]]
        if not labels[n]:
            for t in real:
                weights[0][n][t] = 1.0
            continue
        k = min(max(len(real) // 16 + 1, 2), len(real))
        ranked = sorted(real, key=lambda t: row[t])
        for t in ranked[: len(real) // 2]:
            weights[0][n][t] = 1 - row[t]
        for t in ranked[len(real) - k :]:
            weights[0][n][t], weights[1][n][t] = 0.0, row[t]
    return weights


def loop_centroid(points, weights):
    total = [0.0] * points.shape[-1]
    for n, c, t in itertools.product(*map(range, points.shape[:3])):
        for d in range(points.shape[-1]):
            total[d] += weights[n][t] * float(points[n, c, t, d])
    length = math.sqrt(sum(x * x for x in total))
    return [x / length for x in total]


def dot(a, b):
    return sum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def loop_loss(points, weights, labels, mask, temperature, margin):
    centroids = [loop_centroid(points, weights[which]) for which in range(2)]
    n_bags, crops, length, _ = points.shape
    loss = 0.0
    for which in range(2):
        mass = sum(map(sum, weights[which]))
        for n, t in itertools.product(range(n_bags), range(length)):
            distance = sum(1 - dot(points[n, c, t], centroids[which]) for c in range(crops)) / crops
            loss += weights[which][n][t] * distance / mass / 2
    loss += max(0.0, dot(*centroids) - margin)
    for n in range(n_bags):
        p = []
        for t in range(length):
            if mask[n, t]:
                per_crop = []
                for c in range(crops):
                    e_n, e_a = (math.exp(dot(points[n, c, t], centre) / temperature) for centre in centroids)
                    per_crop.append(e_a / (e_n + e_a))
                p.append(sum(per_crop) / crops)
        k = min(max(len(p) // 16 + 1, 2), len(p))
        bag = sum(sorted(p)[-k:]) / k
        loss -= math.log(bag if labels[n] else 1 - bag) / n_bags
    return loss


# ---- the tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("b", [1, 3])
@pytest.mark.parametrize("t", [1, 2, 5, 16])
@pytest.mark.parametrize("z", [2, 8])
@pytest.mark.parametrize("crops", [1, 3])
def test_loss_equals_the_loop(b, t, z, crops):
    points, teacher, labels, mask = make_batch(b, t, z, crops, seed=b * t)
    weights = segment_weights(teacher, labels, mask, TOP_K)
    own = batch_clusters(points, weights)
    loss = cluster_loss(points, weights, labels, mask, own, own, temperature=0.5, margin=-0.5, top_k=TOP_K)
    expected = loop_loss(points, loop_weights(teacher, labels, mask), labels, mask, 0.5, -0.5)
    assert float(loss) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("lengths", [[8, 3, 8, 5], [1, 2, 1, 2], [8, 8, 1, 8]])
def test_weights_equal_the_loop_on_bags_of_different_lengths(lengths):
    _, teacher, labels, mask = make_batch(lengths=lengths)
    weights = segment_weights(teacher, labels, mask, TOP_K)
    expected = torch.tensor(loop_weights(teacher, labels, mask), dtype=torch.float64)
    torch.testing.assert_close(weights, expected)
    assert not ((weights[0] > 0) & (weights[1] > 0)).any()  # a segment is never both


def test_normal_bags_anchor_the_normal_cluster():
    points, teacher, labels, mask = make_batch()
    points[:2] = torch.tensor([1.0, 0, 0, 0])  # every segment of the normal bags lies here
    clusters = batch_clusters(points, segment_weights(teacher, labels, mask, TOP_K))
    assert clusters.directions[0] @ torch.tensor([1.0, 0, 0, 0], dtype=torch.float64) > 0.9


@pytest.mark.parametrize(("gradient", "reaches"), [(1.0, True), (0.5, True), (0.0, False)])
def test_the_clustering_gradient_reaches_the_embedding_in_the_set_share(gradient, reaches):
    torch.manual_seed(0)
    embedding = torch.randn(4, 8, 16, requires_grad=True)
    branch = ClusteringBranch(16, 16, 8, gradient)
    full = ClusteringBranch(16, 16, 8, 1.0)
    full.load_state_dict(branch.state_dict())
    _, teacher, labels, mask = make_batch()
    weights = segment_weights(teacher, labels, mask, TOP_K).float()

    def embedding_gradient(branch):
        z = branch(embedding).unsqueeze(1)
        own = batch_clusters(z, weights)
        loss = cluster_loss(
            z, weights, labels.float(), mask, own, own, temperature=0.1, margin=-0.5, top_k=TOP_K
        )
        (result,) = torch.autograd.grad(loss, embedding, allow_unused=True)
        return torch.zeros_like(embedding) if result is None else result

    received = embedding_gradient(branch)
    assert bool(received.abs().sum() > 0) is reaches
    torch.testing.assert_close(received, gradient * embedding_gradient(full))


@pytest.mark.parametrize("crossing", [False, True])
def test_every_term_passes_its_gradient_on(crossing):
    """By finite differences: no term is built from numbers that are cut off from the graph."""
    points, teacher, labels, mask = make_batch(b=2, t=5, z=3, crops=2, lengths=[5, 3, 5, 4])
    weights = segment_weights(teacher, labels, mask, TOP_K)
    memory = Clusters(F.normalize(torch.eye(3, dtype=torch.float64)[:2], dim=-1), torch.ones(2))

    def loss(raw):
        z = F.normalize(raw, dim=-1)
        own = batch_clusters(z, weights)
        against = memory if crossing else own
        options = {"temperature": 0.5, "margin": -1.0, "top_k": TOP_K}
        return cluster_loss(z, weights, labels, mask, own, against, **options)

    assert torch.autograd.gradcheck(loss, points.requires_grad_())


def test_the_branch_itself_learns_even_when_cut_off():
    branch = ClusteringBranch(16, 16, 8, 0.0)
    branch(torch.randn(2, 3, 16)).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in branch.parameters())


@pytest.mark.parametrize("only", [0, 1])
def test_a_batch_of_one_label_gives_a_finite_loss(only):
    points, teacher, _, mask = make_batch()
    points.requires_grad_()
    labels = torch.full((4,), float(only), dtype=torch.float64)
    weights = segment_weights(teacher, labels, mask, TOP_K)
    own = batch_clusters(points, weights)
    assert own.has(1) is bool(only)
    loss = cluster_loss(points, weights, labels, mask, own, own, temperature=0.1, margin=-0.5, top_k=TOP_K)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(points.grad).all()


def test_an_abnormal_cluster_of_no_mass_is_left_out():
    points, _, labels, mask = make_batch()
    weights = segment_weights(torch.zeros(4, 8, dtype=torch.float64), labels, mask, TOP_K)
    own = batch_clusters(points, weights)
    assert not own.has(1)
    loss = cluster_loss(points, weights, labels, mask, own, own, temperature=0.1, margin=-0.5, top_k=TOP_K)
    assert torch.isfinite(loss)


def test_against_the_memory_only_the_batch_learns():
    points, teacher, labels, mask = make_batch()
    points.requires_grad_()
    memory = Clusters(
        F.normalize(torch.randn(2, 4, dtype=torch.float64), dim=-1).requires_grad_(), torch.ones(2)
    )
    weights = segment_weights(teacher, labels, mask, TOP_K)
    own = batch_clusters(points, weights)
    cluster_loss(
        points, weights, labels, mask, own, memory.detach(), temperature=0.1, margin=-0.5, top_k=TOP_K
    ).backward()
    assert points.grad.abs().sum() > 0
    assert memory.directions.grad is None


def test_p_a_is_near_1_at_the_abnormal_centroid_and_near_0_at_the_normal_one():
    clusters = Clusters(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.ones(2))
    z = torch.tensor([[[[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]]])
    p_a = abnormal_probability(z, clusters, 0.1)
    torch.testing.assert_close(p_a, torch.tensor([[0.0, 1.0, 0.5]]), atol=1e-6, rtol=0)
