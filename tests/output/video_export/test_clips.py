"""Every event becomes a clip that has all of it, begins at 0 and keeps picture and sound together.

Results are read by PyAV's plain decoding loop; frames carry their numbers.
"""

import av
import numpy as np
import pytest

from support.exported_videos import counters, curve_of, files_in, length_s, shown
from support.video_edits import turn
from support.videos import read_counter, write_video
from support.videos_with_sound import beeps_in, heard, hide_beginning, write_video_with_sound
from vadpipe.curves.events import EventRule
from vadpipe.errors import UsageError
from vadpipe.output.video_export.clips import cut_clips


def packets_of(path):
    """Return the packets of the video, as (bytes, is it a key frame)."""
    with av.open(path) as container:
        return [(bytes(packet), packet.is_keyframe) for packet in container.demux(video=0) if packet.size]


COPIED = {
    "mp4": ("a.mp4", ".mp4", {"options": {"g": "10", "bf": "0"}}),
    "mp4 with b-frames": ("a.mp4", ".mp4", {"options": {"g": "10", "bf": "3"}}),
    "mov": ("a.mov", ".mp4", {"options": {"g": "10", "bf": "2"}}),
    "fragments": ("a.mp4", ".mp4", {"options": {"g": "10"}, "container_options": {"movflags": "frag_keyframe"}}),
    "mkv": ("a.mkv", ".mkv", {"options": {"g": "10", "bf": "2"}}),
    "transport stream": ("a.ts", ".mkv", {"options": {"g": "10", "bf": "2"}}),
    "vp9": ("a.webm", ".mkv", {"codec": "libvpx-vp9", "options": {"g": "10", "cpu-used": "8", "deadline": "realtime"}}),
    "mpeg2": ("a.ts", ".mkv", {"codec": "mpeg2video", "options": {"g": "10", "bf": "2"}}),
    "open groups": ("a.mp4", ".mp4", {"options": {"g": "10", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}}),
    "hevc": ("a.mp4", ".mp4", {"codec": "libx265", "options": {"x265-params": "keyint=10:log-level=none"}}),
}  # fmt: skip


def test_there_may_be_more_clips_than_the_process_may_have_descriptors(tmp_path):
    video = write_video(tmp_path / "a.mp4", 280, size=(64, 48), options={"g": "4", "preset": "ultrafast"})
    curve = curve_of(video, events=[(start, start + 2) for start in range(0, 280, 4)])
    clips = cut_clips(curve.at(0.5, EventRule(merge_gap_s=0.0)), video, tmp_path / "clips", "a", pad_s=0.0)
    assert len(clips) == 70  # of 64 descriptors
    assert all(path.is_file() for path in clips)


@pytest.mark.parametrize(("name", "suffix", "options"), COPIED.values(), ids=COPIED)
def test_events_are_copied_from_the_key_frame_before(tmp_path, name, suffix, options):
    video = write_video(tmp_path / name, 200, **options)
    curve = curve_of(video, events=[(37, 50), (140, 152)])
    first, second = cut_clips(curve, video, tmp_path / "clips", "a", pad_s=0.4)
    assert files_in(tmp_path / "clips") == [f"a.event-001{suffix}", f"a.event-002{suffix}"]
    whole = {content for content, _ in packets_of(video)}
    with av.open(video) as container:
        frames = [frame.key_frame for frame in container.decode(video=0)]
    for path, start, stop in ((first, 27, 60), (second, 130, 162)):
        times_s, pictures = shown(path)
        numbers = counters(pictures)
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert start - 12 <= numbers[0] <= start
        assert frames[numbers[0]]
        assert stop <= numbers[-1] + 1 <= stop + 4
        np.testing.assert_allclose(times_s, (np.array(numbers) - numbers[0]) / 25, atol=1.1e-3)
        if suffix == ".mp4":  # the same bytes: nothing was encoded again
            assert {content for content, _ in packets_of(path)} <= whole
        with av.open(path) as container:
            assert container.start_time == 0


SOUNDS = {
    "aac": ("a.mp4", "aac", 1),
    "opus in mkv": ("a.mkv", "libopus", 1),
    "mp2 in a transport stream": ("a.ts", "mp2", 1),
    "pcm in mov": ("a.mov", "pcm_s16le", 1),
}


