"""The networks: their size as published, and their parts against slow loops."""

import math

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from support.bags import D
from support.peer_heads import small_head
from vadpipe.head.building import build_head
from vadpipe.head.methods import settings_of
from vadpipe.head.peers import transformer
from vadpipe.head.peers.parts import BatchNorm, Convolution
from vadpipe.head.peers.transformer import GlobalLocalAttention


def linear(n_in, n_out, bias=True, kernel=1):
    """Numbers of a layer."""
    return kernel * n_in * n_out + bias * n_out


def enhancer(width_in):
    """UR-DMU's convolution and two blocks: of 4 heads of 128, that ask, answer, and answer nearby."""
    attention = linear(512, 4 * 4 * 128, bias=False) + linear(2 * 4 * 128, 512)
    block = 2 * 512 + attention + 2 * 512 + linear(512, 512) + linear(512, 512)
    return linear(width_in, 512, kernel=3) + 2 * block


def count_deepmil(d):
    return linear(d, 512) + linear(512, 32) + linear(32, 1)


def count_rtfm(d):
    pyramid = 3 * (linear(d, d // 4, kernel=3) + 2 * d // 4)
    non_local = 3 * linear(d // 4, d // 8) + linear(d // 8, d // 4) + 2 * d // 4
    fuse = linear(d, d, bias=False, kernel=3) + 2 * d
    classifier = linear(d, 512) + linear(512, 128) + linear(128, 1)
    return pyramid + linear(d, d // 4, bias=False) + non_local + fuse + classifier


def count_ur_dmu(d):
    memories, encoders = 2 * 60 * 512, 2 * linear(512, 512)
    return enhancer(d) + memories + encoders + linear(1024, 128) + linear(128, 1)


def count_bn_wvad(d):
    return enhancer(d) + linear(512, 32) + 2 * 32 + linear(32, 16) + 2 * 16 + linear(16, 1)


def count_mgfn(d):
    def block(width, attention):
        network = 2 * width + linear(width, 4 * width) + linear(4 * width, width)
        return linear(width, width, kernel=3) + 2 * width + attention + network

    def focus(width):
        heads = width // 64
        return linear(width, width, bias=False) + heads * (5 + 1) + linear(width, width)

    glance = linear(64, 3 * 64, bias=False) + linear(64, 64)
    stages = 3 * block(64, glance) + 3 * block(128, focus(128)) + 2 * block(1024, focus(1024))
    between = 2 * 64 + linear(64, 128) + 2 * 128 + linear(128, 1024)
    return linear(d, 64, kernel=3) + linear(1, 64, kernel=3) + stages + between + 2 * 1024 + linear(1024, 1)


@pytest.mark.parametrize(
    ("method", "count", "width", "published_millions"),
    [
        ("deepmil", count_deepmil, 1024, None),
        ("rtfm", count_rtfm, 2048, 24.72),
        ("ur-dmu", count_ur_dmu, 1024, 6.49),
        ("bn-wvad", count_bn_wvad, 1024, None),
        ("mgfn", count_mgfn, 2048, 28.65),
    ],
)
def test_a_network_has_as_many_numbers_as_published(method, count, width, published_millions):
    """Those in millions are what later papers print of it."""
    with torch.device("meta"):
        head = build_head(torch.zeros(width), torch.ones(width), settings_of(method))
    n_numbers = sum(number.numel() for number in head.parameters())
    assert n_numbers == count(width)
    if published_millions is not None:
        assert round(n_numbers / 1e6, 2) == published_millions


def numbers(tensor):
    return tensor.detach().double().numpy()


def test_attention_is_global_by_likeness_and_local_by_distance():
    torch.manual_seed(0)
    attention, x = GlobalLocalAttention(8, dropout=0.0), torch.randn(1, 9, 8)
    n_real = 6
    mask = torch.arange(9)[None] < n_real
    found = numbers(attention(x, mask))[0]
    weights, out = numbers(attention.project.weight).reshape(4, 4, 2, 8), attention.merge[0]
    for at in range(n_real):
        parts = []
        for head in range(4):
            query, key, value, near = (
                [weights[part, head] @ segment for segment in numbers(x)[0]] for part in range(4)
            )
            likeness = [math.exp(query[at] @ key[other] / math.sqrt(2)) for other in range(n_real)]
            nearness = [math.exp(-abs(at - other) / math.e) for other in range(n_real)]
            parts.append(sum(w * v for w, v in zip(likeness, value, strict=False)) / sum(likeness))
            parts.append(sum(w * v for w, v in zip(nearness, near, strict=False)) / sum(nearness))
        expected = numbers(out.weight) @ np.concatenate(parts) + numbers(out.bias)
        np.testing.assert_allclose(found[at], expected, atol=1e-5)


def local_part(attention, x, mask):
    """Return the local half of what is merged, (N, heads, T, W), and the values that it averages."""
    merged = []
    attention.merge.register_forward_pre_hook(lambda _, given: merged.append(given[0].detach()))
    attention(x, mask)
    n_bags, length, _ = x.shape
    halves = merged[0].reshape(n_bags, length, 4, 2, attention.width)
    parts = attention.project(x).detach().reshape(n_bags, length, 4, 4, attention.width)
    return halves[:, :, :, 1].transpose(1, 2), parts[:, :, 3].transpose(1, 2)


def around_by_matrix(value, mask):
    """The mean by nearness, all distances at once."""
    places = torch.arange(mask.shape[1], dtype=torch.float64)
    weights = torch.exp(-(places[:, None] - places[None]).abs() / math.e) * mask[:, None]
    return (weights[:, None] @ value.double() / weights.sum(-1)[:, None, :, None]).float()


@pytest.mark.parametrize("at_once", [1, 64, 1024])
def test_what_is_near_is_seen_the_same_however_many_are_computed_at_once(monkeypatch, at_once):
    monkeypatch.setattr(transformer, "AT_ONCE", at_once)
    torch.manual_seed(0)
    for length in (1, 2, 63, 700):
        mask = torch.arange(length)[None] < torch.tensor([[length], [max(1, length - 20)]])
        found, value = local_part(GlobalLocalAttention(12, dropout=0.0), torch.randn(2, length, 12), mask)
        real = mask[:, None, :, None].expand_as(found)
        torch.testing.assert_close(found[real], around_by_matrix(value, mask)[real], rtol=0, atol=1e-6)


def test_beyond_what_is_near_nothing_weighs():
    distances = torch.tensor([transformer.NEAR - 15.0, transformer.NEAR + 1.0])
    far, beyond = torch.exp(-distances / math.e).tolist()
    assert far > beyond == 0


class Largest(TorchDispatchMode):
    """Of all tensors that are made while it is on, the numbers of the largest."""

    n_numbers = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        made = function(*arguments, **(options or {}))
        for part in made if isinstance(made, tuple | list) else (made,):
            if isinstance(part, torch.Tensor):
                self.n_numbers = max(self.n_numbers, part.numel())
        return made


@pytest.mark.parametrize("method", ["rtfm", "ur-dmu", "bn-wvad", "mgfn"])
def test_no_memory_grows_with_the_square_of_the_length(method):
    head, sizes = small_head(method).eval(), []
    for length in (4000, 8000):
        with Largest() as largest:
            head.score(torch.randn(1, 1, length, D))
        sizes.append(largest.n_numbers)
    assert sizes[1] <= 2 * sizes[0]
    assert sizes[1] < 8000**2 / 4


def by_hand(convolution, x):
    """A layer with a kernel of 1."""
    layer = convolution.layer
    return x @ numbers(layer.weight)[..., 0].T + numbers(layer.bias)


def test_the_non_local_block_is_the_dot_product_form():
    block, x = small_head("rtfm").eval().non_local, torch.randn(1, 9, D // 4)
    mask = torch.arange(9)[None] < 7
    real = numbers(x)[0, :7]
    query, key, value = (by_hand(part, real) for part in (block.query, block.key, block.value))
    back = by_hand(block.back, (query @ key.T / 7) @ value)
    norm = block.norm.layer
    scale = numbers(norm.weight) / np.sqrt(numbers(norm.running_var) + norm.eps)
    expected = real + (back - numbers(norm.running_mean)) * scale + numbers(norm.bias)
    np.testing.assert_allclose(numbers(block(x, mask))[0, :7], expected, atol=1e-5)


def test_the_pyramid_sees_further_and_further():
    """By how far a changed segment changes others."""
    head, x = small_head("rtfm").eval(), torch.randn(1, 25, D)
    other, mask = x.clone(), torch.ones(1, 25, dtype=torch.bool)
    other[0, 12] += 1
    for convolution, reach in zip(head.pyramid, (1, 2, 4), strict=True):
        moved = (convolution(x, mask) - convolution(other, mask)).abs().sum(-1)[0] > 1e-6
        assert moved.nonzero().flatten().tolist() == [12 - reach, 12, 12 + reach]


def test_channels_of_a_head_share_the_weights_of_a_focus():
    block = small_head("mgfn").eval().stages[1][0].attention
    width, n_heads = block.merge.in_features, block.around.in_channels
    assert (width, n_heads) == (8, 2)
    x, mask = torch.randn(1, 7, width), torch.ones(1, 7, dtype=torch.bool)
    value = numbers(block.project(block.norm(x, mask)))[0]
    kernel, bias = numbers(block.around.weight)[:, 0], numbers(block.around.bias)
    seen = np.zeros_like(value)
    for at in range(7):
        for channel in range(width):
            head = channel % n_heads
            seen[at, channel] = bias[head] + sum(
                kernel[head, step + 2] * value[at + step, channel]
                for step in range(-2, 3)
                if 0 <= at + step < 7
            )
    expected = seen @ numbers(block.merge.weight).T + numbers(block.merge.bias)
    np.testing.assert_allclose(numbers(block(x, mask))[0], expected, atol=1e-5)


def test_batch_normalisation_counts_real_segments_only():
    norm, x = BatchNorm(3).train(), torch.randn(2, 5, 3)
    mask = torch.arange(5)[None] < torch.tensor([[5], [2]])
    found = norm(x, mask)
    real = numbers(x)[mask.numpy()]
    expected = (real - real.mean(0)) / np.sqrt(real.var(0) + 1e-5)
    np.testing.assert_allclose(numbers(found)[mask.numpy()], expected, atol=1e-5)
    assert (found[~mask] == 0).all()
    np.testing.assert_allclose(numbers(norm.layer.running_mean), 0.1 * real.mean(0), atol=1e-6)
    np.testing.assert_allclose(numbers(norm.layer.running_var), 0.9 + 0.1 * real.var(0, ddof=1), atol=1e-6)


def test_a_convolution_sees_zeros_beyond_the_end():
    layer, x = Convolution(2, 3, 3), torch.randn(1, 6, 2)
    mask = torch.arange(6)[None] < 4
    torch.testing.assert_close(layer(x, mask)[:, :4], layer(x[:, :4], mask[:, :4]))


def test_deepmil_judges_directions_and_not_lengths():
    head, x = small_head("deepmil").eval(), torch.randn(1, 1, 5, D)
    torch.testing.assert_close(head.score(7 * x), head.score(x))
    assert head.reach == 0
