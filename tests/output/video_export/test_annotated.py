"""An annotated video has every frame at its time, its sound in its place, and under it where the curve stands.

Results are read by PyAV's plain decoding loop. Every frame carries its number, so that one that is lost, doubled
or in another's place shows.
"""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from support.curves import with_places
from support.exported_videos import borders, counters, curve_of, is_vermillion, length_s, shown, times_of
from support.video_edits import turn
from support.videos import counter_frame, read_counter, write_video
from support.videos_with_sound import beeps_in, heard, hide_beginning, sound_packets, write_video_with_sound
from vadpipe.errors import InputError, UsageError
from vadpipe.features.views import Place
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
    plain, video, path = write_video(tmp_path / "a.mp4", 6), tmp_path / "turned.mp4", tmp_path / "b.mp4"
    turn(plain, video, clockwise)
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


def strip_of(picture):
    """Return the strip under a picture of 160 x 120 px in parts: the row of text, and the rest."""
    return picture[120:136], picture[136:]


def cursor_column(picture):
    """Return the middle of the columns of the plot that are black from top to bottom."""
    plot = strip_of(picture)[1][4:34, 20:158]  # right of the numbers at the axis
    black = np.flatnonzero((plot.max(axis=-1) < 70).all(axis=0))
    assert len(black), "no cursor"
    assert np.ptp(black) < 4
    return 20 + black.mean()


def test_the_cursor_stands_where_the_time_is(tmp_path):
    times = [i * (i + 9) for i in range(40)]
    video, path = write_video(tmp_path / "a.mp4", 40, times=times), tmp_path / "b.mp4"
    curve = curve_of(video, events=[(12, 20)])
    annotate(curve, video, path)
    columns = np.array([cursor_column(picture) for picture in shown(path)[1]])
    slope, start = np.polyfit(curve.times_s, columns, 1)
    assert np.abs(start + slope * curve.times_s - columns).max() < 1.1
    # From the left end of the axis to its right end in the length of the video.
    assert 20 <= start < 30
    assert 150 < start + slope * curve.end_s <= 158


def test_the_curve_is_drawn_where_its_scores_are(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 80, size=(480, 360)), tmp_path / "b.mp4"
    curve = curve_of(video)
    curve.scores[:] = np.repeat(np.float32([0.0, 1.0, 0.5, 0.75]), 20)
    annotate(curve.at(2.0), video, path)
    picture = shown(path)[1][0].astype(int)
    blue = picture[..., 2] - picture[..., 0] > 60
    rows = [np.flatnonzero(blue[360:, column]).mean() for column in (90, 190, 300, 410)]
    bottom, top = rows[0], rows[1]
    assert bottom - top > 40
    assert (bottom - rows[2]) / (bottom - top) == pytest.approx(0.5, abs=0.04)
    assert (bottom - rows[3]) / (bottom - top) == pytest.approx(0.75, abs=0.04)


def has_text(picture, text, size=10):
    """Tell whether a text stands in the row of text: the text is drawn once more and looked for."""
    font = ImageFont.load_default(size)
    width = int(font.getlength(text))
    drawn = Image.new("L", (width, 16), 255)
    ImageDraw.Draw(drawn).text((0, 8), text, fill=0, font=font, anchor="lm")
    wanted, row = np.asarray(drawn, int), strip_of(picture)[0].mean(axis=-1)
    differences = [np.abs(row[:, x : x + width] - wanted).sum() for x in range(row.shape[1] - width + 1)]
    return min(differences) < 0.1 * (255 - wanted).sum()


def test_time_and_score_are_written(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 40), tmp_path / "b.mp4"
    annotate(curve_of(video, unscored=[(8, 24)]), video, path)
    pictures = shown(path)[1]
    for number in (0, 8, 23, 24, 39):
        scored = not 8 <= number < 24
        assert has_text(pictures[number], f"00:{number * 0.04:06.3f}")
        assert not has_text(pictures[number], f"00:{(number + 7) * 0.04:06.3f}")
        assert has_text(pictures[number], "score 0.10") == scored
        assert has_text(pictures[number], "no score") != scored
    shade = strip_of(pictures[30])[1][8, 30:150].astype(int).mean(axis=-1)
    assert (np.abs(shade - 0xE0) < 8).mean() == pytest.approx(
        16 / 40, abs=0.06
    )  # grey where nothing is known


