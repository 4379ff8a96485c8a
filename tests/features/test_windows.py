"""Where windows lie, and what each snippet takes of them, compared with a slow loop over samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadpipe.features.sampling import SNIPPET_FRAMES, Sampling
from vadpipe.features.windows import OVERLAP, Windows

LENGTHS = st.integers(1, 500) | st.sampled_from([16, 48, 63, 64, 65, 111, 112, 113, 160])


def slow_shares(n_samples, window, position, snippets):
    """Give each sample to the window in which it is farthest from a border, then to a position of it."""
    starts = [0]
    while starts[-1] + window < n_samples:
        starts.append(min(starts[-1] + window - OVERLAP, n_samples - window))
    shares = np.zeros((len(starts), len(snippets), window // position))
    for row, (begin, end) in enumerate(snippets):
        for sample in range(begin, end):
            depths = [min(sample - start, start + window - 1 - sample) for start in starts]
            depths[0] = max(depths[0], starts[0] + window - 1 - sample)  # nothing lies before the first
            if sample >= starts[-1] + window - OVERLAP // 2:  # and nothing behind the last
                depths[-1] = window
            index = max(range(len(starts)), key=lambda at: (depths[at], -at))
            shares[index, row, (sample - starts[index]) // position] += 1 / (end - begin)
    return starts, shares


@settings(max_examples=60)
@given(LENGTHS, st.sampled_from([48, 64, 128]), st.sampled_from([1, 4, 8, 16]))
def test_every_sample_is_taken_from_where_the_context_is_fullest(n_samples, window, stride):
    windows = Windows(n_samples, window)
    snippets = Sampling(stride).snippets(n_samples)
    starts, expected = slow_shares(n_samples, window, 8, snippets.tolist())
    assert windows.starts.tolist() == starts
    found = np.stack([windows.shares(index, window // 8, snippets) for index in range(len(starts))])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=(0, 2)), 1, atol=1e-6)
    assert not found[:-1, -1].any()  # the end of a video is taken from the last window alone


@given(LENGTHS, st.sampled_from([48, 64, 128]))
def test_windows_hold_every_sample_and_short_videos_are_reflected(n_samples, window):
    samples = Windows(n_samples, window).samples()
    assert {*samples.ravel().tolist()} == {*range(n_samples)}
    assert samples.shape[1] == window
    if n_samples >= window:
        assert (np.diff(samples, axis=1) == 1).all()
        assert samples[-1, -1] == n_samples - 1
    else:
        forwards = [*range(n_samples), *range(n_samples - 2, 0, -1)]
        assert samples[0].tolist() == (forwards * window)[:window]


def test_two_windows_of_64_over_a_hundred_frames():
    windows = Windows(100, 64)
    assert windows.starts.tolist() == [0, 36]
    assert [windows.taken(0), windows.taken(1)] == [(0, 50), (50, 100)]
    # Samples 40 to 50 are the first window's positions 5 and 6, 50 to 56 the second's 1 and 2.
    snippet = np.array([[40, 56]])
    np.testing.assert_allclose(windows.shares(0, 8, snippet)[0] * 16, [0, 0, 0, 0, 0, 8, 2, 0])
    np.testing.assert_allclose(windows.shares(1, 8, snippet)[0] * 16, [0, 2, 4, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("fps", [None, 10.0])
def test_the_backbone_sees_frames_of_the_sampling(fps):
    times_s = np.arange(150) / 25
    sampling = Sampling(8, fps, window=64)
    samples = sampling.samples(times_s, 6.0)
    seen = sampling.seen(times_s, 6.0)
    assert seen.tolist() == samples[Windows(len(samples), 64).samples()].tolist()
    plain = Sampling(8, fps)
    assert not plain.windowed
    assert plain.seen(times_s, 6.0).tolist() == plain.clips(times_s, 6.0).tolist()
    assert sampling.snippets(len(samples))[:, 0].tolist() == plain.snippets(len(samples))[:, 0].tolist()


def test_snippets_end_with_a_short_video():
    assert Sampling(8).snippets(5).tolist() == [[0, 5]]
    assert Sampling(8).snippets(40)[-1].tolist() == [40 - SNIPPET_FRAMES, 40]