@pytest.mark.parametrize(("name", "sound", "n"), SOUNDS.values(), ids=SOUNDS)
def test_sound_is_cut_with_the_pictures(tmp_path, name, sound, n):
    video = tmp_path / name
    write_video_with_sound(
        video, 200, sound=sound, beeps=[1.0, 3.2, 5.5, 7.0], options={"g": "25", "bf": "2"}
    )
    (path,) = cut_clips(curve_of(video, events=[(75, 100)]), video, tmp_path, "e", pad_s=1.0)
    times_s, pictures = shown(path)
    numbers = counters(pictures)
    assert numbers[0] in (50, 49)
    assert beeps_in(path) == pytest.approx([beeps_in(video)[1] - numbers[0] / 25], abs=0.025)
    wave, rate = heard(path)
    assert len(wave) / rate == pytest.approx(times_s[-1] + 0.04, abs=0.15)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"options": {"g": "1000", "bf": "2"}}),  # key frames further apart than a lead-in may be
        ("a.mkv", {"options": {"g": "1000", "bf": "2"}}),
        ("a.avi", {"codec": "mpeg4"}),
        ("a.avi", {"options": {"bf": "3"}}),
    ],
)
def test_where_nothing_can_be_copied_the_clip_is_exact(tmp_path, name, options):
    pcm = name == "a.avi"
    video = tmp_path / name
    write_video_with_sound(
        video, 500, sound="pcm_s16le" if pcm else "aac", beeps=[3.0, 16.2, 18.9], **options
    )
    curve = curve_of(video, events=[(401, 425)])
    (path,) = cut_clips(curve, video, tmp_path / "clips", "x", pad_s=1.0)
    times_s, pictures = shown(path)
    assert counters(pictures) == list(range(376, 450))
    np.testing.assert_allclose(times_s, np.arange(74) / 25, atol=1.1e-3)
    assert length_s(path) == pytest.approx(74 / 25, abs=0.05)
    assert beeps_in(path) == pytest.approx([beeps_in(video)[1] - 376 / 25], abs=0.025)


def test_an_exact_clip_begins_with_the_frame_that_stands_then(tmp_path):
    times = [0, 1000, 12_000, 14_000, 14_040, 14_500, 16_000, 18_000]
    video = write_video(tmp_path / "a.mp4", 8, times=times)
    curve = curve_of(video, events=[(4, 5)])
    (path,) = cut_clips(curve, video, tmp_path / "clips", "x", pad_s=1.0)  # [13.04, 15.5)
    times_s, pictures = shown(path)
    assert counters(pictures) == [2, 3, 4, 5]
    np.testing.assert_allclose(times_s, [0.0, 0.96, 1.0, 1.46], atol=1e-3)
    assert length_s(path) == pytest.approx(2.46, abs=2e-3)


def test_what_an_edit_list_hides_is_in_no_clip(tmp_path):
    whole = write_video_with_sound(
        tmp_path / "whole.mp4", 100, sound="aac", beeps=[1.6], options={"g": "250", "bf": "3"}
    )
    video = hide_beginning(whole, tmp_path / "cut.mp4", 0.8)
    (path,) = cut_clips(curve_of(video, events=[(10, 30)]), video, tmp_path / "clips", "x", pad_s=0.2)
    assert counters(shown(path)[1]) == list(range(25, 55))
    assert beeps_in(path) == pytest.approx([0.6], abs=0.025)


def test_clips_reach_no_further_than_the_video_and_may_overlap(tmp_path):
    video = write_video(tmp_path / "a.mp4", 100, options={"g": "25"})
    curve = curve_of(video, events=[(5, 15), (55, 60), (90, 100)])
    clips = cut_clips(curve, video, tmp_path / "clips", "x", pad_s=3.0)
    spans = [(numbers[0], numbers[-1]) for numbers in (counters(shown(path)[1]) for path in clips)]
    assert spans == [(0, pytest.approx(90, abs=3)), (0, 99), (0, 99)]


@pytest.mark.parametrize("clockwise", [90, 180])
def test_a_copy_stays_turned(tmp_path, clockwise):
    video = write_video(tmp_path / "a.mp4", 60, options={"g": "10"})
    turn(video, clockwise)
    (path,) = cut_clips(curve_of(video, events=[(20, 30)]), video, tmp_path / "clips", "x", pad_s=0.0)
    with av.open(video) as before, av.open(path) as after:
        (expected, *_), (found, *_) = before.decode(video=0), after.decode(video=0)
        assert found.rotation == expected.rotation != 0


def test_an_exact_clip_is_turned_upright(tmp_path):
    video = write_video(tmp_path / "a.mp4", 300, options={"g": "1000"})
    turn(video, 90)
    (path,) = cut_clips(curve_of(video, events=[(280, 290)]), video, tmp_path / "clips", "x", pad_s=0.0)
    pictures = shown(path)[1]
    assert pictures[0].shape == (160, 120, 3)
    assert [read_counter(np.rot90(picture)) for picture in pictures] == list(range(280, 290))


def test_damage_is_bridged_where_a_clip_is_encoded_again(tmp_path):
    video = write_video(tmp_path / "a.avi", 100, codec="mpeg4", options={"g": "1"})
    content = bytearray(video.read_bytes())
    with av.open(video) as container:
        for number, packet in enumerate(container.demux(video=0)):
            if 40 <= number < 45:
                content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    video.write_bytes(content)
    curve = curve_of(video, events=[(35, 60)])
    (path,) = cut_clips(curve, video, tmp_path / "clips", "x", pad_s=0.2)
    times_s, pictures = shown(path)
    assert counters(pictures) == [number if not 40 <= number < 45 else 39 for number in range(30, 65)]
    np.testing.assert_allclose(times_s, np.arange(35) / 25, atol=1.1e-3)


