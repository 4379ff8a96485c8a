"""The k highest segments stand for the bag."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.head.bag_score import TopK, bag_loss


@pytest.mark.parametrize(
    ("length", "k"), [(1, 1), (2, 2), (3, 3), (8, 3), (32, 3), (47, 3), (48, 4), (200, 13), (256, 17)]
)
def test_k_is_that_of_the_field_and_never_beyond_the_bag(length, k):
    assert int(TopK(divisor=16, at_least=3).counts(torch.tensor([length]))) == k


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    divisor=st.sampled_from([1, 4, 16]),
    at_least=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
)
def test_mean_is_that_of_a_plain_sort(lengths, divisor, at_least, seed):
    scores = torch.rand(len(lengths), max(lengths), generator=torch.Generator().manual_seed(seed))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    expected = []
    for row, length in zip(scores.tolist(), lengths, strict=True):
        k = min(max(length // divisor + 1, at_least), length)
        expected.append(sum(sorted(row[:length])[-k:]) / k)
    torch.testing.assert_close(TopK(divisor, at_least).mean(scores, mask), torch.tensor(expected))


def test_padding_never_counts_however_high():
    scores = torch.tensor([[0.1, 0.2, 9.0, 9.0]])
    mask = torch.tensor([[True, True, False, False]])
    assert TopK(16, 3).mask(scores, mask).tolist() == [[True, True, False, False]]


def test_of_equal_scores_the_earlier_counts():
    assert TopK(4, 1).mask(torch.zeros(1, 4), torch.ones(1, 4, dtype=torch.bool)).tolist() == [
        [True, True, False, False]
    ]


def test_gradient_reaches_only_the_highest():
    scores = torch.tensor([[0.1, 0.9, 0.2, 0.8]], requires_grad=True)
    mask = torch.ones(1, 4, dtype=torch.bool)
    bag_loss(scores, mask, torch.ones(1), TopK(4, 1)).backward()
    assert (scores.grad != 0).tolist() == [[False, True, False, True]]


def test_scores_of_exactly_0_and_1_give_a_finite_loss_and_gradient():
    scores = torch.tensor([[0.0], [1.0]], requires_grad=True)
    loss = bag_loss(scores, torch.ones(2, 1, dtype=torch.bool), torch.tensor([1.0, 0.0]), TopK(16, 1))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(scores.grad).all()
