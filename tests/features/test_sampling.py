"""Which frames a snippet looks at, and which it speaks for, compared with loops that take one at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.curves.curve import snippets_to_frames
from vadpipe.features.sampling import SNIPPET_FRAMES, Sampling

ROUNDING_S = 1e-6


def regular(n_frames, rate=25.0):
    return np.arange(n_frames) / rate, n_frames / rate


@st.composite
def videos(draw):
    """Times in whole milliseconds, as a container has them, at a fixed or a variable rate."""
    n_frames = draw(st.integers(1, 120))
    if draw(st.booleans()):
        step_ms = draw(st.sampled_from([8, 16, 20, 33, 40, 66, 100, 1000]))
        steps = np.full(n_frames, step_ms)
    else:
        steps = np.array(draw(st.lists(st.integers(1, 300), min_size=n_frames, max_size=n_frames)))
    first_ms = draw(st.sampled_from([0, 0, 0, 700]))
    times_ms = first_ms + np.append(0, np.cumsum(steps)[:-1])
    return times_ms / 1000, float(times_ms[-1] + steps[-1]) / 1000


samplings = st.builds(
    Sampling,
    stride=st.sampled_from([1, 4, 8, 15, 16, 17, 32, 50]),
    fps=st.sampled_from([None, None, 1.0, 7.5, 10.0, 24000 / 1001, 25.0, 30.0, 60.0]),
    target_fps=st.sampled_from([None, 5.0, 12.5, 1000.0]),
    clip_frames=st.sampled_from([4, 8, 13, 16]),
)


def slow_samples(sampling, times_s, end_s):
    """Ask at each instant which frame is on the screen; before the first it is the first."""
    if sampling.fps is None:
        return list(range(0, len(times_s), sampling.step(times_s)))
    shown, number = [], 0
    while number == 0 or number / sampling.fps < end_s - ROUNDING_S:
        begun = [
            frame for frame, time_s in enumerate(times_s) if time_s <= number / sampling.fps + ROUNDING_S
        ]
        shown.append(max(begun, default=0))
        number += 1
    return shown


def slow_starts(sampling, n_samples):
    """Step on until a snippet, with the samples that lie before the next, reaches the end."""
    starts = [0]
    while starts[-1] + max(sampling.stride, SNIPPET_FRAMES) < n_samples:
        starts.append(starts[-1] + sampling.stride)
    starts[-1] = min(starts[-1], max(0, n_samples - SNIPPET_FRAMES))
    return starts


def slow_clips(sampling, times_s, end_s):
    samples = slow_samples(sampling, times_s, end_s)
    clips = []
    for start in slow_starts(sampling, len(samples)):
        snippet = [samples[min(start + offset, len(samples) - 1)] for offset in range(SNIPPET_FRAMES)]
        middles = [
            (2 * part + 1) * SNIPPET_FRAMES // (2 * sampling.clip_frames)
            for part in range(sampling.clip_frames)
        ]
        clips.append([snippet[middle] for middle in middles])
    return clips


@given(videos(), samplings)
def test_clips_are_those_of_a_slow_loop(video, sampling):
    clips = sampling.clips(*video)
    assert clips.dtype == np.int64
    assert clips.tolist() == slow_clips(sampling, *video)
    assert len(clips) == sampling.n_snippets(*video)
    np.testing.assert_array_equal(sampling.samples(*video), slow_samples(sampling, *video))


@given(videos(), samplings)
def test_every_frame_is_spoken_for(video, sampling):
    times_s, _ = video
    spans = sampling.spans(*video)
    assert spans.shape == (sampling.n_snippets(*video), 2)
    assert ((spans >= 0) & (spans <= len(times_s))).all()
    assert (spans[:, 0] <= spans[:, 1]).all()
    assert (np.diff(spans, axis=0) >= 0).all()
    spoken_for = np.zeros(len(times_s), dtype=int)
    for start, stop in spans:
        spoken_for[start:stop] += 1
    assert (spoken_for >= 1).all()
    assert (spans[:, 0] < spans[:, 1]).all()  # no snippet is computed in vain
    if sampling.stride >= SNIPPET_FRAMES and sampling.fps is None and sampling.target_fps is None:
        assert (spoken_for[: spans[-1, 0]] == 1).all()
        assert (spoken_for[spans[-1, 0] :] <= 2).all()  # the last snippet may reach back
    curve = snippets_to_frames(np.arange(len(spans), dtype=np.float32), spans, len(times_s))
    assert curve.shape == times_s.shape
    assert np.isfinite(curve).all()


@given(videos(), samplings)
def test_a_snippet_speaks_for_what_begins_while_it_looks(video, sampling):
    times_s, _ = video
    n_samples = len(sampling.samples(*video))
    rate = sampling.fps
    starts = slow_starts(sampling, n_samples)
    for first, (start, stop) in zip(starts, sampling.spans(*video), strict=True):
        last = min(first + max(sampling.stride, SNIPPET_FRAMES), n_samples)
        if rate is None:
            step = sampling.step(times_s)
            expected = list(range(first * step, min(last * step, len(times_s))))
        else:
            expected = [
                frame
                for frame, time_s in enumerate(times_s)
                if time_s >= first / rate - ROUNDING_S
                and (last == n_samples or time_s < last / rate - ROUNDING_S)
            ]
            if not expected:  # it begins and ends while one frame is shown
                expected = [max(int((times_s <= first / rate + ROUNDING_S).sum()) - 1, 0)]
        assert list(range(start, stop)) == expected


@pytest.mark.parametrize(
    ("n", "expected"), [(1, 1), (15, 1), (16, 1), (17, 2), (32, 2), (33, 3), (8096, 506)]
)
def test_n_frames_make_a_snippet_of_each_sixteen(n, expected):
    video = regular(n)
    assert Sampling().n_snippets(*video) == expected == -(-n // 16)
    assert Sampling().clips(*video).shape == (expected, 16)
    assert len(snippets_to_frames(np.zeros(expected, np.float32), Sampling().spans(*video), n)) == n


@given(n=st.integers(16, 400), stride=st.sampled_from([1, 8, 15, 16]))
def test_a_video_ends_with_its_last_sixteen_frames(n, stride):
    clips = Sampling(stride=stride).clips(*regular(n))
    assert clips[-1].tolist() == list(range(n - 16, n))
    assert len({tuple(clip) for clip in clips.tolist()}) == len(clips)  # no snippet twice


@given(n=st.integers(1, 15), stride=st.sampled_from([1, 8, 16, 40]))
def test_a_video_of_less_than_a_snippet_repeats_its_last_frame(n, stride):
    assert Sampling(stride=stride).clips(*regular(n)).tolist() == [[*range(n), *[n - 1] * (16 - n)]]


@pytest.mark.parametrize(
    ("clip_frames", "expected"),
    [
        (4, [2, 6, 10, 14]),
        (8, [1, 3, 5, 7, 9, 11, 13, 15]),
        (13, [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 12, 14, 15]),
        (16, list(range(16))),
    ],
)
def test_a_backbone_sees_the_middle_of_equal_parts(clip_frames, expected):
    assert Sampling(clip_frames=clip_frames).clips(*regular(32)).tolist() == [
        expected,
        [16 + number for number in expected],
    ]


def test_a_stride_below_sixteen_overlaps_and_above_it_leaves_out():
    video = regular(50)
    np.testing.assert_array_equal(Sampling(stride=8).clips(*video)[:, 0], [0, 8, 16, 24, 32, 34])
    np.testing.assert_array_equal(Sampling(stride=8).spans(*video)[:3], [[0, 16], [8, 24], [16, 32]])
    np.testing.assert_array_equal(
        Sampling(stride=20).clips(*video)[:, [0, -1]], [[0, 15], [20, 35], [34, 49]]
    )
    np.testing.assert_array_equal(Sampling(stride=20).spans(*video), [[0, 20], [20, 40], [34, 50]])


def test_resampling_repeats_frames_or_skips_them():
    video = regular(40)
    np.testing.assert_array_equal(Sampling(fps=50).samples(*video), np.arange(80) // 2)
    np.testing.assert_array_equal(Sampling(fps=12.5).samples(*video), np.arange(0, 40, 2))
    np.testing.assert_array_equal(Sampling(fps=25).samples(*video), np.arange(40))  # rates as they are
    slow = np.arange(1001) * 1001 / 30_000
    np.testing.assert_array_equal(
        Sampling(fps=30_000 / 1001).samples(slow, 1001 * 1001 / 30_000), np.arange(1001)
    )


@pytest.mark.parametrize(
    ("rate", "step"),
    [
        (5, 1),
        (10, 1),
        (15, 1),
        (18, 1),
        (20, 2),
        (24, 2),
        (25, 2),
        (30_000 / 1001, 2),
        (50, 4),
        (60, 5),
        (120, 10),
    ],
)
@pytest.mark.parametrize("decimals", [9, 3])  # some containers know milliseconds only
def test_every_kth_frame_is_taken_for_a_rate_near_the_target(rate, step, decimals):
    times_s, end_s = regular(200, rate)
    sampling = Sampling(target_fps=12.5)
    times_s = times_s.round(decimals)
    assert sampling.step(times_s) == step
    np.testing.assert_array_equal(sampling.samples(times_s, end_s), range(0, 200, step))
    assert sampling.n_samples(times_s, end_s) == -(-200 // step)
    spans = sampling.spans(times_s, end_s)
    assert spans[0].tolist() == [0, min(16 * step, 200)]
    assert spans[-1, 1] == 200


def test_a_video_that_is_cut_short_keeps_its_rate():
    times_s, end_s = regular(1000)
    times_s[100:] += 60 + np.arange(900) * 0.2  # later the camera takes fewer frames
    sampling = Sampling(target_fps=12.5)
    whole = sampling.samples(times_s, end_s)
    for n in (65, 99, 100, 500):
        np.testing.assert_array_equal(sampling.samples(times_s[:n], times_s[n]), whole[: -(-n // 2)])


@pytest.mark.parametrize("times_s", [[0.0], [0.0, 0.0, 0.0]])
def test_every_frame_is_taken_where_no_time_passes(times_s):
    assert Sampling(target_fps=12.5).step(np.array(times_s)) == 1


def test_a_rate_to_resample_to_goes_before_a_target():
    video = regular(40)
    one, other = Sampling(fps=25, target_fps=12.5), Sampling(fps=25)
    np.testing.assert_array_equal(one.samples(*video), other.samples(*video))
    np.testing.assert_array_equal(one.spans(*video), other.spans(*video))


def test_a_long_frame_is_sampled_as_long_as_it_is_shown():
    times_s = np.array([0.0, 0.1, 5.0])
    samples = Sampling(fps=10).samples(times_s, 5.1)
    np.testing.assert_array_equal(samples, [0] + [1] * 49 + [2])


@given(n=st.integers(1, 2000), rows=st.sampled_from([1, 7, 32, 200]))
def test_rows_that_are_spread_evenly_cover_all_frames_once(n, rows):
    sampling = Sampling(even_rows=rows)
    spans = sampling.spans(*regular(n))
    assert sampling.n_snippets(*regular(n)) == len(spans) == rows
    assert spans[0, 0] == 0
    assert spans[-1, 1] == n
    np.testing.assert_array_equal(spans[1:, 0], spans[:-1, 1])
    lengths = spans[:, 1] - spans[:, 0]
    assert lengths.min() >= 0
    assert lengths.max() - lengths.min() <= 1


def test_rows_that_published_features_lack_are_stood_in_for_by_the_last():
    sampling = Sampling(fixed_rows=2)
    video = regular(40)
    assert sampling.n_snippets(*video) == len(sampling.clips(*video)) == 2
    assert sampling.spans(*video).tolist() == [[0, 16], [16, 40]]
