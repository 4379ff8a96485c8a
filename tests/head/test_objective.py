"""The loss of a batch, against loops over bags, crops and segments that know no padding."""

import itertools
import math

import numpy as np
import pytest
import torch

from support.bags import D, make_bag
from support.head_settings import SMALL
from vadpipe.head.bags import Batch
from vadpipe.head.batch_clusters import Clusters
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.objective import batch_loss, whole_bags

EXACT = SMALL.model_copy(
    update={"hidden": 5, "cluster_dim": 3, "dropout": 0.0, "feature_dropout": 0.0, "temperature": 0.5,
            "score_mix": 0.3, "cluster_weight": 0.7, "smoothness": 0.2, "sparsity": 0.1, "top_k_at_least": 2}
)  # fmt: skip

SWITCHES = [
    {"memory": "none"},
    {"memory": "queue"},
    {"memory": "queue", "guided": False},
    {"clustering": False, "guided": False},
    {"clustering": False, "second_head": True},
]


@pytest.fixture(autouse=True)
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def make_videos(crops=2):
    """Values (C, T, D) and label of two bags a class, of four lengths, one of them 1."""
    return [
        (make_bag(label, 40 + length, length=length, crops=crops)[0].values.astype(np.float64), label)
        for length, label in ((9, 0), (1, 0), (34, 1), (3, 1))
    ]


def batch_of(videos, beyond=0.0):
    """The batch of these videos; ``beyond`` fills what lies behind their ends."""
    crops, dim = videos[0][0].shape[0], videos[0][0].shape[2]
    longest = max(values.shape[1] for values, _ in videos)
    features = torch.full((len(videos), crops, longest, dim), beyond)
    mask = torch.zeros(len(videos), longest, dtype=torch.bool)
    for row, (values, _) in enumerate(videos):
        features[row, :, : values.shape[1]] = torch.from_numpy(values)
        mask[row, : values.shape[1]] = True
    return Batch(features, mask, torch.tensor([float(label) for _, label in videos]))


def make_head(**changes):
    """A head in training mode whose memory holds two clusters."""
    torch.manual_seed(0)
    head = Cbcg(torch.linspace(-1, 1, D), torch.linspace(0.5, 2, D), EXACT.model_copy(update=changes))
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    directions = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2, 0.0], [-0.3, 1.0, 0.4]]), dim=-1)
    head.memory.append(Clusters(directions, torch.tensor([2.0, 1.0])))
    return head.train()


# ---- the slow loss -------------------------------------------------------------------------------


def slow_total(head, videos, warm):
    total, mil, cluster = slow_view(head, videos, warm)
    weight = head.settings.whole_bag_weight
    if weight:
        total += weight * slow_view(head, slow_whole_bags(videos), warm)[0]
    return total, mil, cluster


def slow_whole_bags(videos):
    """Each bag as its mean segment."""
    whole = []
    for values, label in videos:
        crops, length, dim = values.shape
        means = np.zeros((crops, 1, dim))
        for crop in range(crops):
            for at in range(length):
                means[crop, 0] += values[crop, at] / length
        whole.append((means, label))
    return whole


def slow_view(head, videos, warm):
    """Return total, MIL part and clustering part of bags of any lengths."""
    settings, numbers = head.settings, {name: value.numpy() for name, value in head.state_dict().items()}
    labels = [label for _, label in videos]
    embedded = [slow_embedding(numbers, values) for values, _ in videos]
    scores = [slow_scores(numbers, "classifier.layers", (0, 3), f) for f in embedded]
    final, other, cluster = scores, None, 0.0
    if settings.second_head:
        other = [slow_scores(numbers, "second.layers", (0, 2, 4), f) for f in embedded]
        cluster = slow_bag_loss(other, labels, settings)
    elif settings.clustering:
        other, cluster = slow_clustering(head, numbers, embedded, scores, labels, warm)
    if settings.guided and warm and other is not None:
        mix = settings.score_mix
        final = [
            [mix * a + (1 - mix) * b for a, b in zip(s, p, strict=True)]
            for s, p in zip(scores, other, strict=True)
        ]
    mil = slow_bag_loss(final, labels, settings)
    rough = sum(
        (b - a) ** 2
        for s, label in zip(scores, labels, strict=True)
        if label
        for a, b in itertools.pairwise(s)
    )
    size = math.sqrt(sum(a * a for s, label in zip(scores, labels, strict=True) if label for a in s))
    total = mil + settings.cluster_weight * cluster + settings.smoothness * rough + settings.sparsity * size
    return total, mil, cluster