def test_an_event_is_marked_while_it_is_on_by_colour_and_by_a_word(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 100), tmp_path / "b.mp4"
    curve = curve_of(video, events=[(10, 30), (60, 75)])
    assert [(event.start, event.stop) for event in curve.events] == [(10, 30), (60, 75)]
    annotate(curve, video, path)
    pictures = shown(path)[1]
    on = [10 <= number < 30 or 60 <= number < 75 for number in range(100)]
    assert borders(pictures) == on
    badges = [is_vermillion(strip_of(picture)[0][:, 110:]).mean() > 0.1 for picture in pictures]
    assert badges == on
    # Both are shaded in the curve all the time.
    shaded = np.abs(strip_of(pictures[45])[1][7, 28:150].astype(int) - (0xF6, 0xD3, 0xB5)).max(axis=-1) < 16
    assert shaded.mean() == pytest.approx(35 / 100, abs=0.06)
    assert len(np.flatnonzero(np.diff(shaded.astype(int)))) == 4


def test_the_border_is_round_the_place_of_an_event(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 60), tmp_path / "b.mp4"
    curve = curve_of(video, events=[(5, 15), (50, 58)])  # left, and a place whose box nobody knows
    places = (Place("left", (0.0, 0.0, 0.75, 1.0)), Place("centre"))
    annotate(with_places(curve, places, [20]), video, path)
    pictures = shown(path)[1]
    assert borders([pictures[number] for number in (0, 20, 54)]) == [False, False, True]
    part = is_vermillion(pictures[10][:120])
    assert part[[1, 118], 2:118].mean() > 0.9
    assert part[:, [1, 118]].mean() > 0.9
    assert part[:, 122:].mean() < 0.05
    assert part[8:112, 8:112].mean() < 0.05


def test_without_a_threshold_there_is_no_event(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 10), tmp_path / "b.mp4"
    curve = curve_of(video, events=[(0, 10)])
    from dataclasses import replace

    annotate(replace(curve, threshold=None), video, path)
    pictures = shown(path)[1]
    assert not any(borders(pictures))
    assert not is_vermillion(pictures[5][120:]).any()


SOUNDS = {
    "aac": ("a.mp4", "aac", "b.mp4", True),
    "aac to mov": ("a.mp4", "aac", "b.mov", True),
    "mp3": ("a.mp4", "libmp3lame", "b.mp4", True),
    "ac3": ("a.mp4", "ac3", "b.mp4", True),
    "opus": ("a.mkv", "libopus", "b.mp4", True),
    "opus in mkv": ("a.mkv", "libopus", "b.mkv", True),
    "aac in mkv": ("a.mkv", "aac", "b.mkv", True),
    "aac in a transport stream": ("a.ts", "aac", "b.mp4", True),
    "pcm in avi": ("a.avi", "pcm_s16le", "b.mkv", True),
    "pcm in avi to mp4": ("a.avi", "pcm_s16le", "b.mp4", False),
    "mp2 in a transport stream": ("a.ts", "mp2", "b.mp4", False),
    "mp2 in a transport stream to mkv": ("a.ts", "mp2", "b.mkv", True),
    "opus to mov": ("a.mkv", "libopus", "b.mov", False),
    "mu-law to mkv": ("a.avi", "pcm_mulaw", "b.mkv", False),
    "a-law to mov": ("a.avi", "pcm_alaw", "b.mov", True),
}


@pytest.mark.parametrize(("source", "codec", "target", "copied"), SOUNDS.values(), ids=SOUNDS)
def test_sound_stays_where_it_was(tmp_path, source, codec, target, copied):
    video, path = tmp_path / source, tmp_path / target
    write_video_with_sound(
        video, 50, sound=codec, beeps=[0.5, 1.4], codec="mpeg4" if source == "a.avi" else "libx264"
    )
    curve = curve_of(video)
    annotate(curve, video, path)
    times_s, pictures = shown(path)
    assert counters(pictures) == list(range(50))
    np.testing.assert_allclose(times_s, curve.times_s, atol=1e-3)
    assert beeps_in(path) == pytest.approx(beeps_in(video), abs=3e-3)
    assert len(heard(path)[0]) == pytest.approx(len(heard(video)[0]), abs=2500)
    with av.open(path) as container:
        assert (container.streams.audio[0].codec_context.name == "aac") == (not copied or "aac" in codec)
    if copied and source != "a.ts":  # whose packets have headers that MP4 has not
        assert b"".join(sound_packets(path)) == b"".join(sound_packets(video))
    if copied and source == "a.ts":
        assert len(sound_packets(path)) == len(sound_packets(video))


