"""From frames to clips: what could not be decoded costs the snippets that need it, and no other."""

import weakref
from itertools import tee

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from vadpipe.extract.clips import Clips, FrameViews, interleaved, views_of_frames
from vadpipe.extract.video.frame import Frame
from vadpipe.extract.video.timeline import Timeline
from vadpipe.features.file import lost_snippets
from vadpipe.features.sampling import Sampling


def timeline(times_s, end_s):
    stamps = np.round(np.asarray(times_s) * 1000).astype(np.int64)
    return Timeline(np.asarray(times_s), end_s, len(times_s), 0, 8, 6, 0, stamps)


def regular(n_frames):
    return timeline(np.arange(n_frames) / 25, n_frames / 25)


def blank(number):
    return np.full((6, 8, 3), number % 251, np.uint8)


def clips_of(numbers, video, sampling, on_time=None, picture=blank):
    """Clips of a video of which only the frames of those numbers can be decoded."""
    decoded = np.zeros(len(video.times_s), dtype=bool)
    decoded[sorted(numbers)] = True
    wanted = np.unique(sampling.clips(video.times_s, video.end_s))
    came = (FrameViews(number, (picture(number),)) for number in wanted.tolist() if decoded[number])
    return Clips(came, lambda: decoded, video, sampling, on_time)


def test_each_frame_is_cropped_once_and_the_views_of_a_clip_follow_each_other():
    video, cropped = regular(40), []

    def crop_views(frame):
        cropped.append(int(frame[0, 0, 0]))
        return frame[:2, :2], 100 + frame[:3, :3]

    frames = (Frame(number, np.full((6, 8, 3), number, np.uint8)) for number in range(40))
    views = views_of_frames(frames, crop_views)
    clips = Clips(views, lambda: np.ones(40, bool), video, Sampling(stride=8))
    found = []
    for clip in clips:
        assert len(clips.drawn) == len(found) // 2 + 1
        found.append(clip)
    assert cropped == [*range(40)]
    assert clips.drawn == [0, 1, 2, 3]
    for start, left, right in zip((0, 8, 16, 24), found[::2], found[1::2], strict=True):
        np.testing.assert_array_equal(left[:, 1, 1, 1], range(start, start + 16))
        np.testing.assert_array_equal(right, 100 + np.broadcast_to(left[:, :1, :1, :1], (16, 3, 3, 3)))


def drawn(clips):
    return [clip[:, 0, 0, 0].tolist() for clip in clips]


def slow_clips(numbers, video, sampling):
    """Decide snippet by snippet, with all frames at hand."""
    n_frames, times_s, end_s = max(numbers, default=-1) + 1, video.times_s, video.end_s
    if not n_frames:
        return [], [], [], 0
    came = numbers & set(sampling.clips(times_s, end_s).ravel().tolist())
    if n_frames < len(video.times_s):
        times_s, end_s = video.times_s[:n_frames], video.times_s[n_frames]
    found, kept = [], []
    plan = sampling.clips(times_s, end_s).tolist()
    for index, row in enumerate(plan):
        if index == len(plan) - 1 and came:  # a cut video ends with frames that were never asked for
            near = sorted(number for number in came if number >= row[0]) or [max(came)]
            row = [
                min(near, key=lambda held, number=number: abs(held - number))
                if number in numbers - came
                else number
                for number in row
            ]
        if set(row) <= came:
            found.append(row)
            kept.append(index)
    gaps = []
    for number in sorted(set(range(n_frames)) - numbers):
        if gaps and gaps[-1][1] == number:
            gaps[-1] = (gaps[-1][0], number + 1)
        else:
            gaps.append((number, number + 1))
    return found, kept, gaps, n_frames


@st.composite
def damaged(draw):
    n_frames = draw(st.integers(1, 120))
    steps_ms = (
        np.full(n_frames, 40)
        if draw(st.booleans())
        else np.array(draw(st.lists(st.integers(1, 200), min_size=n_frames, max_size=n_frames)))
    )
    times_s = np.append(0, np.cumsum(steps_ms)) / 1000
    video = timeline(times_s[:-1], float(times_s[-1]))
    sampling = Sampling(
        stride=draw(st.sampled_from([1, 5, 8, 16, 30])),
        fps=draw(st.sampled_from([None, None, 5.0, 25.0, 60.0])),
        clip_frames=draw(st.sampled_from([4, 13, 16])),
    )
    decoded = set(range(n_frames))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, n_frames - 1))
        decoded -= set(range(start, start + draw(st.integers(1, 40))))
    return video, sampling, decoded


@given(damaged())
@example((regular(64), Sampling(8, None, 4), set(range(64)) - {50, 54, 63}))
@example((regular(32), Sampling(16, None, 4), set(range(32)) - {22, 31}))
@example((regular(31), Sampling(1, 25.0, 4), set(range(30))))
@example((regular(88), Sampling(5, 25.0, 4), set(range(75))))
@example((regular(101), Sampling(9, None, 4), set(range(33))))
@settings(max_examples=150)
def test_clips_gaps_and_losses_are_those_of_a_slow_loop(case):
    video, sampling, decoded = case
    clips = clips_of(decoded, video, sampling)
    found, kept, gaps, n_frames = slow_clips(decoded, video, sampling)
    wanted = set(sampling.clips(video.times_s, video.end_s).ravel().tolist())
    assume(not decoded or decoded & wanted)  # of a video that gave no frame there are no features
    assert drawn(clips) == [[number % 251 for number in row] for row in found]
    assert (clips.drawn, clips.gaps, clips.n_frames) == (kept, gaps, n_frames)
    if not n_frames:
        return
    times_s = video.times_s[:n_frames]
    assert clips.n_missing == n_frames - len(decoded)
    lost = lost_snippets(sampling, times_s, clips.end_s, tuple(clips.gaps))
    assert len(lost) == clips.n_snippets
    np.testing.assert_array_equal(np.flatnonzero(~lost), kept)  # a feature file says the same
    assert times_s[-1] <= clips.end_s <= video.end_s