def slow_embedding(numbers, values):
    """(C, T, H) of a bag, neighbour by neighbour."""
    weight, bias = numbers["embedding.conv.weight"], numbers["embedding.conv.bias"]
    crops, length, _ = values.shape
    x = (values - numbers["embedding.mean"]) / numbers["embedding.std"]
    f = np.zeros((crops, length, len(bias)))
    for crop in range(crops):
        for at in range(length):
            f[crop, at] = bias
            for tap in range(3):
                if 0 <= at + tap - 1 < length:
                    f[crop, at] += weight[:, :, tap] @ x[crop, at + tap - 1]
    return np.maximum(f, 0)


def slow_layers(numbers, prefix, places, f):
    for place in places:
        f = numbers[f"{prefix}.{place}.weight"] @ f + numbers[f"{prefix}.{place}.bias"]
        if place != places[-1]:
            f = np.maximum(f, 0)
    return f


def slow_scores(numbers, prefix, places, f):
    """The score of each segment, the mean over crops."""
    return [
        sum(1 / (1 + math.exp(-slow_layers(numbers, prefix, places, crop[at])[0])) for crop in f) / len(f)
        for at in range(f.shape[1])
    ]


def top_of(settings, scores):
    k = min(max(len(scores) // settings.top_k_divisor + 1, settings.top_k_at_least), len(scores))
    return sorted(range(len(scores)), key=scores.__getitem__)[-k:]


def slow_bag_loss(scores, labels, settings):
    loss = 0.0
    for s, label in zip(scores, labels, strict=True):
        top = top_of(settings, s)
        bag = sum(s[at] for at in top) / len(top)
        loss -= math.log(bag if label else 1 - bag) / len(labels)
    return loss


def unit(vector):
    return vector / math.sqrt(sum(number * number for number in vector))


def slow_clustering(head, numbers, embedded, scores, labels, warm):
    """Return p_a of each segment and L_BC."""
    settings = head.settings
    z = [
        [[unit(slow_layers(numbers, "clustering.layers", (0, 2), f)) for f in crop] for crop in bag]
        for bag in embedded
    ]
    known = [unit(direction) for direction in numbers["memory.sums"][0]]
    crossing = warm and settings.memory == "queue"

    def weights_by(decider):
        """For each bag and segment, its weight in the normal and in the abnormal cluster."""
        weights = []
        for t, label in zip(decider, labels, strict=True):
            if not label:
                weights.append([(1.0, 0.0)] * len(t))
                continue
            top, low = top_of(settings, t), sorted(range(len(t)), key=t.__getitem__)[: len(t) // 2]
            weights.append(
                [
                    (0.0, t[at]) if at in top else (1 - t[at], 0.0) if at in low else (0.0, 0.0)
                    for at in range(len(t))
                ]
            )
        return weights

    def points():
        for bag, crops in enumerate(z):
            for crop in crops:
                for at, point in enumerate(crop):
                    yield bag, at, point, 1 / len(crops)

    def centroids(weights):
        return [
            unit(sum(weights[bag][at][which] * point for bag, at, point, _ in points())) for which in (0, 1)
        ]

    def p_by(centres):
        p = [[0.0] * len(s) for s in scores]
        for bag, at, point, share in points():
            normal, abnormal = (math.exp(point @ centre / settings.temperature) for centre in centres)
            p[bag][at] += share * abnormal / (normal + abnormal)
        return p

    decider = scores
    if warm:
        p = p_by(known if crossing else centroids(weights_by(scores)))
        decider = [
            [(a + b) / 2 for a, b in zip(s, own, strict=True)] for s, own in zip(scores, p, strict=True)
        ]
    weights = weights_by(decider)
    own = centroids(weights)

    def loss_against(centres):
        loss = 0.0
        for which in (0, 1):
            mass = sum(pair[which] for bag in weights for pair in bag)
            for bag, at, point, share in points():
                loss += weights[bag][at][which] * share * (1 - point @ centres[which]) / mass / 2
        for normal, abnormal in ((own[0], centres[1]), (centres[0], own[1])):
            loss += max(0.0, normal @ abnormal - settings.margin) / 2
        return loss + slow_bag_loss(p_by(centres), labels, settings)

    loss = loss_against(own)
    if crossing:
        loss += loss_against(known)
    return p_by(known if crossing else own), loss


# ---- the tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("weight", [0.0, 0.6])
@pytest.mark.parametrize("crops", [1, 2])
def test_the_loss_is_that_of_the_loops(switches, warm, weight, crops):
    head, videos = make_head(**switches, whole_bag_weight=weight), make_videos(crops)
    with torch.no_grad():
        loss = batch_loss(head, batch_of(videos, beyond=1e3), warm=warm)
    total, mil, cluster = slow_total(head, videos, warm)
    assert float(loss.total) == pytest.approx(total, rel=1e-9)
    assert (float(loss.mil), float(loss.cluster)) == pytest.approx((mil, cluster), rel=1e-9)


@pytest.mark.parametrize("crops", [1, 3])
def test_whole_bags_are_means_of_real_segments(crops):
    videos = make_videos(crops)
    for beyond in (0.0, -1e3):
        whole = whole_bags(batch_of(videos, beyond))
        assert whole.features.shape == (4, crops, 1, D)
        assert whole.mask.all()
        assert whole.mask.shape == (4, 1)
        assert whole.labels.tolist() == [0, 0, 1, 1]
        for row, (means, _) in zip(whole.features, slow_whole_bags(videos), strict=True):
            np.testing.assert_allclose(row.numpy(), means, rtol=1e-12)


def test_whole_bags_stay_in_single_precision_and_bags_of_one_segment_as_they_are():
    batch = batch_of([(values[:, :1], label) for values, label in make_videos()])
    whole = whole_bags(Batch(batch.features.float(), batch.mask, batch.labels.float()))
    assert whole.features.dtype == torch.float32
    assert torch.equal(whole.features, batch.features.float())


def test_bags_of_one_segment_count_twice_with_a_weight_of_1():
    videos = [(values[:, :1], label) for values, label in make_videos()]
    once, twice = (
        batch_loss(make_head(whole_bag_weight=weight), batch_of(videos), warm=True).total
        for weight in (0.0, 1.0)
    )
    assert float(twice.detach()) == pytest.approx(2 * float(once.detach()), rel=1e-12)


@pytest.mark.parametrize("warm", [False, True])
def test_the_whole_bags_leave_memory_and_report_to_the_segments(warm):
    plain, both = (
        batch_loss(make_head(whole_bag_weight=weight), batch_of(make_videos()), warm=warm)
        for weight in (0.0, 2.0)
    )
    assert torch.equal(both.clusters.directions, plain.clusters.directions)
    assert torch.equal(both.clusters.masses, plain.clusters.masses)
    for name in ("mil", "cluster", "spread"):
        assert torch.equal(getattr(both, name), getattr(plain, name))
    assert not torch.equal(both.total, plain.total)


def test_the_whole_bags_have_a_gradient_of_their_own():
    def gradient(weight):
        head = make_head(whole_bag_weight=weight)
        batch_loss(head, batch_of(make_videos()), warm=True).total.backward()
        return torch.cat([p.grad.flatten() for p in head.parameters()])

    zero, one, three = (gradient(weight) for weight in (0.0, 1.0, 3.0))
    assert not torch.allclose(one, zero)
    torch.testing.assert_close(three - zero, 3 * (one - zero))


def test_smoothing_is_of_no_concern_to_the_loss():
    """Only what is scored is smoothed."""
    losses = [
        batch_loss(make_head(smoothing=deviation, whole_bag_weight=1.0), batch_of(make_videos()), warm=True)
        for deviation in (0.0, 3.0)
    ]
    assert torch.equal(losses[0].total, losses[1].total)
