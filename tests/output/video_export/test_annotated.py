"""An annotated video has every frame of the video at its time, upright, in its size and its brightness.

Results are read by PyAV's plain decoding loop. Every frame carries its number, so that one that is lost,
doubled or in another's place shows.
"""

from fractions import Fraction

import av
import numpy as np
import pytest

from support.exported_videos import counters, curve_of, length_s, shown, times_of
from support.video_edits import turn
from support.videos import counter_frame, read_counter, write_video
from support.videos_with_sound import beeps_in, hide_beginning, write_video_with_sound
from vadpipe.errors import InputError, UsageError
from vadpipe.output.video_export.annotated import annotate

HOURS_MS = 3_600_000


VIDEOS = {
    "mp4 with b-frames": ("a.mp4", "b.mp4", {"options": {"bf": "3"}}),
    "variable rate in mp4": ("a.mp4", "b.mp4", {"times": [i * (i + 9) for i in range(40)]}),
    "variable rate to mkv": ("a.mp4", "b.mkv", {"times": [i * (i + 9) for i in range(40)]}),
    "variable rate in mkv": ("a.mkv", "b.mov", {"times": [40 * i + 7 * (i % 3) for i in range(40)]}),
    "transport stream": ("a.ts", "b.mp4", {"options": {"bf": "2"}}),
    "transport stream to mkv": ("a.ts", "b.mkv", {"options": {"bf": "2"}}),
    "avi": ("a.avi", "b.mp4", {"codec": "mpeg4"}),
    "avi with b-frames": ("a.avi", "b.mkv", {"options": {"bf": "3"}}),
    "23.976 a second": ("a.mp4", "b.mp4", {"rate": Fraction(24000, 1001)}),
    "a break of hours": ("a.mkv", "b.mp4", {"times": [40 * i + (i > 19) * 9 * HOURS_MS for i in range(40)]}),
    "started hours ago": ("a.mkv", "b.mp4", {"times": [3 * HOURS_MS + 40 * i for i in range(40)]}),
    "vp9 in webm": ("a.webm", "b.mkv", {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}),
    "one frame": ("a.mp4", "b.mp4", {"n_frames": 1}),
}  # fmt: skip


@pytest.mark.parametrize(("source", "target", "options"), VIDEOS.values(), ids=VIDEOS)
def test_every_frame_is_there_at_its_own_time(tmp_path, source, target, options):
    video, path = write_video(tmp_path / source, **{"n_frames": 40, **options}), tmp_path / target
    curve = curve_of(video, events=[(10, 20)])
    annotate(curve, video, path)
    times_s, pictures = shown(path)
    assert counters(pictures) == list(range(len(curve)))
    with av.open(path) as container:
        tick_s = float(container.streams.video[0].time_base)
        assert container.streams.video[0].codec_context.has_b_frames == 0
    np.testing.assert_allclose(times_s, curve.times_s, atol=1.01 * tick_s)
    assert length_s(path) == pytest.approx(curve.end_s, abs=2e-3)
    if target != "b.mkv":  # it has no place for the last frame's length
        again_s, end_s = times_of(path)
        np.testing.assert_allclose(again_s, curve.times_s, atol=1.01 * tick_s)
        assert end_s == pytest.approx(curve.end_s, abs=1.01 * tick_s)


def test_an_mp4_begins_with_its_index(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 10), tmp_path / "b.mp4"
    annotate(curve_of(video), video, path)
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_what_an_edit_list_hides_is_not_shown(tmp_path):
    whole = write_video_with_sound(
        tmp_path / "whole.mp4", 60, sound="aac", beeps=[1.6], options={"g": "250", "bf": "3"}
    )
    video, path = hide_beginning(whole, tmp_path / "cut.mp4", 0.8), tmp_path / "b.mp4"
    curve = curve_of(video)
    annotate(curve, video, path)
    times_s, pictures = shown(path)
    assert counters(pictures) == list(range(20, 60))
    np.testing.assert_allclose(times_s, curve.times_s, atol=1e-4)
    assert beeps_in(video) == pytest.approx([0.8], abs=2e-3)
    assert beeps_in(path) == pytest.approx([0.8], abs=2e-3)