def test_a_whole_video_loses_nothing():
    clips = clips_of(range(40), regular(40), Sampling())
    assert drawn(clips) == [list(range(16)), list(range(16, 32)), list(range(24, 40))]
    assert (clips.n_frames, clips.n_missing, clips.gaps, clips.drawn) == (40, 0, [], [0, 1, 2])
    assert clips.end_s == 1.6


def test_a_gap_costs_the_snippets_that_need_it():
    came = [number for number in range(64) if not 30 <= number < 34]
    clips = clips_of(came, regular(64), Sampling())
    assert [clip[0] for clip in drawn(clips)] == [0, 48]
    assert (clips.drawn, clips.gaps, clips.n_missing, clips.n_frames) == ([0, 3], [(30, 34)], 4, 64)


def test_overlapping_snippets_count_a_missing_frame_once():
    came = [number for number in range(40) if number != 20]
    clips = clips_of(came, regular(40), Sampling(stride=8))
    assert [clip[0] for clip in drawn(clips)] == [0, 24]
    assert (clips.gaps, clips.n_missing, clips.drawn) == ([(20, 21)], 1, [0, 3])


def test_a_frame_that_no_backbone_sees_costs_no_snippet():
    sampling = Sampling(clip_frames=4)  # it sees 2, 6, 10 and 14 of each 16
    clips = clips_of(set(range(32)) - {3, 4}, regular(32), sampling)
    assert len(drawn(clips)) == 2
    assert (clips.n_missing, clips.gaps) == (2, [(3, 5)])


def test_a_gap_at_the_last_wanted_frames_does_not_end_the_video():
    sampling = Sampling(stride=100)
    clips = clips_of(set(range(200)) - set(range(100, 120)), regular(200), sampling)
    assert drawn(clips) == [list(range(16))]
    assert (clips.n_frames, clips.gaps, clips.n_snippets) == (200, [(100, 120)], 2)


@pytest.mark.parametrize("n_came", [1, 16, 17, 45, 63])
@pytest.mark.parametrize("stride", [1, 8, 16])
def test_a_cut_tail_ends_like_any_other(n_came, stride):
    clips = clips_of(range(n_came), regular(64), Sampling(stride))
    whole = clips_of(range(n_came), regular(n_came), Sampling(stride))
    assert drawn(clips) == drawn(whole)
    assert (clips.n_frames, clips.n_missing, clips.gaps) == (n_came, 0, [])
    assert clips.end_s == pytest.approx(n_came / 25)


def test_a_cut_tail_behind_a_gap():
    came = [number for number in range(50) if not 20 <= number < 24]
    clips = clips_of(came, regular(100), Sampling())
    assert [clip[0] for clip in drawn(clips)] == [0, 32, 34]
    assert (clips.n_frames, clips.gaps, clips.drawn, clips.n_snippets) == (50, [(20, 24)], [0, 2, 3], 4)


def test_nothing_that_can_be_decoded_gives_nothing():
    clips = clips_of([], regular(40), Sampling())
    assert drawn(clips) == []
    assert (clips.n_frames, clips.drawn) == (0, [])


def test_frames_are_held_for_three_snippets_at_a_time():
    read, pictures = [], []

    def picture(number):
        pixels = blank(number)
        pictures.append(weakref.ref(pixels))
        return pixels

    clips = clips_of(
        range(1000),
        regular(1000),
        Sampling(stride=8),
        lambda time_s: read.append(round(time_s * 25)),
        picture,
    )
    for index, _ in enumerate(clips):
        assert read[-1] == min(index * 8 + 23, 999)
        assert sum(pixels() is not None for pixels in pictures) <= 33


def test_it_tells_how_far_it_has_read():
    told = []
    list(clips_of(range(40), regular(40), Sampling(), told.append))
    np.testing.assert_allclose(told, np.arange(40) / 25)


def test_clips_of_several_windows_take_turns_and_share_the_frames():
    """What each source gives is what it gives alone, and none reads further ahead than its window is long."""
    n_frames, read = 500, []
    video = regular(n_frames)

    def frames():
        for number in range(n_frames):
            read.append(number)
            yield FrameViews(number, (np.full((6, 8, 3), number % 251, np.uint8),))

    def clips_over(frames, window):
        return Clips(frames, lambda: np.ones(n_frames, bool), video, Sampling(stride=8, window=window))

    alone = [drawn(clips_over(frames(), window)) for window in (16, 64)]
    read.clear()
    sources = [clips_over(own, window) for own, window in zip(tee(frames()), (16, 64), strict=True)]
    found = [[], []]
    for place, clip in interleaved(sources):
        found[place].append(clip[:, 0, 0, 0].tolist())
        ahead = max(source.last for source in sources) - min(source.last for source in sources)
        assert ahead <= 2 * 64
    assert found == alone
    assert read == [*range(n_frames)]  # each once
