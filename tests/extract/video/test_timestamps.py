"""Clocks that restart, wrap or jump, and single timestamps that are hours off: every frame, in playback order."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.decoding import counters, decode, player
from support.recordings import joined, stream
from support.videos import read_counter, write_video
from vadpipe.extract.stills import read_stills
from vadpipe.extract.video.timestamps import NO_STAMP, repair_timestamps

SECOND = 90_000  # of a transport stream's clock
WRAPS_AT = 1 << 33


def check(path, n_frames, kinds, fps=25):
    """Assert that every frame of a file comes, evenly spaced, as many as a player shows."""
    assert len(player(path)[1]) == n_frames
    timeline, frames = decode(path)
    assert counters(frames) == list(range(n_frames))
    assert [frame.number for frame in frames] == list(range(n_frames))
    steps = np.diff(np.append(timeline.times_s, timeline.end_s))
    np.testing.assert_allclose(steps, 1 / fps, atol=1e-3)
    assert timeline.times_s[0] == pytest.approx(0, abs=0.1)
    assert [change.kind for change in timeline.changes] == kinds
    return timeline, frames


B_FRAMES = pytest.mark.parametrize("bf", ["0", "3"])


@B_FRAMES
@pytest.mark.parametrize("suffix", ["ts", "mpg", "vob"])
@pytest.mark.parametrize("starts_s", [0.0, 5000.0], ids=["as the first", "behind the second"])
def test_streams_that_were_joined_play_one_behind_the_other(tmp_path, bf, suffix, starts_s):
    codec = "libx264" if suffix == "ts" else "mpeg2video"
    first = stream(tmp_path / "a", 0, starts_s=starts_s, codec=codec, suffix=suffix, bf=min(bf, "2"))
    second = stream(tmp_path / "b", 20, codec=codec, suffix=suffix, bf=min(bf, "2"))
    path = joined(tmp_path / f"joined.{suffix}", first, second)
    timeline, _ = check(path, 40, ["restart"])
    assert timeline.changes[0].frame == 20


def test_many_parts_and_short_ones(tmp_path):
    lengths = [7, 4, 4, 12, 5, 8]
    firsts = np.cumsum([0, *lengths])
    parts = [
        stream(tmp_path / f"{at}", int(firsts[at]), n_frames, bf="2") for at, n_frames in enumerate(lengths)
    ]
    timeline, _ = check(joined(tmp_path / "joined.ts", *parts), 40, ["restart"] * 5)
    assert [change.frame for change in timeline.changes] == firsts[1:-1].tolist()


def test_segments_of_two_frames(tmp_path):
    parts = [stream(tmp_path / f"{at}", 2 * at, 2, bf="0") for at in range(10)]
    check(joined(tmp_path / "joined.ts", *parts), 20, ["restart"] * 9)


@pytest.mark.parametrize(
    "times", [[0, 1500, *range(1533, 3500, 33)], [0, 65_000, 130_000, *range(130_040, 132_000, 40)]]
)
def test_a_recording_that_begins_slowly_is_left_as_it_is(tmp_path, times):
    path = write_video(tmp_path / "a.mkv", len(times), options={"bf": "2", "g": "12"}, times=times)
    timeline, frames = decode(path)
    assert [frame.number for frame in frames] == list(range(len(times)))
    np.testing.assert_allclose(timeline.times_s, np.array(times) / 1000, atol=2e-3)
    assert {change.kind for change in timeline.changes} <= {"jump"}


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_snapshots_after_a_burst_are_left_where_they_are(tmp_path, suffix):
    times = [*range(0, 2000, 40), 17_000, *range(300_000, 3_000_000, 300_000)]
    path = write_video(tmp_path / f"a.{suffix}", len(times), options={"bf": "2", "g": "250"}, times=times)
    timeline, _ = decode(path)
    np.testing.assert_allclose(timeline.times_s, np.array(times) / 1000, atol=2e-3)


@pytest.mark.parametrize("bf", ["0", "2"])
def test_program_streams_whose_frames_share_timestamps(tmp_path, bf):
    first = stream(tmp_path / "a", 0, codec="libx264", suffix="mpg", bf=bf)
    second = stream(tmp_path / "b", 20, codec="libx264", suffix="mpg", bf=bf)
    timeline, frames = decode(joined(tmp_path / "joined.mpg", first, second))
    assert counters(frames) == list(range(40))
    assert [change.kind for change in timeline.changes] == ["restart"]
    assert timeline.end_s == pytest.approx(1.6, abs=0.1)


@B_FRAMES
def test_a_jump_back_of_less_than_a_second_is_one_too(tmp_path, bf):
    first = stream(tmp_path / "a", 0, bf=bf)
    second = stream(tmp_path / "b", 20, starts_s=0.5, bf=bf)  # HLS segments that overlap
    check(joined(tmp_path / "joined.ts", first, second), 40, ["restart"])


@B_FRAMES
def test_another_resolution_in_the_second_part_is_scaled_to_the_first(tmp_path, bf):
    first = stream(tmp_path / "a", 0, bf=bf)
    second = stream(tmp_path / "b", 20, size=(320, 240), bf=bf)
    _, frames = check(joined(tmp_path / "joined.ts", first, second), 40, ["restart"])
    assert {frame.pixels.shape for frame in frames} == {(120, 160, 3)}


@B_FRAMES
def test_a_clock_of_33_bits_that_wraps(tmp_path, bf):
    path = stream(tmp_path / "a", 0, 40, starts_s=WRAPS_AT / SECOND - 0.8, bf=bf)
    with av.open(path, options={"correct_ts_overflow": "0"}) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert max(stamps) > WRAPS_AT - SECOND
    assert min(stamps) < SECOND  # it does wrap
    timeline, _ = check(path, 40, ["wrap"])
    assert timeline.changes[0].by_s == pytest.approx(WRAPS_AT / SECOND)


def test_a_second_part_from_before_a_wrap(tmp_path):
    first = stream(tmp_path / "a", 0, starts_s=10.0)
    second = stream(tmp_path / "b", 20, starts_s=WRAPS_AT / SECOND - 5.0)
    check(joined(tmp_path / "joined.ts", first, second), 40, ["restart"])


def test_a_break_in_the_recording_is_kept_and_told(tmp_path):
    first = stream(tmp_path / "a", 0)
    second = stream(tmp_path / "b", 20, starts_s=3600.0)
    timeline, frames = decode(joined(tmp_path / "joined.ts", first, second))
    assert counters(frames) == list(range(40))
    assert timeline.times_s[20] == pytest.approx(3600, abs=0.1)
    (change,) = timeline.changes
    assert (change.kind, change.frame) == ("jump", 20)
    assert str(change) == "the clock jumps ahead by 3,599 s at frame 20"


def test_a_break_of_seconds_is_no_news(tmp_path):
    path = joined(
        tmp_path / "joined.ts", stream(tmp_path / "a", 0), stream(tmp_path / "b", 20, starts_s=30.0)
    )
    assert decode(path)[0].changes == ()


def test_a_restart_is_said_in_words(tmp_path):
    first = stream(tmp_path / "a", 0, starts_s=100.0, bf="0")
    second = stream(tmp_path / "b", 20, bf="0")
    timeline, _ = decode(joined(tmp_path / "joined.ts", first, second))
    assert str(timeline.changes[0]) == "the clock restarts or jumps back at frame 20 (moved by +100.800 s)"


def lone(path, at, by_s, n_frames=40, suffix="mp4", **options):
    """Write a video of which one packet says that it is shown seconds later, as a broken muxer does."""
    plain = write_video(path.with_name(f"plain.{suffix}"), n_frames, options={"g": "10", **options})
    with av.open(plain) as reader, av.open(path, "w") as writer:
        video = writer.add_stream_from_template(reader.streams.video[0])
        for number, packet in enumerate(packet for packet in reader.demux(video=0) if packet.size):
            if number == at:
                packet.pts += round(by_s / packet.time_base)
            packet.stream = video
            writer.mux(packet)
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("at", [1, 12, 38])
@pytest.mark.parametrize("by_s", [8000.0, 30.0])
def test_a_lone_timestamp_is_mended_from_its_neighbours(tmp_path, suffix, at, by_s):
    path = lone(tmp_path / f"a.{suffix}", at, by_s, suffix=suffix, bf="0")
    timeline, _ = check(path, 40, ["lone"])
    assert timeline.changes[0].frame == at
    assert timeline.changes[0].by_s == pytest.approx(-by_s, abs=0.01)
    stills = read_stills(path, [at / 25, 0.0], 120)
    assert [read_counter(still) for still in stills] == [at, 0]


def test_a_lone_timestamp_among_b_frames(tmp_path):
    for at in (10, 15, 18, 21):  # of each kind of frame
        path = lone(tmp_path / "a.mp4", at, 8000.0, bf="2")
        check(path, 40, ["lone"])


def test_a_timestamp_that_nothing_proves_wrong_is_kept_and_told(tmp_path):
    path = lone(tmp_path / "a.mp4", 39, 8000.0, bf="0")
    timeline, frames = decode(path)
    assert counters(frames) == list(range(40))
    (change,) = timeline.changes
    assert (change.kind, change.frame) == ("jump", 39)
    assert change.by_s == pytest.approx(8000, abs=0.1)
    assert timeline.times_s[39] == pytest.approx(8001.56, abs=0.01)


def test_a_time_lapse_is_no_lone_timestamp():
    pts = np.arange(30) * 600 * SECOND
    mended = repair_timestamps(pts, pts, 1 / SECOND)
    assert (mended.pts == pts).all()
    assert mended.found == []


def test_several_lone_timestamps_are_mended_one_by_one():
    pts = np.arange(100) * 3600
    wrong = pts.copy()
    wrong[[20, 50, 70]] += 8000 * SECOND * np.array([1, 2, 3])
    mended = repair_timestamps(wrong, wrong, 1 / SECOND)
    assert mended.pts.tolist() == mended.dts.tolist() == pts.tolist()
    assert [(at, kind) for at, kind, _ in mended.found] == [(20, "lone"), (50, "lone"), (70, "lone")]


def slowly(stamps, wraps_at=WRAPS_AT, step=3600):
    """Continue a clock without b-frames, one stamp after the other."""
    result, shift = [], 0
    for at, stamp in enumerate(stamps):
        if at and not 0 <= stamp + shift - result[-1] <= 10 * SECOND:
            wrapped = (stamp - stamps[at - 1]) % wraps_at <= 10 * SECOND
            shift += wraps_at if wrapped else result[-1] + step - stamp - shift
        result.append(stamp + shift)
    return result


@given(st.lists(st.tuples(st.integers(0, WRAPS_AT - 1), st.integers(4, 30)), min_size=1, max_size=6))
def test_any_clocks_behind_each_other_continue_as_a_slow_loop_continues_them(parts):
    parts = sorted(parts, reverse=True)  # each begins before the last, or wraps meanwhile
    stamps = np.concatenate([(begin + 3600 * np.arange(n)) % WRAPS_AT for begin, n in parts])
    mended = repair_timestamps(stamps, stamps, 1 / SECOND, wraps_at=WRAPS_AT)
    if (np.diff(mended.pts) <= 10 * SECOND).all():
        assert mended.pts.tolist() == slowly(stamps.tolist())
    assert (np.diff(mended.pts) > 0).all()


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=40), st.booleans())
def test_stamps_of_any_size_are_survived(stamps, known):
    pts = np.array(stamps, dtype=np.int64)
    dts = pts if known else np.full(len(pts), NO_STAMP)
    mended = repair_timestamps(pts, dts, 1 / SECOND, wraps_at=WRAPS_AT)
    assert len(mended.pts) == len(pts)