@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_a_turned_video_is_upright(tmp_path, clockwise):
    video, path = write_video(tmp_path / "a.mp4", 6), tmp_path / "b.mp4"
    turn(video, clockwise)
    annotate(curve_of(video), video, path)
    _, pictures = shown(path)
    for number, picture in enumerate(pictures):
        expected = np.rot90(counter_frame(number, 160, 120), -clockwise // 90)
        height, width = expected.shape[:2]
        if clockwise == 180:
            assert picture.shape[1] == 160
            left = 0
        else:  # beside a picture of less than 160 px there is black
            assert picture.shape[1] == 160
            left = 20
            assert picture[:height, :16].max() < 30
        part = picture[:height, left : left + width]
        assert np.abs(part.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("size", [(161, 121), (160, 121), (163, 120)])
def test_odd_sides_grow_by_one_and_nothing_is_scaled(tmp_path, size):
    video, path = write_video(tmp_path / "a.mkv", 5, size=size, codec="ffv1"), tmp_path / "b.mp4"
    annotate(curve_of(video), video, path)
    expected, pictures = shown(video)[1], shown(path)[1]
    assert pictures[0].shape[1] == size[0] + size[0] % 2
    for before, after in zip(expected, pictures, strict=True):
        inner = after[: size[1], : size[0]].astype(int)
        assert np.abs(inner - before).mean() < 3
        edges = after[: size[1] + size[1] % 2, -2:].astype(int)
        if size[0] % 2:
            assert np.abs(edges[:, 1] - edges[:, 0]).mean() < 6  # the last column twice


def test_pixels_that_are_not_square_are_made_so(tmp_path):
    video, path = tmp_path / "a.mkv", tmp_path / "b.mp4"
    with av.open(video, "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.codec_context.thread_count = 1
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        for number in range(4):
            output.mux(
                stream.encode(av.VideoFrame.from_ndarray(counter_frame(number, 160, 120), format="rgb24"))
            )
        output.mux(stream.encode())
    annotate(curve_of(video), video, path)
    pictures = shown(path)[1]
    assert pictures[0].shape[1] == 320
    assert counters(pictures, width=320) == [0, 1, 2, 3]


def test_a_side_that_no_player_takes_is_scaled_down(tmp_path):
    video, path = write_video(tmp_path / "a.mkv", 3, size=(4800, 240)), tmp_path / "b.mp4"
    annotate(curve_of(video), video, path)
    pictures = shown(path)[1]
    assert pictures[0].shape[1] == 4096
    assert [read_counter(picture[:204]) for picture in pictures] == [0, 1, 2]


@pytest.mark.parametrize(
    ("pix_fmt", "codec"), [("yuvj420p", "mjpeg"), ("yuv420p10le", "ffv1"), ("yuv444p", "ffv1"), ("gray", "ffv1"), ("bgr0", "ffv1")]
)  # fmt: skip
def test_brightness_stays_whatever_the_pixels_were(tmp_path, pix_fmt, codec):
    video, path = tmp_path / "a.mkv", tmp_path / "b.mp4"
    with av.open(video, "w") as output:
        stream = output.add_stream(codec, rate=25)
        stream.codec_context.thread_count = 1
        stream.width, stream.height, stream.pix_fmt = 160, 120, pix_fmt
        frame = np.zeros((120, 160, 3), np.uint8)
        frame[:] = np.linspace(0, 255, 160)[None, :, None]
        output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode())
    annotate(curve_of(video), video, path)
    (picture,) = shown(path)[1]
    difference = picture[:120].astype(int) - frame
    assert np.abs(difference).mean() < 4
    assert abs(difference.mean()) < 2


def test_real_footage(tmp_path, data):
    video = min((data / "fight_surv").rglob("fi0*.mp4"))
    path = tmp_path / "b.mp4"
    curve = curve_of(video, events=[(10, 30)])
    annotate(curve, video, path)
    before, (times_s, pictures) = shown(video)[1], shown(path)
    np.testing.assert_allclose(times_s, curve.times_s, atol=1e-4)
    height, width = before[0].shape[:2]
    for old, new in zip(before, pictures, strict=True):
        inner = (slice(8, height - 8), slice(8, width - 8))  # within the border
        assert np.abs(old[inner].astype(int) - new[inner]).mean() < 4
    assert len(times_s) == len(curve)


def test_progress_goes_up_to_the_end(tmp_path):
    video, told = write_video(tmp_path / "a.mp4", 400, size=(320, 240)), []
    annotate(curve_of(video), video, tmp_path / "b.mp4", on_progress=lambda *done: told.append(done))
    assert told[-1] == (16.0, 16.0)
    assert [done_s for done_s, _ in told] == sorted({done_s for done_s, _ in told})
    assert {total_s for _, total_s in told} == {16.0}


def test_another_suffix_is_refused(tmp_path):
    video = write_video(tmp_path / "a.mp4", 3)
    with pytest.raises(
        UsageError, match=r"b\.gif: cannot write a video as \.gif\nChoose a name that ends in"
    ):
        annotate(curve_of(video), video, tmp_path / "b.gif")


def test_the_video_itself_is_never_replaced(tmp_path):
    video = write_video(tmp_path / "a.mp4", 3)
    before = video.read_bytes()
    (tmp_path / "link.mp4").symlink_to(video)
    for path in (video, tmp_path / "link.mp4"):
        with pytest.raises(UsageError, match="is the video itself"):
            annotate(curve_of(video), video, path)
    assert video.read_bytes() == before


def test_a_curve_of_another_video_is_refused(tmp_path):
    video, other = write_video(tmp_path / "a.mp4", 10), write_video(tmp_path / "b.mp4", 12)
    with pytest.raises(
        InputError, match="belongs to: it shows 10 frames, the curve has 12\nScore this video"
    ):
        annotate(curve_of(other), video, tmp_path / "c.mp4")
    slow = write_video(tmp_path / "slow.mp4", 10, rate=5)
    with pytest.raises(InputError, match="is not the video that the curve belongs to"):
        annotate(curve_of(slow), video, tmp_path / "c.mp4")
    assert not (tmp_path / "c.mp4").exists()
