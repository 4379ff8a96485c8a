"""N frames make ceil(N / 16) snippets; the tail repeats the last frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vadpipe.extract.snippets import snippets


def frames(n):
    return (np.full((2, 3, 3), number % 251, np.uint8) for number in range(n))


@given(n=st.integers(0, 200))
def test_every_frame_is_in_exactly_one_snippet(n):
    grouped = list(snippets(frames(n)))
    assert len(grouped) == -(-n // 16)
    flat = [int(frame[0, 0, 0]) for snippet in grouped for frame in snippet]
    assert flat[:n] == list(range(n))
    assert set(flat[n:]) <= {n - 1}


@pytest.mark.parametrize(("n", "expected"), [(1, 1), (15, 1), (16, 1), (17, 2), (32, 2), (8096, 506)])
def test_counts_at_the_edges(n, expected):
    grouped = list(snippets(frames(n)))
    assert len(grouped) == expected
    assert all(snippet.shape == (16, 2, 3, 3) and snippet.dtype == np.uint8 for snippet in grouped)
