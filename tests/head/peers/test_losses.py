"""Every loss against a slow loop over bags, segments and pairs, from what the network says of them."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from support.bags import D
from support.peer_heads import made_batch, small_head
from vadpipe.head.peers.parts import longest

K = {"rtfm": (16, 3), "mgfn": (16, 3), "ur-dmu": (16, 1)}


def numbers(tensor):
    return tensor.detach().double().numpy()


def top(scores, k):
    """Places of the k highest."""
    return sorted(range(len(scores)), key=lambda at: -scores[at])[:k]


def k_of(method, length):
    divisor, at_least = K[method]
    return min(length, max(length // divisor + 1, at_least))


def cross_entropy(probability, label):
    return -math.log(probability if label else 1 - probability)


def smoothness_and_sparsity(scores, labels):
    """Of all abnormal bags together."""
    steps = squares = 0.0
    for own, label in zip(scores, labels, strict=True):
        if label:
            steps += sum((b - a) ** 2 for a, b in pairwise(own))
            squares += sum(one**2 for one in own)
    return 8e-4 * steps + 8e-3 * math.sqrt(squares)


def by_bag(tensor, batch):
    """Rows of (N, T) cut to their lengths."""
    return [
        row[:length].tolist() for row, length in zip(numbers(tensor), batch.mask.sum(1).tolist(), strict=True)
    ]


def pairs(labels):
    """Abnormal and normal bags."""
    return [(a, n) for a, x in enumerate(labels) for n, y in enumerate(labels) if x and not y]


def test_deepmil():
    head, batch = small_head("deepmil").train(), made_batch()
    labels = batch.labels.tolist()
    weights = [numbers(layer.weight) for layer in head.layers if isinstance(layer, nn.Linear)]
    biases = [numbers(layer.bias) for layer in head.layers if isinstance(layer, nn.Linear)]
    scores = []
    for row, length in enumerate(batch.mask.sum(1).tolist()):
        own = []
        for at in range(length):
            of_views = []
            for view in numbers(batch.features[row, :, at]):
                x = view / np.sqrt((view**2).sum())
                x = np.maximum(weights[0] @ x + biases[0], 0)
                x = weights[2] @ (weights[1] @ x + biases[1]) + biases[2]
                of_views.append(1 / (1 + math.exp(-float(x[0]))))
            own.append(sum(of_views) / len(of_views))
        scores.append(own)
    hinges = [max(0, 1 - max(scores[a]) + max(scores[n])) for a, n in pairs(labels)]
    regular = []
    for own, label in zip(scores, labels, strict=True):
        if label:
            steps = sum((b - a) ** 2 for a, b in pairwise(own))
            regular.append(8e-5 * steps + 8e-5 * sum(own))
    loss = head.loss(batch, warm=True)
    assert float(loss.mil) == pytest.approx(sum(hinges) / len(hinges), rel=1e-5)
    expected = sum(hinges) / len(hinges) + sum(regular) / len(regular)
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-5)


def test_rtfm():
    head, batch = small_head("rtfm").train(), made_batch()
    labels = batch.labels.tolist()
    seen = head(batch.features, batch.mask)
    scores, magnitudes = by_bag(seen.scores, batch), by_bag(seen.magnitudes, batch)
    entropy, lengths = 0.0, []
    for own, long, label in zip(scores, magnitudes, labels, strict=True):
        chosen = top(long, k_of("rtfm", len(own)))
        entropy += cross_entropy(sum(own[at] for at in chosen) / len(chosen), label) / len(labels)
        lengths.append(sum(long[at] for at in chosen) / len(chosen))
    margins = [(abs(100 - lengths[a]) + lengths[n]) ** 2 for a, n in pairs(labels)]
    expected = entropy + 1e-4 * sum(margins) / len(margins) + smoothness_and_sparsity(scores, labels)
    loss = head.loss(batch, warm=True)
    assert float(loss.mil) == pytest.approx(entropy, rel=1e-5)
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-5)


def test_rtfm_passes_over_segments_in_training_only():
    head = small_head("rtfm", dropout=0.7)
    magnitudes, mask = torch.rand(50, 20) + 1, torch.ones(50, 20, dtype=torch.bool)
    expected = head.settings.top_k.mask(magnitudes, mask)
    assert torch.equal(longest(magnitudes, mask, head.eval()), expected)
    assert not torch.equal(longest(magnitudes, mask, head.train()), expected)
    assert longest(magnitudes, mask, head).sum(1).tolist() == [3] * 50


def test_mgfn():
    head, batch = small_head("mgfn").train(), made_batch()
    labels = batch.labels.tolist()
    seen = head(batch.features, batch.mask)
    scores, lengths, sums = (by_bag(part, batch) for part in (seen.scores, seen.norms, seen.sums))
    entropy, magnitudes = 0.0, []
    for own, long, total, label in zip(scores, lengths, sums, labels, strict=True):
        chosen = top(long, k_of("mgfn", len(own)))
        entropy += cross_entropy(sum(own[at] for at in chosen) / len(chosen), label) / len(labels)
        magnitudes.append(sum(total[at] for at in chosen) / len(chosen))
    apart = [max(0, 200 - abs(magnitudes[a] - magnitudes[n])) ** 2 for a, n in pairs(labels)]
    contrast = 1e-3 * sum(apart) / len(apart)
    for kind in (0, 1):
        own = [m for m, label in zip(magnitudes, labels, strict=True) if label == kind]
        squares = [(a - b) ** 2 for at, a in enumerate(own) for b in own[at + 1 :]]
        contrast += sum(squares) / len(squares)
    expected = entropy + 1e-3 * contrast + smoothness_and_sparsity(scores, labels)
    loss = head.loss(batch, warm=True)
    assert float(loss.mil) == pytest.approx(entropy, rel=1e-5)
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-5)


def memory_by_hand(memory, segment):
    """How well a segment is known, and the answer."""
    slots = numbers(memory.slots)
    likeness = [1 / (1 + math.exp(-(slot @ segment) / math.sqrt(len(segment)))) for slot in slots]
    return sum(sorted(likeness)[-4:]) / 4, sum(a * slot for a, slot in zip(likeness, slots, strict=True))


def test_ur_dmu(monkeypatch):
    monkeypatch.setattr(torch, "randn_like", lambda x: torch.full_like(x, 0.5))
    head, batch = small_head("ur-dmu").train(), made_batch()
    labels, lengths = batch.labels.tolist(), batch.mask.sum(1).tolist()
    n_views = batch.features.shape[1]

    def linear(layer, x):
        return numbers(layer.weight) @ x + numbers(layer.bias)

    bags = []  # of each: scores, known by either, and for each view what the chosen segments say
    divergence = []
    for row, (length, label) in enumerate(zip(lengths, labels, strict=True)):
        k = k_of("ur-dmu", length)
        scores, known = np.zeros(length), {"normal": np.zeros(length), "abnormal": np.zeros(length)}
        means = dict.fromkeys(("by_normal", "by_abnormal", "normal", "abnormal"), 0.0)
        for view in range(n_views):
            x = batch.features[row, view, :length][None]
            segments = numbers(head.enhancer(x, torch.ones(1, length, dtype=torch.bool)))[0]
            normal = [memory_by_hand(head.normal_memory, segment) for segment in segments]
            abnormal = [memory_by_hand(head.abnormal_memory, segment) for segment in segments]
            encoded, encoded_abnormal, total = [], [], 0.0
            for at in range(length):
                mean = linear(head.encode_mean, normal[at][1])
                log_variance = linear(head.encode_variance, normal[at][1])
                total = total + 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)
                encoded.append(mean if label else mean + 0.5 * np.exp(log_variance / 2))
                encoded_abnormal.append(linear(head.encode_mean, abnormal[at][1]))
                x = np.concatenate([segments[at], encoded[at] + encoded_abnormal[at]])
                x = linear(head.classifier[2], np.maximum(linear(head.classifier[0], x), 0))[0]
                scores[at] += 1 / (1 + math.exp(-x)) / n_views
                known["normal"][at] += normal[at][0] / n_views
                known["abnormal"][at] += abnormal[at][0] / n_views
            if not label:
                divergence.append(total.mean())
            best_normal = top([one[0] for one in normal], k)
            best_abnormal = top([one[0] for one in abnormal], k)
            means["by_normal"] = means["by_normal"] + segments[best_normal].mean(0) / n_views
            means["by_abnormal"] = means["by_abnormal"] + segments[best_abnormal].mean(0) / n_views
            means["normal"] = means["normal"] + np.mean([encoded[at] for at in best_normal], 0) / n_views
            means["abnormal"] = (
                means["abnormal"] + np.mean([encoded_abnormal[at] for at in best_abnormal], 0) / n_views
            )
        bags.append((scores, known, means, k))

    def mean(values):
        return sum(values) / len(values)

    def highest(values, k):
        return mean(sorted(values)[-k:])

    def unit(x):
        return x / np.linalg.norm(x)

    entropy = mean(
        [cross_entropy(highest(s, k), label) for (s, _, _, k), label in zip(bags, labels, strict=True)]
    )
    abnormal = [bag for bag, label in zip(bags, labels, strict=True) if label]
    normal = [bag for bag, label in zip(bags, labels, strict=True) if not label]
    memories = (
        mean([-math.log(highest(known["abnormal"], k)) for _, known, _, k in abnormal])
        + mean([-math.log(highest(1 - known["normal"], k)) for _, known, _, k in abnormal])
        + mean([-math.log(x) for _, known, _, _ in normal for x in known["normal"]])
        + mean([-math.log(1 - x) for _, known, _, _ in normal for x in known["abnormal"]])
    )
    triplets, distances = [], []
    for _, _, a, _ in abnormal:
        for _, _, n, _ in normal:
            near = np.linalg.norm(unit(n["by_normal"]) - unit(a["by_normal"]))
            far = np.linalg.norm(unit(n["by_normal"]) - unit(a["by_abnormal"]))
            triplets.append(max(0, near - far + 1))
            distances.append(max(0, 100 - np.linalg.norm(a["abnormal"]) + np.linalg.norm(n["normal"])))
    loss = head.loss(batch, warm=True)
    assert float(loss.mil) == pytest.approx(entropy, rel=1e-4)
    expected = entropy + 0.1 * memories + 0.1 * mean(triplets) + 1e-3 * mean(divergence)
    assert float(loss.total.detach()) == pytest.approx(expected + 1e-4 * mean(distances), rel=1e-4)


def test_bn_wvad():
    head, batch = small_head("bn-wvad").train(), made_batch()
    labels, lengths = batch.labels.tolist(), batch.mask.sum(1).tolist()
    loss = head.loss(batch, warm=True)  # moves the running statistics by which it judges
    before = {name: value.clone() for name, value in head.state_dict().items()}
    seen = head(batch.features, batch.mask)
    head.load_state_dict(before)

    scores = by_bag(seen.scores, batch)
    calm = [math.sqrt(sum(x**2 for x in own)) for own, label in zip(scores, labels, strict=True) if not label]
    expected = sum(calm) / len(calm)
    assert float(loss.mil) == pytest.approx(expected, rel=1e-5)
    for layer, norm, weight in zip(seen.layers, head.norms, (5, 20), strict=True):
        center = numbers(norm.layer.running_mean)
        variance = numbers(norm.layer.running_var) + norm.layer.eps

        def far(x, center=center, variance=variance):
            return math.sqrt((((x - center) ** 2) / variance).sum())

        x = numbers(layer)  # (N, C, T, W)
        ranked_by = [
            [np.mean([far(view[at]) for view in bag]) for at in range(length)]
            for bag, length in zip(x, lengths, strict=True)
        ]
        of_mean = [
            [far(bag[:, at].mean(0)) for at in range(length)] for bag, length in zip(x, lengths, strict=True)
        ]
        segments = [(row, at) for row, length in enumerate(lengths) if labels[row] for at in range(length)]
        n_of_all = int(len(segments) * 0.2)
        picked = {*sorted(segments, key=lambda one: -ranked_by[one[0]][one[1]])[:n_of_all]}
        for row, length in enumerate(lengths):
            if labels[row]:
                picked |= {(row, at) for at in top(ranked_by[row], max(1, int(length * 0.1)))}
        n_each = len(picked) // labels.count(0) + 1
        calm = [
            of_mean[row][at]
            for row in range(len(labels))
            if not labels[row]
            for at in top(ranked_by[row], n_each)
        ]
        hinges = [max(0, near - of_mean[row][at] + 1) for near in calm for row, at in picked]
        expected += weight * sum(hinges) / len(hinges)
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-4)


def test_bn_wvad_scores_by_classifier_times_distance():
    head, x = small_head("bn-wvad").eval(), torch.randn(1, 2, 7, D)
    with torch.inference_mode():
        seen = head(x, torch.ones(1, 7, dtype=torch.bool))
    scores = numbers(head.score(x))[0]
    for at in range(7):
        distance = 0.0
        for layer, norm in zip(seen.layers, head.norms, strict=True):
            center, known = numbers(norm.layer.running_mean), norm.layer
            variance = numbers(known.running_var) + known.eps
            distance += np.mean(
                [math.sqrt((((view[at] - center) ** 2) / variance).sum()) for view in numbers(layer)[0]]
            )
        product = float(seen.scores[0, at]) * distance
        assert scores[at] == pytest.approx(product / (1 + product), rel=1e-5)