def test_without_events_nothing_is_written(tmp_path):
    video = write_video(tmp_path / "a.mp4", 20)
    assert cut_clips(curve_of(video), video, tmp_path / "clips", "x") == []
    assert not (tmp_path / "clips").exists()


def test_clips_of_an_earlier_run_go_and_nothing_else(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    others = [
        "x.event-001.txt",
        "x.event-01.mp4",
        "xx.event-003.mp4",
        "x.event-003.mp4.bak",
        "x.mp4",
        "y.event-002.mp4",
        "x.event-017.mkv",  # beyond a gap: somebody else's
        "x.event-2024.mp4",
    ]
    for name in ("x.event-001.mkv", "x.event-002.mp4", "x.event-003.mkv", *others):
        (folder / name).write_text("old")
    (folder / "x.event-005.mp4").mkdir()
    video = write_video(tmp_path / "a.mp4", 60, options={"g": "10"})
    curve = curve_of(video, events=[(30, 40)])
    assert cut_clips(curve, video, folder, "x") == [folder / "x.event-001.mp4"]
    assert files_in(folder) == sorted(["x.event-001.mp4", "x.event-005.mp4", *others])
    assert cut_clips(curve.at(0.95), video, folder, "x") == []
    assert files_in(folder) == sorted(["x.event-005.mp4", *others])


def test_a_long_stem_is_shortened(tmp_path):
    video = write_video(tmp_path / "a.mp4", 60)
    (path,) = cut_clips(curve_of(video, events=[(30, 40)]), video, tmp_path / "clips", "ä" * 200)
    assert path.is_file()
    assert path.name.endswith(".event-001.mp4")
    assert cut_clips(curve_of(video), video, tmp_path / "clips", "ä" * 200) == []
    assert files_in(tmp_path / "clips") == []


def test_the_video_itself_is_never_replaced(tmp_path):
    video = write_video(tmp_path / "x.event-001.mp4", 60)
    before = video.read_bytes()
    with pytest.raises(UsageError, match="is the video itself"):
        cut_clips(curve_of(video, events=[(30, 40)]), video, tmp_path, "x")
    assert cut_clips(curve_of(video), video, tmp_path, "x") == []
    assert video.read_bytes() == before


@pytest.mark.parametrize("pad_s", [-1.0, float("nan"), float("inf")])
def test_a_padding_that_is_no_length_is_refused(tmp_path, pad_s):
    video = write_video(tmp_path / "a.mp4", 20)
    with pytest.raises(UsageError, match="is invalid"):
        cut_clips(curve_of(video, events=[(3, 5)]), video, tmp_path, "x", pad_s=pad_s)


def test_real_footage(tmp_path, data):
    video = data / "kinetics_check_clips" / "v_GGSY1Qvo990.mp4"
    curve = curve_of(video, events=[(100, 140), (250, 300)])
    before = shown(video)[1]
    for path, event in zip(cut_clips(curve, video, tmp_path, "v"), curve.events, strict=True):
        times_s, pictures = shown(path)
        small = [picture[::8, ::8].astype(int) for picture in before]
        first, last = (
            int(np.argmin([np.abs(other - picture[::8, ::8]).mean() for other in small]))
            for picture in (pictures[0], pictures[-1])
        )
        assert curve.times_s[first] <= max(0.0, event.start_s - 2.0)
        assert curve.times_s[last] >= min(curve.times_s[-1], event.end_s + 1.9)
        np.testing.assert_allclose(
            times_s, curve.times_s[first : first + len(pictures)] - curve.times_s[first], atol=1e-3
        )
        assert heard(path)[0].any()


def test_progress_goes_over_all_clips(tmp_path):
    video, told = write_video(tmp_path / "a.avi", 400, size=(320, 240), codec="mpeg4"), []
    curve = curve_of(video, events=[(100, 150), (250, 300)])
    cut_clips(curve, video, tmp_path, "x", on_progress=lambda *done: told.append(done))
    assert told[-1] == pytest.approx((12.0, 12.0))
    assert [done_s for done_s, _ in told] == sorted({done_s for done_s, _ in told})


def test_pictures_that_lean_on_what_is_before_the_key_frame_are_left_out(tmp_path):
    """An open group of pictures: some are stored behind a key frame and shown before it."""
    params = "keyint=20:min-keyint=20:scenecut=0:bframes=3:open-gop=1:log-level=error"
    video = write_video(tmp_path / "a.mp4", 100, codec="libx265", options={"x265-params": params})
    with av.open(video) as container:
        packets = [(packet.pts, packet.is_keyframe) for packet in container.demux(video=0) if packet.size]
    keys = [index for index, (_, is_key) in enumerate(packets) if is_key]
    assert any(packets[key + 1][0] < packets[key][0] for key in keys[1:-1])
    (clip,) = cut_clips(curve_of(video, events=[(45, 50)]), video, tmp_path, "x", pad_s=0.1)
    with av.open(clip) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
        assert min(stamps) == 0
        container.seek(0)
        shown_numbers = [
            read_counter(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]
    assert shown_numbers[:13] == list(range(40, 53))