@pytest.mark.parametrize(("target", "copied"), [("b.mp4", False), ("b.mkv", True)])
def test_mp3_of_a_rate_that_mp4_does_not_know(tmp_path, target, copied):
    video, path = tmp_path / "a.avi", tmp_path / target
    write_video_with_sound(video, 50, sound="libmp3lame", sound_rate=8000, beeps=[0.5], codec="mpeg4")
    annotate(curve_of(video), video, path)
    with av.open(path) as container:
        assert (container.streams.audio[0].codec_context.name == "aac") == (not copied)
    assert beeps_in(path) == pytest.approx(beeps_in(video), abs=0.03)


def test_the_encoder_delay_does_not_move_the_pictures_of_matroska(tmp_path):
    video, path = tmp_path / "a.mp4", tmp_path / "b.mkv"
    write_video_with_sound(video, 50, sound="aac", beeps=[0.5, 1.4])
    curve = curve_of(video)
    annotate(curve, video, path)
    np.testing.assert_allclose(shown(path)[0], curve.times_s, atol=1e-3)
    assert beeps_in(path) == pytest.approx(beeps_in(video), abs=3e-3)
    assert set(sound_packets(path)) <= set(sound_packets(video))
    assert len(sound_packets(path)) >= len(sound_packets(video)) - 1


@pytest.mark.parametrize("sound", ["aac", "pcm_s16le"])
def test_sound_that_begins_late_and_goes_on_after_the_pictures(tmp_path, sound):
    video, path = tmp_path / "a.mkv", tmp_path / "b.mp4"
    write_video_with_sound(video, 50, sound=sound, beeps=[1.0, 2.5], sound_from_s=0.7, sound_until_s=3.0)
    annotate(curve_of(video), video, path)
    assert len(shown(path)[0]) == 50
    assert beeps_in(path) == pytest.approx([1.0, 2.5], abs=3e-3)


def test_pictures_that_begin_after_the_sound(tmp_path):
    video, path = tmp_path / "a.mkv", tmp_path / "b.mp4"
    write_video_with_sound(video, 40, times=[600 + 40 * i for i in range(40)], sound="aac", beeps=[0.3, 1.0])
    curve = curve_of(video)
    assert curve.times_s[0] == pytest.approx(0.6, abs=0.03)
    annotate(curve, video, path)
    np.testing.assert_allclose(shown(path)[0], curve.times_s, atol=1.1e-3)
    assert beeps_in(path) == pytest.approx(beeps_in(video), abs=3e-3)


@pytest.mark.parametrize("gap_s", [0.5, 1.3])
def test_a_gap_in_sound_that_is_encoded_again_is_silence(tmp_path, gap_s):
    whole, video, path = tmp_path / "whole.mkv", tmp_path / "a.mkv", tmp_path / "b.mp4"
    write_video_with_sound(whole, 75, sound="pcm_s16le", beeps=[0.5, 2.5])
    with av.open(whole) as reader, av.open(video, "w") as writer:
        streams = {s.index: writer.add_stream_from_template(s, opaque=True) for s in reader.streams}
        for packet in reader.demux():
            time_s = packet.pts * packet.time_base if packet.size else None
            if packet.size and not (packet.stream.type == "audio" and 1 < time_s < 1 + gap_s):
                packet.stream = streams[packet.stream_index]
                writer.mux(packet)
    annotate(curve_of(video), video, path)
    assert beeps_in(path) == pytest.approx([0.5, 2.5], abs=5e-3)


def test_a_video_without_sound_gets_none(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 5), tmp_path / "b.mp4"
    annotate(curve_of(video), video, path)
    with av.open(path) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_what_cannot_be_decoded_shows_the_picture_before(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 60, options={"g": "1"}), tmp_path / "b.mp4"
    content = bytearray(video.read_bytes())
    with av.open(video) as container:
        for number, packet in enumerate(container.demux(video=0)):
            if 20 <= number < 30 and packet.size:
                content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    video.write_bytes(content)
    curve = curve_of(video)  # all frames have scores, but who has seen these?
    annotate(curve, video, path)
    times_s, pictures = shown(path)
    np.testing.assert_allclose(times_s, curve.times_s, atol=1e-4)
    assert counters(pictures) == [number if not 20 <= number < 30 else 19 for number in range(60)]
    assert [has_text(pictures[number], "no score") for number in (19, 20, 29, 30)] == [
        False,
        True,
        True,
        False,
    ]
    assert cursor_column(pictures[29]) - cursor_column(pictures[20]) > 15  # time goes on


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
        UsageError, match=r"b\.gif: no video can be written as \.gif\nChoose a name that ends in"
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
