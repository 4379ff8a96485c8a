"""Overlaps are those of sets of frames, and pairs are as many as any choice could make."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.evaluation.event_overlap import n_matched, overlaps


@st.composite
def ranges(draw):
    edges = sorted(draw(st.sets(st.integers(0, 40), max_size=10)))
    return list(zip(edges[::2], edges[1::2], strict=False))


def most_pairs(overlap, iou):
    """Try every way to give each event one of the others."""
    first, second = overlap.shape if overlap.shape[0] <= overlap.shape[1] else overlap.T.shape
    table = overlap if overlap.shape[0] <= overlap.shape[1] else overlap.T
    return max(
        sum(table[row, column] >= iou for row, column in enumerate(choice))
        for choice in permutations(range(second), first)
    )


@given(ranges(), ranges())
def test_overlaps_are_those_of_sets(events, others):
    found = overlaps(events, others)
    assert found.shape == (len(events), len(others))
    for row, one in enumerate(events):
        for column, other in enumerate(others):
            a, b = set(range(*one)), set(range(*other))
            assert found[row, column] == pytest.approx(len(a & b) / len(a | b))
    np.testing.assert_array_equal(found, overlaps(others, events).T)
    np.testing.assert_array_equal(np.diag(overlaps(events, events)), np.ones(len(events)))


@given(ranges(), ranges(), st.sampled_from([0.01, 0.1, 0.3, 0.5, 1.0]))
def test_no_choice_makes_more_pairs(events, others, iou):
    overlap = overlaps(events, others)
    assert n_matched(overlap, iou) == most_pairs(overlap, iou)


def test_an_event_belongs_to_one_other_at_most():
    whole, halves = [(0, 10)], [(0, 5), (5, 10)]
    assert n_matched(overlaps(whole, halves), 0.5) == 1
    assert n_matched(overlaps(halves, whole), 0.5) == 1
    assert n_matched(overlaps(whole, halves), 0.6) == 0


def test_a_greedy_choice_would_be_worse():
    # The second event overlaps the first true one most, and is the only one that fits the second.
    events, true = [(0, 4), (4, 17)], [(2, 15), (15, 17)]
    overlap = overlaps(events, true)
    assert overlap.max() == overlap[1, 0]
    assert n_matched(overlap, 0.1) == 2
